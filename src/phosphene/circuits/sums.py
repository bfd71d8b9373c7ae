"""What is added up while edges in general are gathered: scores of all pairs, effects of some."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.circuits.facts import Facts, strongest

TEN = 10
"""So many of the strongest edges are compared between halves of the pictures."""


class Seen(NamedTuple):
    """All pairs of a picture and a target, picture by picture."""

    image: Int[Tensor, "n"]
    target: Int[Tensor, "n"]
    y: Int[Tensor, "n"]
    x: Int[Tensor, "n"]
    strong: Bool[Tensor, "n"]
    half: Int[Tensor, "n"]

    def take(self, which: Tensor | slice) -> "Seen":
        """Some of them."""
        return Seen(*(each[which] for each in self))


class Sums:
    """Sums of scores over pictures, of some targets and all sources."""

    def __init__(self, targets: Int[Tensor, "t"], seen: Seen, sources: int) -> None:
        self.first = int(targets[0])
        shape = (len(targets), sources)
        self.sums = torch.zeros(2, 2, *shape)  # random or strong, half
        self.magnitude, self.positive = torch.zeros(shape), torch.zeros(shape)
        self.count = torch.zeros(2, 2, len(targets))
        own = seen.target - self.first
        for strong in (0, 1):
            for half in (0, 1):
                of = (seen.strong == bool(strong)) & (seen.half == half)
                self.count[strong, half] = own[of].bincount(minlength=len(targets)).float()

    def add(self, rows: Seen, scores: Float[Tensor, "n sources"]) -> None:
        """Take in some scores."""
        target = rows.target - self.first
        for strong in (0, 1):
            for half in (0, 1):
                of = (rows.strong == bool(strong)) & (rows.half == half)
                self.sums[strong, half].index_add_(0, target[of], scores[of])
        self.magnitude.index_add_(0, target, scores.abs())
        self.positive.index_add_(0, target, (scores > 0).float())

    def half(self, half: int) -> Float[Tensor, "t sources"]:
        """The mean over the pictures of one half."""
        return self.sums[:, half].sum(0) / self.count[:, half].sum(0)[:, None]

    def facts(self, kernels: tuple[Tensor, Tensor] | None) -> Facts:
        """What is known of all pairs, targets by sources."""
        t, s = self.magnitude.shape
        all_ = self.count.sum((0, 1))[:, None]
        chunk = slice(self.first, self.first + t)
        nothing = torch.full((t, s), torch.nan)
        return Facts(
            unit=torch.arange(s).expand(t, s),
            score=self.sums.sum((0, 1)) / all_,
            strong=self.sums[1].sum(0) / self.count[1].sum(0)[:, None],
            magnitude=self.magnitude / all_,
            positive=self.positive / all_,
            removed=nothing,
            kept=nothing,
            raised=nothing,
            removed_elsewhere=nothing,
            kernel_sum=nothing if kernels is None else kernels[0][chunk],
            kernel_norm=nothing if kernels is None else kernels[1][chunk],
        )


class Measured:
    """Sums of effects of the pairs that are measured, which stand in the order of their targets."""

    def __init__(self, pairs: Int[Tensor, "p"], sources: int, targets: int) -> None:
        self.pairs, self.sources = pairs, sources
        self.source, target = pairs % sources, pairs // sources
        self.counts = target.bincount(minlength=targets)
        self.starts = self.counts.cumsum(0) - self.counts
        self.sums = torch.zeros(4, len(pairs))
        self.count = torch.zeros(2, len(pairs))

    def of(self, targets: Int[Tensor, "n"]) -> tuple[Int[Tensor, "m"], Int[Tensor, "m"]]:
        """For all pairs of n targets the number of the target among n, and that of the pair."""
        counts = self.counts[targets]
        row = torch.arange(len(targets)).repeat_interleave(counts)
        within = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row]
        return row, self.starts[targets][row] + within

    def add(
        self, pair: Tensor, removed: Tensor, kept: Tensor | None, raised: Tensor | None
    ) -> None:
        """Take in effects; on random pictures there is `removed` alone."""
        strong = kept is not None
        self.count[int(strong)].index_add_(0, pair, torch.ones(len(pair)))
        self.sums[0 if strong else 3].index_add_(0, pair, removed)
        if kept is not None:
            self.sums[1].index_add_(0, pair, kept)
        if raised is not None:
            self.sums[2].index_add_(0, pair, raised)

    def into(self, facts: Facts, target: Tensor, source: Tensor) -> Facts:
        """The facts with what was measured of them."""
        here = facts.unit >= 0
        key = torch.where(here, target * self.sources + source, 0)
        at = torch.searchsorted(self.pairs, key).clamp(max=max(0, len(self.pairs) - 1))

        def mean(which: int) -> Tensor:
            found = self.sums[which] / self.count[int(which < 3)]
            return torch.where(here, found[at], torch.nan)

        return facts.measured(*map(mean, range(4)))


def all_pairs(made_of: Facts, part_of: Facts, sources: int) -> Int[Tensor, "p"]:
    """Numbers of all pairs to be measured, target by target."""
    down = torch.arange(len(made_of.unit))[:, None] * sources + made_of.unit
    up = part_of.unit * sources + torch.arange(sources)[:, None]
    both = torch.cat([down[made_of.unit >= 0], up[part_of.unit >= 0]])
    return torch.tensor(sorted(set(both.tolist())), dtype=torch.long)


def in_both_halves(sums: Sums) -> Float[Tensor, "t"]:
    """Jaccard of the ten strongest sources in both halves; of few sources, half of them."""
    sources = sums.magnitude.shape[1]
    count = min(TEN, sources // 2)
    if count == 0 or not bool(sums.count.sum(0).min() > 0):
        return torch.full((len(sums.magnitude),), torch.nan)
    one, other = (
        torch.zeros(sums.magnitude.shape).scatter(1, strongest(sums.half(h), count), 1.0)
        for h in (0, 1)
    )
    common: Tensor = (one * other).sum(1)
    return common / torch.maximum(one, other).sum(1)
