"""`phosphene parts`, `wholes` and `why`: the questions of these names, as commands of their own."""

from phosphene.cli.questions import command
from phosphene.probes.question import forms

_forms = forms()
parts = command(_forms["parts"], graph=True)
wholes = command(_forms["wholes"])
why = command(_forms["why"], graph=True)
