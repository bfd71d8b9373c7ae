"""`phosphene view`: atlases on a local page, their networks on its bench."""

import contextlib
import secrets
import socket
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from rich.markup import escape

from phosphene.atlas import Atlas, blaming_damage
from phosphene.cli.answering import source
from phosphene.cli.arguments import Device
from phosphene.cli.described import Described, describes
from phosphene.cli.output import console, say, warn
from phosphene.errors import PhospheneError, SettingError
from phosphene.figures.views.atlas import require_begun
from phosphene.live.application import live_app
from phosphene.live.exhibits import Exhibit, named
from phosphene.live.guard import LOOPBACK, Guard
from phosphene.progress import watching
from phosphene.study.consent import permit

PORT = 8710
"""Where the page is unless something else is there already."""


@describes
def view(
    atlases: Annotated[list[Path], typer.Argument(metavar="ATLAS...", help="One or more atlases.")],
    model: Annotated[
        str | None, typer.Option(help="How to make the network of the first, if not as built.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Where to listen. Any but this machine alone asks for a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help=f"Default: {PORT}, or one that is free.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run the code that the atlases name.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    device: Device = "auto",
    *,
    told: Described,
) -> None:
    """Walk through atlases on a local page, and try their networks on its bench.

    Draw, drop a photograph or move it: the classes, what a unit looks at and the maps of a layer
    follow. Without its network an atlas is shown as `export` writes it. Ctrl-C ends.
    """
    exhibits = [
        _exhibit(name, path, model if number == 0 else None, device, trust, told)
        for number, (name, path) in enumerate(named(atlases).items())
    ]
    alone = host in LOOPBACK
    token = None if alone else secrets.token_urlsafe(24)
    guarded = Guard(live_app(exhibits), LOOPBACK if alone else None, token)
    with _listening(host, port) as listening:
        address = f"http://{_written(host)}:{listening.getsockname()[1]}/"
        address += "" if token is None else f"?token={token}"
        say(f"Open [b]{address}[/]; Ctrl-C ends it")
        if browser and console.is_terminal:
            webbrowser.open(address)
        config = uvicorn.Config(guarded, log_level="warning", timeout_graceful_shutdown=1)
        with contextlib.suppress(KeyboardInterrupt), watching(None):
            uvicorn.Server(config).run(sockets=[listening])


def _exhibit(
    name: str, path: Path, model: str | None, device: str, trust: bool, told: Described
) -> Exhibit:
    """An atlas with its network; without where that cannot be made, which is told."""
    about = source(str(path), model, None, 0, device, trust, told)
    with Atlas.open(path) as atlas, blaming_damage(atlas):
        require_begun(atlas)
    try:
        network = about.network
    except PhospheneError as error:
        warn(f"{path.name} is shown without its network: {error}")
        return Exhibit(name, path, missing=str(error))
    if about.has_data:
        with contextlib.suppress(PhospheneError):  # told to whoever asks about them
            _ = about.data
    about.permit = lambda spec, atlas: permit(spec, atlas, trust=False)  # nobody is asked later
    return Exhibit(name, path, network, source=about)


def _listening(host: str, port: int | None) -> socket.socket:
    """A socket at the port, or at any that is free where none was named.

    Raises:
        SettingError: that port is taken, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for tried in (PORT, 0) if port is None else (port,):
        try:
            return socket.create_server((host, tried), family=family)
        except OSError as error:
            failed = error
    raise SettingError(
        f"cannot listen at {escape(host)}, port {port}: {failed.strerror or failed}; "
        "leave out --port for any that is free"
    )


def _written(host: str) -> str:
    """A host as addresses have it."""
    return f"[{host}]" if ":" in host else host
