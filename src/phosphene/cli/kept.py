"""`phosphene probe list` and `forget`: the answers that an atlas keeps."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from phosphene.atlas import Atlas
from phosphene.cli.output import console, say

Kept = Annotated[Path, typer.Argument(help="An atlas.")]


def list_command(atlas: Kept) -> None:
    """List the answers that an atlas keeps."""
    table = Table("name", "title", "asked", box=None, header_style="bold")
    with Atlas.open(atlas) as opened:
        for probe in opened.probes():
            ended = opened.provenance(probe).finished[:16].replace("T", " ")
            table.add_row(probe.name, probe.title, ended)
    console.print(table)


def forget_command(
    atlas: Kept, names: Annotated[list[str], typer.Argument(help="As `list` names them.")]
) -> None:
    """Drop answers from an atlas."""
    with Atlas.build(atlas) as opened:
        opened.drop({opened.provenance(opened.probe(name)).key for name in names})
    say(f"Dropped {', '.join(names)}; the next export leaves them out")
