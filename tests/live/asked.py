"""What tests of jobs share: a question, pictures, and how to wait for an answer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import torch
from fastapi.testclient import TestClient

from phosphene.live.exhibits import Exhibit

FOOL = {"kind": "fool", "options": {"towards": "cat", "start": "grey", "steps": 2}}


class Few(torch.utils.data.Dataset[Any]):
    """Four pictures."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        made = torch.Generator().manual_seed(index)
        return torch.rand(3, 9, 9, generator=made), index % 3


Serve = Callable[[Exhibit], TestClient]


@dataclass
class Slow:
    """Holds questions until they are let go; counts how many began."""

    go: Event
    began: int = 0


def until(client: TestClient, job: dict[str, Any], *states: str) -> dict[str, Any]:
    """The job once it is in one of the states."""
    for _ in range(1500):
        told = client.get(f"/api/net/jobs/{job['id']}").json()
        if told["state"] in states:
            return dict(told)
        time.sleep(0.01)
    raise AssertionError(told)


def put(client: TestClient, asked: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/api/net/jobs", json=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def note_of(tmp_path: Path) -> Path:
    (note,) = (each for each in (tmp_path / "state/phosphene/jobs").iterdir() if each.is_file())
    return note
