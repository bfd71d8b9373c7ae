"""A worker as who has hired it sees it: what can be said to it, and what it says."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from phosphene.study.engines.engine import Task
from phosphene.study.engines.worker import Answer, Joined, Pulse


@dataclass(frozen=True)
class Up:
    """A worker that has begun, and waits for its network and its data."""


@dataclass(frozen=True)
class Gone:
    """A worker that is no more, and why."""

    why: str


Message = Up | Joined | Pulse | Answer | Gone


@runtime_checkable
class Hand(Protocol):
    """A worker, as seen from here."""

    def join(self, parts: bytes) -> None:
        """Give it the network and the data."""

    def start(self, number: int, packed: bytes) -> None:
        """Give it a task."""

    def heard(self) -> Sequence[Message]:
        """What it has said since; never waits."""

    def end(self) -> None:
        """End it, whatever it is at."""


@dataclass(eq=False)
class Place:
    """A worker's place in the crew: its task, and when it gave signs of life."""

    hand: Hand
    joined: bool = False
    watched: bool = False
    task: Task | None = None
    share: float = 0.0
    worked: float = -1.0
    sign: float = field(default_factory=time.monotonic)
    moved: float = field(default_factory=time.monotonic)
