"""Whether code may run that a file names, asked at the terminal."""

import sys
from pathlib import Path

import typer

from phosphene.study import consent


def permit(spec: str, atlas: Path | None, trust: bool | None) -> None:
    """Return if what `spec` names may run, asking where there is someone to ask.

    Raises:
        ConsentError: it may not; see `phosphene.study.consent.permit`.
    """
    someone = sys.stdin.isatty() and sys.stderr.isatty()
    consent.permit(spec, atlas, trust, _confirmed if someone else None)


def _confirmed(question: str) -> bool:
    return typer.confirm(question, default=False, err=True)
