"""Means, deviations and correlations of all units of a layer, in one pass."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.errors import DataError
from phosphene.objectives import unit_maps
from phosphene.survey.accumulator import Accumulator

MOST_COMPARED = 4096
"""Of a layer with more units no two are compared; these take 134 MB, and it grows as the square."""

_STRIP = 64
"""Units multiplied at a time, but not less than a quarter of all."""


@dataclass(frozen=True, eq=False)
class BatchMoments:
    """The moments of one batch: how many rows, their mean, and M₂ or its diagonal."""

    count: int
    mean: Float[Tensor, "units"]
    scatter: Tensor


class Moments(Accumulator):
    """Count, mean and covariance of a layer's values over pictures and positions.

    Batches are merged by the pairwise update M₂ ← M₂ᵃ + M₂ᵇ + δδᵀ·nₐn_b/n, in double precision.
    `scatter` is M₂, of more than `MOST_COMPARED` units its diagonal alone.

    *Source:* Chan, Golub & LeVeque 1979, "Updating formulae and a pairwise algorithm".
    """

    gathered = ("count", "mean", "scatter")

    def __init__(self, units: int) -> None:
        self.count = 0
        self.mean = torch.zeros(units, dtype=torch.double)
        self.compared = units <= MOST_COMPARED
        shape = (units, units) if self.compared else (units,)
        self.scatter = torch.zeros(shape, dtype=torch.double)

    @property
    def asked(self) -> dict[str, int]:
        """Of how many units."""
        return {"units": len(self.mean)}

    def add(self, values: Tensor) -> None:
        """Take in the values of a batch, `b c h w`, `b t d` or `b d`."""
        if len(values):
            self.take(self.look(values))

    def look(self, values: Tensor) -> "BatchMoments":
        """The moments of a batch alone, which changes nothing here."""
        # Rows are positions, units beside each other: as maps lie that have their channels last.
        rows = unit_maps(values).transpose(1, 2).flatten(0, 1).float()
        mean = rows.mean(0)
        centred = rows - mean
        scatter = _products(centred) if self.compared else centred.square().sum(0)
        return BatchMoments(len(rows), mean, scatter)

    def take(self, other: "BatchMoments | Moments") -> None:
        """Take in other moments."""
        shift = other.mean.double().cpu() - self.mean
        total = self.count + other.count
        shifted = torch.outer(shift, shift) if self.compared else shift.square()
        self.scatter += other.scatter.double().cpu() + shifted * (self.count * other.count / total)
        self.mean += shift * (other.count / total)
        self.count = total

    def _join(self, other: Any) -> None:
        if other.count:
            self.take(other)

    @property
    def deviation(self) -> Float[Tensor, "units"]:
        """The standard deviation of each unit."""
        squares = self.scatter.diagonal() if self.compared else self.scatter
        return (squares / max(1, self.count)).clamp_min(0).sqrt()

    @property
    def correlation(self) -> Float[Tensor, "units units"]:
        """Pearson's correlation of every pair; NaN where a unit never changes.

        Raises:
            DataError: there are more than `MOST_COMPARED` units.
        """
        if not self.compared:
            raise DataError(
                f"{len(self.mean):,} units are not compared with each other, {MOST_COMPARED:,} at "
                "most; choose a layer with fewer"
            )
        deviation = self.deviation
        scale = torch.where(unchanging(self.mean, deviation), torch.nan, deviation)
        return self.scatter / max(1, self.count) / torch.outer(scale, scale)

    def twins(self, threshold: float = 0.95) -> list[tuple[int, float] | None]:
        """For each unit the one it correlates with most, and how much, if above `threshold`.

        Raises:
            DataError: there are more than `MOST_COMPARED` units.
        """
        correlation = self.correlation.nan_to_num(-torch.inf)
        correlation.fill_diagonal_(-torch.inf)
        best, partner = correlation.max(1)
        return [
            (int(p), float(b)) if b > threshold else None
            for b, p in zip(best, partner, strict=True)
        ]


def unchanging(
    mean: Float[Tensor, "units"], deviation: Float[Tensor, "units"]
) -> Bool[Tensor, "units"]:
    """Which units are constant: their deviation is no more than rounding beside their mean."""
    return deviation <= 1e-6 * mean.abs() + 1e-12


def _products(rows: Float[Tensor, "n units"]) -> Float[Tensor, "units units"]:
    """rowsᵀ rows in strips up to the diagonal, mirrored: five eighths of the work, or more."""
    units = rows.shape[1]
    found = rows.new_zeros(units, units)
    tall = max(_STRIP, -(-units // 4))
    for start in range(0, units, tall):
        strip = rows[:, start : start + tall]
        found[start : start + tall, : start + tall] = strip.T @ rows[:, : start + tall]
    return found.tril() + found.tril(-1).T
