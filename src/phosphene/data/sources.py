"""The data that have a name of their own, as in `mnist:FOLDER`: each registers where it is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset

from phosphene.data.resize import Resize


@dataclass(frozen=True)
class Wanted:
    """What pictures are asked for: `channels x size`, of a split, image files brought to size."""

    channels: int
    size: tuple[int, int]
    split: str = "test"
    resize: Resize | None = None


Make = Callable[[str, Wanted], Dataset[Any]]
"""Makes a dataset from what follows the name and its colon, and from what is wanted."""


def _never(spec: str) -> bool:
    return False


@dataclass(frozen=True)
class Source:
    """One kind of data. `written` tells people how; with a colon in it, something must follow.

    `knows` says that a text without the name means such data. `resizes` says that they are image
    files, brought to size as was `Wanted`.
    """

    written: str
    make: Make
    knows: Callable[[str], bool] = _never
    resizes: bool = False


SOURCES: dict[str, Source] = {}
"""All kinds of data that have a name."""


def source(
    name: str, written: str, knows: Callable[[str], bool] = _never, *, resizes: bool = False
) -> Callable[[Make], Make]:
    """Register what makes the data called `name`.

    >>> import torch
    >>> from torch.utils.data import TensorDataset
    >>> from phosphene.data import SOURCES, load_data, source
    >>> @source("blank", "blank:COUNT")
    ... def blank(count, wanted):
    ...     return TensorDataset(torch.zeros(int(count), wanted.channels, *wanted.size))
    >>> len(load_data("blank:3", channels=1, size=(4, 4)))
    3
    >>> del SOURCES["blank"]
    """

    def register(make: Make) -> Make:
        SOURCES[name] = Source(written, make, knows, resizes)
        return make

    return register


def named(spec: str) -> tuple[Source, str] | None:
    """The kind of data that `spec` calls by name or is known as, and what is left to tell it."""
    name, _, rest = spec.partition(":")
    found = SOURCES.get(name)
    if found is not None and (rest or (found.knows is _never and ":" not in found.written)):
        return found, rest
    known = (source for source in SOURCES.values() if spec and source.knows(spec))
    return next(((source, spec) for source in known), None)
