"""What commands do with a finished atlas: write its site, tell its findings."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from phosphene.atlas import Atlas
from phosphene.cli.checking import tell_damage
from phosphene.cli.output import say
from phosphene.figures import export_site


def export(
    atlas: Annotated[Path, typer.Argument(help="An atlas.")],
    site: Annotated[Path, typer.Argument(help="The folder to write pages into.")],
) -> None:
    """Write an atlas as a static site: open SITE/index.html, no server and no script needed."""
    index = write_site(atlas, site)
    say(f"Open [b]{index}[/]")


def write_site(atlas: Path, site: Path) -> Path:
    """Export an atlas and tell what is damaged; the path of its index."""
    with Atlas.open(atlas) as opened:
        index = export_site(opened, site)
        tell_damage(opened)
    return index


def tell_findings(path: Path) -> None:
    """Print what a study found, a line each."""
    with Atlas.open(path) as atlas:
        for finding in atlas.findings():
            say(f"• {escape(finding.text)}")


def finish(atlas: Path, site: Path, unit: str) -> None:
    """Write the site, tell the findings, and say how to look at them; `unit` is an example."""
    index = write_site(atlas, site)
    say("")
    tell_findings(atlas)
    say(f"\nOpen [b]{index}[/] in a browser, or: [b]phosphene show {atlas} {unit}[/]")
