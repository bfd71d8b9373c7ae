"""`phosphene check`: whether an atlas is as it was written."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from phosphene.atlas import Atlas, Verdict, drop_damaged, verify
from phosphene.cli.output import errors, say
from phosphene.words import plural, printable

DAMAGED = 1
UNCHECKED = 3
MOST_TOLD = 8
"""Lines about damage under something else that a command shows."""


def check(
    atlas: Annotated[Path, typer.Argument(help="An atlas.")],
    drop: Annotated[
        bool,
        typer.Option(
            "--drop", help="Drop the jobs whose artefacts are damaged; `build` does them anew."
        ),
    ] = False,
) -> None:
    """Go through a whole atlas and tell what is damaged.

    Checks the file, every reference in it, and every picture, array and document against its
    checksum. Exit status: 0 whole, 1 damaged, 2 no atlas that can be opened, 3 nothing damaged was
    found but not everything has a checksum (atlases from before format 3).
    """
    with errors.status(f"reading {printable(atlas)} …"):
        verdict = verify(atlas)
    if drop and not verdict.sound:
        _tell(atlas, verdict)
        titles = drop_damaged(atlas)
        verdict = verify(atlas)
        dropped = ", ".join(printable(title) for title in titles) or "what no job claims"
        say(escape(f"Dropped {plural(len(titles), 'job')}: {dropped}. Build again to do them anew"))
    _tell(atlas, verdict)
    if not verdict.whole:
        raise typer.Exit(UNCHECKED if verdict.sound else DAMAGED)


def tell_damage(atlas: Atlas) -> None:
    """Say what was found damaged while an atlas was read, which was left out of what was shown."""
    found = atlas.damaged()
    for damage in found[:MOST_TOLD]:
        say(escape(f"• {printable(damage.sentence)}"))
    if found:
        say(escape(f"Left out, being damaged: {len(found):,}. See phosphene check {atlas.path}"))


def _tell(atlas: Path, verdict: Verdict) -> None:
    for line in (*verdict.file, *map(str, verdict.damages)):
        say(escape(f"• {printable(line)}"))
    say(escape(f"{printable(atlas)} (format {verdict.format}) is {verdict.summary}"))
