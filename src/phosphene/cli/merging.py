"""`phosphene merge`: atlases that were built apart become one."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from phosphene.cli.output import errors, say
from phosphene.study.merging import merge
from phosphene.words import plural, printable


def merge_command(
    atlases: Annotated[list[Path], typer.Argument(help="Two atlases or more.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The atlas to write.")],
) -> None:
    """Make one atlas of several built apart: of other layers, units or parts of the data.

    [b]phosphene merge a.atlas b.atlas -o whole.atlas[/]

    They must be of the same network, data and settings, and what more than one has must be the
    same. None of them is changed. What the whole still lacks is told; the same `build` adds it, and
    then it is what one build would have made, bit by bit, on like machines.
    """
    with errors.status(f"merging {plural(len(atlases), 'atlas', 'atlases')} …"):
        found = merge(atlases, out)
    say(escape(printable(found.summary)))
    if found.missing:
        say(escape(f"Now: phosphene build … --out {printable(out)}"))
