"""What commands do with a finished atlas: write its site, tell its findings."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from phosphene.atlas import Atlas
from phosphene.cli.checking import tell_damage
from phosphene.cli.described import Described, describes
from phosphene.cli.output import command, say
from phosphene.errors import PhospheneError
from phosphene.figures import export_site

if TYPE_CHECKING:
    from phosphene.figures.site.export import Bench


@describes
def export(
    atlas: Annotated[Path, typer.Argument(help="An atlas.")],
    site: Annotated[Path, typer.Argument(help="The folder to write pages into.")],
    live: Annotated[
        bool, typer.Option("--live", help="With a bench whose page runs the network itself.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="For --live: how to make the network, if not as built.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="For --live: run the code that the atlas names.")
    ] = False,
    *,
    told: Described,
) -> None:
    """Write an atlas as a static site: open SITE/index.html, no server and no script needed.

    With --live there is SITE/bench.html too, which needs a browser and no server: draw, and the
    network, which stands beside the page, reads it.
    """
    if not live:
        say(f"Open [b]{write_site(atlas, site)}[/]")
        return
    from phosphene.cli.mailing import bench_of

    try:
        bench = bench_of(atlas, model, trust, told)
    except PhospheneError:
        write_site(atlas, site)
        raise
    index = write_site(atlas, site, bench)
    say(f"Open [b]{index}[/], or its bench: [b]{index.with_name('bench.html')}[/]")


def write_site(atlas: Path, site: Path, bench: "Bench | None" = None) -> Path:
    """Export an atlas and tell what is damaged; the path of its index."""
    with Atlas.open(atlas) as opened:
        index = export_site(opened, site, bench)
        tell_damage(opened)
    return index


def tell_findings(path: Path) -> None:
    """Print what a study found, a line each."""
    with Atlas.open(path) as atlas:
        for finding in atlas.findings():
            say(f"• {escape(finding.text)}")


def next_step(atlas: Path) -> str:
    """What to do with an atlas that is there, in one sentence."""
    view = escape(f"{command()} view {quote(str(atlas))}")
    return (
        f"Next: [b]{view}[/] opens its pages, and a bench on which its network reads what you draw"
    )


def finish(atlas: Path, site: Path, unit: str) -> None:
    """Write the site, tell the findings, and say how to look at them; `unit` is an example."""
    index = write_site(atlas, site)
    say("")
    tell_findings(atlas)
    show = escape(f"{command()} show {quote(str(atlas))} {quote(unit)}")
    say(f"\nWritten: [b]{escape(str(index))}[/], for any browser. One unit: [b]{show}[/]")
    say(next_step(atlas))
