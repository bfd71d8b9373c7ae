"""`phosphene parts`, `wholes`, `why`, `circuit`: the questions of these names, as commands."""

from phosphene.cli.questions import command
from phosphene.probes.question import forms

_forms = forms()
parts = command(_forms["parts"], graph=True)
wholes = command(_forms["wholes"])
circuit = command(_forms["circuit"])
why = command(_forms["why"], graph=True)
