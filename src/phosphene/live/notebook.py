"""The live page inside a notebook: a server in a thread of the kernel, shown in a frame."""

import atexit
import html
import socket
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from torch.utils.data import Dataset

from phosphene.atlas import Atlas
from phosphene.errors import InputError
from phosphene.live.application import live_app
from phosphene.live.exhibits import Exhibit, named, opened
from phosphene.live.guard import NOTEBOOKS, Guard
from phosphene.network import Network
from phosphene.probes.subject import InMemory
from phosphene.study import consent
from phosphene.study.probing import require_of
from phosphene.study.source import find_source

HEIGHT = 900
"""Pixels of the frame."""

_SECONDS = 20.0
"""How long a server may take to begin and to end."""


class LivePage:
    """A page that is served by a thread of this process, and shown by a notebook in a frame.

    It ends with `close()`, at the end of a `with` block, or with the process. It listens to this
    machine alone, and lets pages of this machine alone show it in a frame: a notebook at
    localhost or 127.0.0.1, at any port.
    """

    def __init__(self, exhibits: Sequence[Exhibit], height: int = HEIGHT) -> None:
        self.height = height
        self._listening = socket.create_server(("127.0.0.1", 0))
        guarded = Guard(live_app(exhibits), framed_by=NOTEBOOKS)
        config = uvicorn.Config(guarded, log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="phosphene", daemon=True)
        self._thread.start()
        atexit.register(self.close)
        deadline = time.monotonic() + _SECONDS
        while not self._server.started and self._thread.is_alive():
            if time.monotonic() > deadline:
                self.close()
                raise InputError("the page could not be served; close other ones and try again")
            time.sleep(0.01)

    @property
    def address(self) -> str:
        """Where it is; empty once it is closed."""
        if self.closed:
            return ""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/"

    @property
    def closed(self) -> bool:
        """Whether nobody answers any more."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """End it: what is being worked on is left at its next step, and noted for the next one."""
        self._server.should_exit = True
        self._thread.join(_SECONDS)
        self._listening.close()
        atexit.unregister(self.close)

    def __enter__(self) -> "LivePage":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LivePage({self.address or 'closed'})"

    def _repr_html_(self) -> str:
        if self.closed:
            return "<p>This page is closed; <code>phosphene.view</code> opens another.</p>"
        where = html.escape(self.address)
        return (
            f'<iframe src="{where}" title="phosphene" width="100%" height="{self.height}" '
            'style="border: 0" allow="camera; clipboard-write"></iframe>'
            f'<p><a href="{where}" target="_blank" rel="noopener">Open it by itself</a></p>'
        )

    def _serve(self) -> None:
        self._server.run(sockets=[self._listening])


def view(
    *atlases: Atlas | str | Path,
    network: Network | None = None,
    data: Dataset[Any] | None = None,
    height: int = HEIGHT,
    device: str = "cpu",
    trust: bool = False,
) -> LivePage:
    """Atlases on a live page, in a frame of a notebook: pages, bench and questions.

    As the last expression of a cell it is shown; `address` is where it is for any browser of this
    machine. It ends with the kernel or with `close()`.

    Args:
        atlases: atlases, open or by their paths.
        network: the network of the first one, if it is at hand; otherwise it is made as the atlas
            says, which is code, run with consent alone (`trust`, or once run by your own word).
        data: its pictures, for questions about them; they go with `network`.
        height: pixels of the frame.
        device: where networks that the atlases name are put.

    Raises:
        InputError: no atlas; data without a network.
        AtlasMismatchError: `network` is another than that of the first atlas.
        NotAnAtlasError: there is no such atlas.
    """
    if not atlases:
        raise InputError("no atlas was given; give one or more, such as view('net.atlas')")
    if data is not None and network is None:
        raise InputError("data go with a network; an atlas says by itself where its own are")
    paths = [atlas.path if isinstance(atlas, Atlas) else Path(atlas) for atlas in atlases]
    exhibits = []
    for number, (name, path) in enumerate(named(paths).items()):
        if network is not None and number == 0:
            with Atlas.open(path) as atlas:
                require_of(atlas, network)
            exhibits.append(Exhibit(name, path, network, source=InMemory(network, data)))
            continue
        about = find_source(
            str(path),
            device=device,
            permit=lambda spec, atlas: consent.permit(spec, atlas, trust),
        )
        exhibits.append(opened(name, path, about, lambda said: warnings.warn(said, stacklevel=4)))
    return LivePage(exhibits, height)
