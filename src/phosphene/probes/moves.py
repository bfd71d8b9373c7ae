"""Moves of pictures: shifts, turns and sizes, one by one and in families."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import InputError
from phosphene.transforms import warp

Fill = float | Literal["border"]
"""What comes from outside a picture: a level in [0, 1], or its nearest pixel."""


@dataclass(frozen=True)
class Move:
    """One change of a picture: enlarge, turn (counter-clockwise, degrees), then shift (pixels).

    Whole-pixel shifts by themselves move pixels and compute none; all else is resampled.
    """

    down: float = 0.0
    right: float = 0.0
    angle: float = 0.0
    scale: float = 1.0

    def __call__(
        self, pictures: Float[Tensor, "b c h w"], fill: Fill = 0.0
    ) -> Float[Tensor, "b c h w"]:
        """The pictures, moved.

        >>> Move(right=1)(torch.tensor([[[[0.1, 0.2, 0.3]]]]), fill=1.0)
        tensor([[[[1.0000, 0.1000, 0.2000]]]])
        """
        whole = float(self.down).is_integer() and float(self.right).is_integer()
        if whole and (self.angle, self.scale) == (0, 1):
            return _shifted(pictures, int(self.down), int(self.right), fill)
        if fill == "border":
            return self._warped(pictures, "border")
        covered = self._warped(torch.ones_like(pictures), "zeros")
        return self._warped(pictures, "zeros") + fill * (1 - covered)

    def _warped(self, pictures: Tensor, fill: str) -> Tensor:
        each = pictures.new_ones(len(pictures))
        shift = pictures.new_tensor([self.down, self.right]).expand(len(pictures), 2)
        return warp(pictures, shift, self.angle * each, self.scale * each, fill)


def _shifted(pictures: Tensor, down: int, right: int, fill: Fill) -> Tensor:
    height, width = pictures.shape[2:]
    rows = torch.arange(height, device=pictures.device) - down
    columns = torch.arange(width, device=pictures.device) - right
    y, x = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    moved = pictures[:, :, y[:, None], x]
    if fill == "border":
        return moved
    return torch.where((rows == y)[:, None] & (columns == x), moved, fill)


@dataclass(frozen=True)
class Family:
    """Moves of one kind, from none at all to the largest.

    `extents` says how far each move goes, in `unit`. The moves form an array of `shape`: rows are
    shifts down and columns shifts to the right, or a single row.
    """

    name: str
    unit: str
    moves: tuple[Move, ...]
    extents: tuple[float, ...]
    shape: tuple[int, ...]

    @property
    def levels(self) -> tuple[float, ...]:
        """The different extents, in rising order."""
        return tuple(sorted(set(self.extents)))

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"family": self.name, "unit": self.unit, "extents": list(self.extents)}


def shifts(radius: int) -> Family:
    """All shifts by whole pixels of up to `radius` down, up, right and left.

    The extent is the larger of the two distances (Chebyshev's).

    >>> shifts(1).shape, shifts(1).extents[:5]
    ((3, 3), (1.0, 1.0, 1.0, 1.0, 0.0))
    """
    _refuse_unless(radius >= 0, f"radius {radius}", "at least 0 pixels")
    reach = range(-radius, radius + 1)
    moves = tuple(Move(down=y, right=x) for y in reach for x in reach)
    extents = tuple(float(max(abs(m.down), abs(m.right))) for m in moves)
    return Family("shift", "pixels", moves, extents, (len(reach), len(reach)))


def rotations(degrees: Iterable[float]) -> Family:
    """Turns about the centre, counter-clockwise; the extent is the angle either way."""
    moves = tuple(Move(angle=float(angle)) for angle in degrees)
    _refuse_unless(len(moves) > 0, "no angle", "at least one")
    return Family("rotation", "degrees", moves, tuple(abs(m.angle) for m in moves), (len(moves),))


def scalings(factors: Iterable[float]) -> Family:
    """Changes of size about the centre; the extent of a factor f is max(f, 1/f)."""
    moves = tuple(Move(scale=float(factor)) for factor in factors)
    _refuse_unless(
        all(m.scale > 0 for m in moves) and moves, "these factors", "one or more above 0"
    )
    return Family(
        "scale", "factor", moves, tuple(max(m.scale, 1 / m.scale) for m in moves), (len(moves),)
    )


def _refuse_unless(fine: object, given: str, expected: str) -> None:
    if not fine:
        raise InputError(f"{given} cannot make a family of moves; expected {expected}")
