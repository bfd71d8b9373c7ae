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

from phosphene.cli.answering import source
from phosphene.cli.arguments import Device
from phosphene.cli.described import Described, describes
from phosphene.cli.output import console, say, warn
from phosphene.errors import SettingError
from phosphene.live.application import live_app
from phosphene.live.exhibits import named, opened
from phosphene.live.guard import LOOPBACK, NOTEBOOKS, Guard
from phosphene.progress import watching

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
    notebook: Annotated[
        bool, typer.Option("--notebook", help="Let a notebook on this machine show it in a frame.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    device: Device = "auto",
    *,
    told: Described,
) -> None:
    """Walk through atlases on a local page, and try their networks on its bench.

    Draw, drop a photograph or move it: the classes, what a unit looks at and the maps of a layer
    follow. Without its network an atlas is shown as `export` writes it. Ctrl-C ends. In a notebook
    `phosphene.view("net.atlas")` does the same, in a frame below the cell.
    """
    alone = host in LOOPBACK
    if notebook and not alone:
        raise SettingError(f"--notebook is for this machine alone; leave out --host {host}")
    exhibits = [
        opened(name, path, source(str(path), first, None, 0, device, trust, told), warn)
        for number, (name, path) in enumerate(named(atlases).items())
        for first in [None if number else model]
    ]
    token = None if alone else secrets.token_urlsafe(24)
    frames = NOTEBOOKS if notebook else ()
    guarded = Guard(live_app(exhibits), LOOPBACK if alone else None, token, frames)
    with _listening(host, port) as listening:
        address = f"http://{_written(host)}:{listening.getsockname()[1]}/"
        address += "" if token is None else f"?token={token}"
        say(f"Open [b]{address}[/]; Ctrl-C ends it")
        if notebook:
            shown = f"IFrame({address!r}, '100%', 900)"
            say(f"In a notebook: [b]from IPython.display import IFrame; {escape(shown)}[/]")
        elif browser and console.is_terminal:
            webbrowser.open(address)
        config = uvicorn.Config(guarded, log_level="warning", timeout_graceful_shutdown=1)
        with contextlib.suppress(KeyboardInterrupt), watching(None):
            uvicorn.Server(config).run(sockets=[listening])


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
