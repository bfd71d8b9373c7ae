"""Windows between two layers: what a place of the later one sees of the earlier one's map.

From layer to layer a place sees less than it sees of the picture. Where everything on the way
comes from the earlier layer, cutting that window out of its map gives the same value for a
fraction of the work, and hundreds of variants of it go through the network at once.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.errors import PhospheneError
from phosphene.network.fields.hollow import spreading
from phosphene.network.fields.pieces import Pieces, cut_for
from phosphene.network.fields.poison import COLUMNS, ROWS, Extent
from phosphene.network.fields.receptive import ReceptiveField

Onward = Callable[[Tensor, tuple[int, int]], Tensor]
"""The later layer's values, of values of the earlier one and the size of the picture shown."""

_NUMBERS = 2**22  # that go through at once


@dataclass(frozen=True)
class Between:
    """Where to cut the earlier layer's map for each place of the later one, `pieces`.

    A pass over a picture of `size` (h, w), the smallest that does, goes on from the cut map.
    `linear` is the earliest layer on the way of which the later one is a linear map, if any.
    """

    pieces: Pieces
    size: tuple[int, int]
    linear: str | None = None


def between_for(
    onward: Onward,
    sizes: Iterable[tuple[int, int]],
    values: Float[Tensor, "b c h w"],
    expected: Float[Tensor, "b units h2 w2"],
) -> Between | None:
    """The windows between two layers, or None where only whole maps give the same.

    `values` and `expected` are what the two layers answer to noise. A pass over a black picture
    of one of `sizes`, the smallest first, that goes on from these values must come to the same,
    and so must one that goes on from windows of them.
    """
    for size in sizes:
        begun = _begun(onward, size)
        with suppress(PhospheneError, RuntimeError, ValueError):
            if not _close(begun(values), expected):
                continue
            field = _field(begun, values)
            pieces = None if field is None else cut_for(field)
            if pieces is None or not all(pieces.agree(begun, value) for value in values):
                return None
            return Between(pieces, size)
    return None


def _begun(onward: Onward, size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    return lambda values: onward(values, size)


def _close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return bool((one - other).abs().max() <= 1e-5 * other.abs().max())


def _field(
    onward: Callable[[Tensor], Tensor], values: Float[Tensor, "b c h w"]
) -> ReceptiveField | None:
    """What the places of the later layer see of the earlier one's map, by lines of NaN."""
    clean = torch.zeros_like(values[:1])
    with spreading(hollow=True):
        hollow = not onward(clean).isnan().any()
    if not hollow and onward(clean).isnan().any():
        return None
    extents = {}
    for axis in (ROWS, COLUMNS):
        with spreading(hollow):
            extents[axis] = _extents(onward, clean, axis)
    size = tuple(max(last - first + 1 for first, last in found) for found in extents.values())
    height, width = values.shape[2:]
    return ReceptiveField(
        (size[0], size[1]), extents[ROWS], extents[COLUMNS], (height, width), whole=False
    )


def _extents(
    onward: Callable[[Tensor], Tensor], clean: Float[Tensor, "1 c h w"], axis: int
) -> tuple[Extent, ...]:
    """For each place along `axis` of the later layer the first and last line that it depends on."""
    lines = clean.shape[axis]
    marks: list[Bool[Tensor, "some places"]] = []
    for some in torch.arange(lines).split(max(1, _NUMBERS // clean.numel())):
        poisoned = clean.repeat(len(some), 1, 1, 1)
        for one, line in zip(poisoned, some.tolist(), strict=True):
            one.select(axis - 1, line).fill_(torch.nan)
        marks.append(onward(poisoned).isnan().any(1).any(5 - axis - 1))
    seen = torch.cat(marks).int()
    first, last = seen.argmax(0), lines - 1 - seen.flip(0).argmax(0)
    blind = seen.sum(0) == 0
    first[blind], last[blind] = 0, lines - 1
    return tuple(zip(first.tolist(), last.tolist(), strict=True))
