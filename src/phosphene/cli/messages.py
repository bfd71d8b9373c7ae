"""`phosphene probe reveal`: read a hidden message, which is no answer to keep."""

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli.arguments import Device
from phosphene.cli.described import Described, describes
from phosphene.cli.output import console


@describes
def reveal_command(
    target: Annotated[
        str, typer.Argument(metavar="ATLAS|MODEL", help="The network it was hidden for.")
    ],
    message: Annotated[Path, typer.Argument(help="What `hide` wrote: a .png file or a folder.")],
    model: Annotated[
        str | None,
        typer.Option(help="How to make an atlas's network, if not as when it was built."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run the code that the atlas names, if it is asked.")
    ] = False,
    device: Device = "auto",
    *,
    told: Described,
) -> None:
    """Read a message that was hidden for this network; fails in words for any other."""
    from phosphene.cli.answering import source
    from phosphene.probes.messages import load_message, reveal

    network = source(target, model, None, 0, device, trust, told).network
    pictures = load_message(message, network.input)
    console.print(reveal(network, pictures), highlight=False, markup=False)
