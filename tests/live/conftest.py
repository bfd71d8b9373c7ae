"""A server of one small atlas, with a network that answers."""

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from torch import nn

import tiny
from fuzz import small_atlas
from live.asked import Few, Serve, Slow
from phosphene.live.application import live_app
from phosphene.live.exhibits import Exhibit
from phosphene.live.guard import Guard
from phosphene.network import Input, Network
from phosphene.probes.fooling import Fooling
from phosphene.probes.subject import InMemory
from phosphene.progress import tell


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 81, 3)
    )


@pytest.fixture(scope="session")
def network() -> Network:
    return Network(tiny.seeded(small).eval(), Input(3, (9, 9)), ("cat", "dog", "naïve"), name="Net")


@pytest.fixture(scope="session")
def atlas_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_atlas(tmp_path_factory.mktemp("live") / "net.atlas")


@pytest.fixture
def exhibit(atlas_path: Path, network: Network) -> Exhibit:
    return Exhibit("net", atlas_path, network)


@pytest.fixture
def client(exhibit: Exhibit) -> TestClient:
    return TestClient(Guard(live_app([exhibit])), base_url="http://localhost")


@pytest.fixture(scope="session")
def link() -> Callable[..., str]:
    """A picture as the text of a link."""

    def made(size: tuple[int, int] = (9, 9), form: str = "PNG", seed: int = 0) -> str:
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format=form)
        return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"

    return made


@pytest.fixture
def asking(tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch) -> Exhibit:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = small_atlas(tmp_path / "net.atlas", network.fingerprint)
    return Exhibit("net", path, network, source=InMemory(network, Few()))


@pytest.fixture
def serve() -> Serve:
    def served(exhibit: Exhibit) -> TestClient:
        return TestClient(Guard(live_app([exhibit])), base_url="http://localhost")

    return served


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    kept, at = Fooling.ask, Slow(Event())

    def ask(self: Fooling, subject: Any) -> Any:
        at.began += 1
        while not at.go.wait(0.01):
            tell(3, 10, "slowly")
        return kept(self, subject)

    monkeypatch.setattr(Fooling, "ask", ask)
    yield at
    at.go.set()
