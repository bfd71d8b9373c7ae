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


@dataclass(frozen=True)
class Source:
    """One kind of data. `written` tells people how; with a colon in it, something must follow."""

    written: str
    make: Make


SOURCES: dict[str, Source] = {}
"""All kinds of data that have a name."""


def source(name: str, written: str) -> Callable[[Make], Make]:
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
        SOURCES[name] = Source(written, make)
        return make

    return register


def named(spec: str) -> tuple[Make, str] | None:
    """What makes the data that `spec` calls by name, and what is left to tell it."""
    name, _, rest = spec.partition(":")
    found = SOURCES.get(name)
    if found is None or (not rest and ":" in found.written):
        return None
    return found.make, rest
