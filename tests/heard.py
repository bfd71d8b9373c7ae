"""A listener that writes down how far blocks say they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from phosphene.progress import Listener, Watcher

Told = tuple[str, float, float, str]
"""Title, how much is done and how much there is, what is being worked on."""


def heard_in(told: list[Told]) -> Watcher:
    """What writes into `told` whatever is heard."""
    return partial(_heard, told)


@contextmanager
def _heard(told: list[Told], title: str) -> Iterator[Listener]:
    def listen(done: float, total: float, about: str = "") -> None:
        told.append((title, done, total, about))

    yield listen
