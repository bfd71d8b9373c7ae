"""The 1,797 real handwritten digits that scikit-learn carries inside itself."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from phosphene.data.dataset import ArrayDataset, ImageDataset
from phosphene.data.fitted import Fitted
from phosphene.data.sources import Wanted, source
from phosphene.errors import DataError, nearest

SPLITS = ("train", "test", "all")
LEVELS = 16
"""Ink in the originals runs from 0 (paper) to 16."""

_FILE = "datasets/data/digits.csv.gz"
_TESTED = (
    "000004883524104000064100934205001a00080100240028062c12001000940a009019120420f8a0028110a000"
    "080a8820441524494240a00a0000004004d80000818020004805c400104008a0100005404800301000020ec409"
    "000224840083a8013c20a6980a0000000b08400804a0184802024041c1008004404684376a8102160044800040"
    "42a0a4180a5000840b8561c608108008004c80c02004068e00010882008100380803c008190000100e01008410"
    "a0210033282904c044c080680e0102830082008822a6402c24042108a860809081a00c02820242120138a41500"
)
"""Which are "test", a bit each: a fifth of every class, as scikit-learn splits from its seed 0."""


def digits(split: str = "train", size: tuple[int, int] = (28, 28)) -> ArrayDataset:
    """Handwritten digits, white on black, `n 1 h w`, enlarged from 8x8 by bicubic interpolation.

    `split` is "train" (1,437), "test" (360) or "all" (1,797). The split is stratified and always
    the same; it is random over pictures, so a writer's digits may lie on both sides. Raises
    `DataError` for another split.

    *Source:* E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI (1998), the
    part of it that scikit-learn ships as `load_digits`.

    >>> data = digits("test")
    >>> len(data), tuple(data[0].picture.shape), data.classes[3]
    (360, (1, 28, 28), '3')
    """
    if split not in SPLITS:
        raise DataError(f"no split {split!r} of the digits; {nearest(split, SPLITS)}")
    ink, labels = _originals()
    chosen = _indices(split, len(labels))
    height, width = size
    resized = "" if size == (8, 8) else f", resized from 8x8 to {height}x{width}"
    return ArrayDataset(
        _enlarged(ink[chosen, None] / LEVELS, size),
        labels[chosen],
        name=f"digits {split}",
        classes=[str(digit) for digit in range(10)],
        note=f"{len(chosen):,} of scikit-learn's 1,797 real handwritten digits{resized}",
    )


@source("digits", "digits")
def _asked(split: str, wanted: Wanted) -> ImageDataset:
    return Fitted.of(digits(split or wanted.split, wanted.size), wanted.channels, wanted.size)


@cache
def _originals() -> tuple[torch.Tensor, torch.Tensor]:
    """All of them, `n 8 8` in float64, and what they are.

    Read past scikit-learn, which takes as long to import as torch.
    """
    found = find_spec("sklearn")
    assert found is not None
    assert found.origin is not None
    rows = np.loadtxt(Path(found.origin).parent / _FILE, delimiter=",")
    every = torch.from_numpy(rows)
    return every[:, :-1].reshape(-1, 8, 8), every[:, -1].to(torch.int64)


def _indices(split: str, count: int) -> torch.Tensor:
    if split == "all":
        return torch.arange(count)
    tested = np.unpackbits(np.frombuffer(bytes.fromhex(_TESTED), np.uint8), count=count)
    return torch.from_numpy(np.flatnonzero(tested == (split == "test")))


def _enlarged(ink: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    # In float64, so that rounding to grey levels falls alike on every machine.
    smooth = F.interpolate(ink, size, mode="bicubic", align_corners=False, antialias=True)
    return (smooth.clamp(0, 1) * 255).round().to(torch.uint8)
