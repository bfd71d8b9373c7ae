"""A real browser for tests of pages, and a server for it to look at.

`pytestmark = IN_CHROMIUM` marks a module; the fixture `browser` of conftest.py is the browser.
"""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from phosphene.live.application import live_app
from phosphene.live.exhibits import Exhibit
from phosphene.live.guard import Guard

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NEEDS_CHROMIUM = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason=f"no Chromium at {CHROMIUM}"
)
IN_CHROMIUM = [pytest.mark.browser, pytest.mark.slow, NEEDS_CHROMIUM]

OVERFLOWING = """() => [...document.querySelectorAll('main *, header *, footer *')]
  .filter(e => !e.closest('.scroll, svg, .unseen, .where, .portion img'))
  .filter(e => e.getClientRects().length)
  .filter(e => !e.matches('.portion') // a window on an image, which goes on beyond it
            && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
            || e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 120))"""
BROKEN = """async () => {
  const shows = i => { i.loading = 'eager'; return i.decode().then(() => null, () => i.src); };
  return (await Promise.all([...document.images].map(shows))).filter(src => src !== null);
}"""
SCROLL_WIDTH = "() => document.documentElement.scrollWidth"


@contextmanager
def serving(exhibits: list[Exhibit]) -> Iterator[str]:
    """The address of a server of some exhibits, for a while."""
    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(Guard(live_app(exhibits)), log_level="warning"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    running.should_exit = True
    thread.join(10)
    listening.close()
