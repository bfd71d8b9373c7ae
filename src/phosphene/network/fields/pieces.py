"""Pieces of a picture on which a position of a layer answers as it does on the whole picture.

A unit at one position sees its receptive field alone. Where a layer treats all positions alike, a
piece little larger than the field, cut so that strides and borders fall as they do on the whole,
gives the same value and the same gradient for a fraction of the work.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.network.fields.receptive import ReceptiveField

_LARGEST = 0.5  # of the picture; cutting and pasting a larger piece gains little


@dataclass(frozen=True)
class Pieces:
    """Where to cut for each position (y, x) of a layer.

    All pieces have one `size` (h, w). `rows[y]` are the first row of the piece and the row of the
    layer, on the piece, that answers as row y does on the whole; `columns[x]` likewise.
    """

    size: tuple[int, int]
    rows: tuple[tuple[int, int], ...]
    columns: tuple[tuple[int, int], ...]

    def box(self, y: int, x: int) -> tuple[slice, slice]:
        """The rows and columns of the picture that make the piece for position (y, x)."""
        top, left = self.rows[y][0], self.columns[x][0]
        return slice(top, top + self.size[0]), slice(left, left + self.size[1])

    def agree(self, answers: Callable[[Tensor], Tensor], picture: Float[Tensor, "c h w"]) -> bool:
        """Whether first, middle and last positions answer to a picture's pieces as to the whole.

        `answers` gives a layer's values `b units h w` for pictures. Zeros alone prove nothing.
        """
        places = list(product(_ends(self.rows), _ends(self.columns)))
        whole = answers(picture[None])
        parts = answers(torch.stack([picture[:, *self.box(y, x)] for y, x in places]))
        rows, columns = parts.shape[2:]
        inner = [(self.rows[y][1], self.columns[x][1]) for y, x in places]
        if not all(y < rows and x < columns for y, x in inner):
            return False
        expected = torch.stack([whole[0, :, y, x] for y, x in places])
        found = torch.stack([part[:, y, x] for part, (y, x) in zip(parts, inner, strict=True)])
        largest = whole.abs().max()
        return bool(largest > 0 and (found - expected).abs().max() <= 1e-4 * largest)


def pieces_for(
    field: ReceptiveField,
    shape: tuple[int, int, int],
    takes: Callable[[tuple[int, int]], bool],
    answers: Callable[[Tensor], Tensor],
) -> Pieces | None:
    """Pieces that a layer of a network of pictures of `shape` answers to as to the whole, or None.

    The layer `takes` pictures of their size, and its `answers` have been compared.
    """
    pieces = cut_for(field)
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    agreed = pieces is not None and takes(pieces.size) and pieces.agree(answers, noise)
    return pieces if agreed else None


def cut_for(field: ReceptiveField) -> Pieces | None:
    """The smallest pieces for a layer with this field; None where hardly smaller, or not known."""
    if field.bound:
        return None
    height, width = field.picture
    tops = [field.box(y, 0)[0] for y in range(len(field.rows))]
    lefts = [field.box(0, x)[1] for x in range(len(field.columns))]
    tall, rows = _cuts(tops, field.size[0], height)
    wide, columns = _cuts(lefts, field.size[1], width)
    if tall * wide > _LARGEST * height * width:
        return None
    return Pieces((tall, wide), rows, columns)


def _cuts(
    starts: Sequence[int], field: int, picture: int
) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Along one axis: the length of a piece, and for each position its start and position there."""
    steps = {after - before for before, after in pairwise(starts)}
    stride = steps.pop() if len(steps) == 1 else 0  # 0: one position, or uneven ones
    length = field + stride
    if stride > 0:
        length += (picture - length) % stride  # borders and strides meet as they do on the whole
    if stride <= 0 or length >= picture:
        return picture, tuple((0, i) for i in range(len(starts)))
    cuts = [max(0, min(start // stride * stride, picture - length)) for start in starts]
    return length, tuple((cut, i - cut // stride) for i, cut in enumerate(cuts))


def _ends(places: Sequence[object]) -> list[int]:
    return sorted({0, len(places) // 2, len(places) - 1})
