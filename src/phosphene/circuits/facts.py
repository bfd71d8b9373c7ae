"""What is known of edges in general: columns of figures, a row for each unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import isnan
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Facts:
    """For each of n units its k strongest edges to units of one other layer, strongest first.

    Means over pictures; NaN where it was not measured, or where there are fewer than k edges.

    Args:
        unit: the units at the other end; -1 where there are no more.
        score: as in `Edges`, over the target's strongest pictures and random ones.
        strong: the score on the strongest pictures alone.
        magnitude: of the score, over all these pictures.
        positive: the share of all these pictures on which the score is above zero.
        removed, kept, raised: as in `Edges`, on the target's strongest pictures.
        removed_elsewhere: `removed` on random pictures.
        kernel_sum, kernel_norm: of the weights w[target, source]; NaN unless the two layers are
            adjacent.
    """

    unit: Int[Tensor, "n k"]
    score: Float[Tensor, "n k"]
    strong: Float[Tensor, "n k"]
    magnitude: Float[Tensor, "n k"]
    positive: Float[Tensor, "n k"]
    removed: Float[Tensor, "n k"]
    kept: Float[Tensor, "n k"]
    raised: Float[Tensor, "n k"]
    removed_elsewhere: Float[Tensor, "n k"]
    kernel_sum: Float[Tensor, "n k"]
    kernel_norm: Float[Tensor, "n k"]

    @classmethod
    def none(cls, units: int) -> "Facts":
        """Of so many units, of each of which no edge is known."""
        empty = torch.zeros(units, 0)
        return cls(empty.long(), *[empty] * (len(COLUMNS) - 1))

    @classmethod
    def stacked(cls, parts: "Sequence[Facts]") -> "Facts":
        """Those of some units, and below them those of others."""
        return cls(*(torch.cat(each) for each in zip(*map(_columns, parts), strict=True)))

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Facts":
        """What `to_json` told."""

        def numbers(rows: Sequence[Sequence[float | None]]) -> Tensor:
            return torch.tensor([[torch.nan if v is None else v for v in row] for row in rows])

        unit = torch.tensor(told["unit"], dtype=torch.long)
        return cls(unit, *(numbers(told[name]).view(unit.shape) for name in COLUMNS[1:]))

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: None for NaN."""

        def plain(values: Tensor) -> list[list[float | None]]:
            rows = values.tolist()
            return [[None if isnan(v) else v for v in row] for row in rows]

        columns = dict(zip(COLUMNS, _columns(self), strict=True))
        return {name: plain(values) for name, values in columns.items()}

    def top(self, which: Int[Tensor, "n k"]) -> "Facts":
        """Some edges of each unit."""
        return Facts(*(each.gather(1, which) for each in _columns(self)))

    def turned(self, targets: Int[Tensor, "t"]) -> "Facts":
        """What is known of all pairs of targets and sources, a row for each source."""
        turned = Facts(*(each.T for each in _columns(self)))
        return replace(turned, unit=targets.expand(turned.unit.shape))

    def joined(self, other: "Facts", k: int) -> "Facts":
        """The k strongest edges of both."""
        both = zip(_columns(self), _columns(other), strict=True)
        together = Facts(*(torch.cat(each, dim=1) for each in both))
        return together.top(strongest(together.score, k))

    def measured(
        self, removed: Tensor, kept: Tensor, raised: Tensor, removed_elsewhere: Tensor
    ) -> "Facts":
        """The same edges with what was measured of them."""
        return replace(
            self, removed=removed, kept=kept, raised=raised, removed_elsewhere=removed_elsewhere
        )

    def named(self, units: Int[Tensor, "t"]) -> "Facts":
        """The same edges, of units by their numbers in the layer."""
        return replace(self, unit=torch.where(self.unit < 0, -1, units[self.unit]))


COLUMNS = tuple(column.name for column in fields(Facts))


def _columns(facts: Facts) -> tuple[Tensor, ...]:
    return tuple(getattr(facts, name) for name in COLUMNS)


def strongest(scores: Float[Tensor, "n m"], k: int) -> Int[Tensor, "n k"]:
    """Where the k largest scores of each row are, above or below zero; of equals the earlier."""
    return scores.abs().argsort(dim=1, descending=True, stable=True)[:, :k]


def pearson(one: Float[Tensor, "n m"], other: Float[Tensor, "n m"]) -> Float[Tensor, "n"]:
    """The correlation in each row; NaN where one of the two does not vary."""
    one, other = one.double(), other.double()
    one, other = one - one.mean(1, keepdim=True), other - other.mean(1, keepdim=True)
    size = one.norm(dim=1) * other.norm(dim=1)
    return torch.where(size > 0, (one * other).sum(1) / size, torch.nan).float()
