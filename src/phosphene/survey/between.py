"""Correlations between the units of two layers, gathered in the one pass over the data."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.survey.accumulator import Accumulator
from phosphene.survey.moments import unchanging

MOST_BETWEEN = 2**22
"""Of two layers whose units make more pairs none are compared; these take 34 MB."""


@dataclass(frozen=True, eq=False)
class BatchBetween:
    """The moments of one batch: how many pictures, both means, both sums of squares, products."""

    count: int
    means: tuple[Float[Tensor, "units"], Float[Tensor, "others"]]
    squares: tuple[Float[Tensor, "units"], Float[Tensor, "others"]]
    products: Float[Tensor, "units others"]


class Between(Accumulator):
    """Covariances of the responses of two layers' units, picture by picture.

    Layers need not have the same positions, so what is taken in is a unit's response to a
    picture, the largest value over all of them. Batches are merged as in `Moments`.
    """

    gathered = ("count", "mean", "other_mean", "square", "other_square", "products")

    def __init__(self, units: int, others: int) -> None:
        self.count = 0
        self.mean, self.other_mean = _zeros(units), _zeros(others)
        self.square, self.other_square = _zeros(units), _zeros(others)
        self.products = _zeros(units, others)

    @property
    def asked(self) -> dict[str, int]:
        """Of how many units."""
        return {"units": len(self.mean), "others": len(self.other_mean)}

    def add(self, one: Float[Tensor, "b units"], other: Float[Tensor, "b others"]) -> None:
        """Take in the responses to a batch."""
        if len(one):
            means = one.mean(0), other.mean(0)
            first, second = one - means[0], other - means[1]
            squares = first.square().sum(0), second.square().sum(0)
            self._take(BatchBetween(len(one), means, squares, first.T @ second))

    def _join(self, other: Any) -> None:
        if other.count:
            means = other.mean, other.other_mean
            squares = other.square, other.other_square
            self._take(BatchBetween(other.count, means, squares, other.products))

    def _take(self, found: BatchBetween) -> None:
        total = self.count + found.count
        shifts = [
            mean.double().cpu() - held
            for mean, held in zip(found.means, (self.mean, self.other_mean), strict=True)
        ]
        weight = self.count * found.count / total
        self.square += found.squares[0].double().cpu() + shifts[0].square() * weight
        self.other_square += found.squares[1].double().cpu() + shifts[1].square() * weight
        self.products += found.products.double().cpu() + torch.outer(*shifts) * weight
        self.mean += shifts[0] * (found.count / total)
        self.other_mean += shifts[1] * (found.count / total)
        self.count = total

    @property
    def correlation(self) -> Float[Tensor, "units others"]:
        """Pearson's correlation of every pair; NaN where a unit never changes."""
        count = max(1, self.count)
        scales = [
            torch.where(unchanging(mean, deviation), torch.nan, deviation)
            for mean, deviation in (
                (self.mean, (self.square / count).clamp_min(0).sqrt()),
                (self.other_mean, (self.other_square / count).clamp_min(0).sqrt()),
            )
        ]
        return self.products / count / torch.outer(*scales)


def most_correlated(
    correlation: Float[Tensor, "units others"], k: int
) -> list[list[tuple[int, float]]]:
    """For each row the columns that correlate most, above zero, at most k, the strongest first."""
    known = correlation.nan_to_num(-torch.inf)
    best, columns = known.topk(min(k, known.shape[1]), dim=1)
    return [
        [(column, value) for column, value in zip(some, values, strict=True) if value > 0]
        for some, values in zip(columns.tolist(), best.tolist(), strict=True)
    ]


def neighbouring(layers: Sequence[tuple[str, int]]) -> list[tuple[str, str]]:
    """The pairs of layers, one after the other, that are compared, by names and units."""
    return [
        (one, other)
        for (one, units), (other, others) in pairwise(layers)
        if units * others <= MOST_BETWEEN
    ]


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.double)
