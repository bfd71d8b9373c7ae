"""A tab that is closed frees what worked for it: over real connections, which are cut."""

import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from live.test_bench_in_browser import serving
from phosphene.live import api
from phosphene.live.exhibits import Exhibit
from phosphene.progress import tell

pytestmark = pytest.mark.later


@pytest.fixture
def server(exhibit: Exhibit) -> Iterator[tuple[str, int]]:
    with serving([exhibit]) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        yield host, int(port)


class Ticking:
    """Work that goes on until it is left, and how far it came."""

    def __init__(self) -> None:
        self.steps = 0

    def work(self, *_: object) -> Any:
        for _step in range(3000):
            self.steps += 1
            tell(self.steps, 3000)
            time.sleep(0.005)

    def stands(self) -> bool:
        """Whether it has come to rest within a while."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            before = self.steps
            time.sleep(0.1)
            if self.steps == before:
                return True
        return False


def asking(server: tuple[str, int], what: str, **asked: Any) -> socket.socket:
    """A connection on which something was asked and nothing was read."""
    body = json.dumps(asked)
    found = socket.create_connection(server, 10)
    head = f"POST /api/net/{what} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    found.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return found


def answered(server: tuple[str, int], what: str, **asked: Any) -> tuple[int, Any]:
    connection = HTTPConnection(*server, timeout=10)
    head = {"content-type": "application/json"}
    connection.request("POST", f"/api/net/{what}", json.dumps(asked), head)
    answer = connection.getresponse()
    try:
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("what", ["parts", "moves", "morph"])
def test_long_work_is_left_at_its_next_step(
    server: tuple[str, int], link: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    name = {"parts": "take_apart", "moves": "move_everywhere", "morph": "lead_towards"}[what]
    ticking = Ticking()
    with monkeypatch.context() as patched:
        patched.setattr(api, name, ticking.work)
        asked = asking(server, what, picture=link(), unit="cat", client="closed")
        while not ticking.steps:
            time.sleep(0.01)
        asked.close()
        assert ticking.stands()
    assert ticking.steps < 1500
    status, _ = answered(server, what, picture=link(), unit="cat", client="open")
    assert status == 200


def test_what_waits_is_never_begun(
    server: tuple[str, int], link: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking, begun = Ticking(), []

    def apart(network: Any, asked: Any, *_: object) -> Any:
        begun.append(asked.client)
        return ticking.work()

    with monkeypatch.context() as patched:
        patched.setattr(api, "take_apart", apart)
        first = asking(server, "parts", picture=link(), unit="cat", client="first")
        while not ticking.steps:
            time.sleep(0.01)
        second = asking(server, "parts", picture=link(), unit="cat", client="second")
        time.sleep(0.1)
        second.close()
        time.sleep(0.1)
        first.close()
        assert ticking.stands()
    assert begun == ["first"]


def test_a_picture_is_drawn_no_further(server: tuple[str, int], exhibit: Exhibit) -> None:
    passes = Ticking()

    def count(*_: object) -> None:
        passes.steps += 1
        time.sleep(0.002)

    handle = exhibit.here.module.register_forward_pre_hook(count)
    try:
        asked = asking(server, "imagine", unit="cat", steps=512, client="closed")
        assert b"200" in asked.recv(64)
        asked.close()
        assert passes.stands()
    finally:
        handle.remove()
    assert passes.steps < 400
