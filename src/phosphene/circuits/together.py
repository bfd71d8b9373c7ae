"""Many targets of one layer at once, each on a picture of its own: scored and measured.

Three ways lead to the same numbers, and the cheapest that trial allows is taken: by windows of the
source's map, by its whole maps, and by whole passes where a connection leads around the source.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.circuits.baseline import Baseline
from phosphene.circuits.edge import spread
from phosphene.circuits.measuring import Stretch, Whole, Windowed
from phosphene.circuits.target import Case, Target
from phosphene.network import Between, Network
from phosphene.network.discovery.trial import trial_pictures
from phosphene.network.feed import ANY
from phosphene.network.fields.rows import row_at
from phosphene.network.layouts import along_units
from phosphene.objectives import Neuron, unit_maps

_NUMBERS = 2**21  # of the source's values that a gradient goes through at once
_PASSES = 32  # whole passes at once
_MASKS = 2**13  # pairs at once

Masked = Callable[[Int[Tensor, "m"]], Bool[Tensor, "m sources"]]
"""The masks of some pairs."""


class Shown(NamedTuple):
    """Pictures, and what the source answers to them."""

    pictures: Float[Tensor, "b c h w"]
    values: Float[Tensor, "b ..."]


class Rows(NamedTuple):
    """n targets: on which picture of those shown, which unit, and where in its map."""

    picture: Int[Tensor, "n"]
    unit: Int[Tensor, "n"]
    y: Int[Tensor, "n"]
    x: Int[Tensor, "n"]

    def take(self, which: Tensor | slice) -> "Rows":
        """Some of them."""
        return Rows(*(each[which] for each in self))

    def neurons(self, layer: str) -> Neuron:
        """The targets as an objective, one for each picture of n."""
        return Neuron(layer, *(tuple(each.tolist()) for each in (self.unit, self.y, self.x)))


class Pairs(NamedTuple):
    """m pairs of a target, by its row, with what is done to the source."""

    shown: Shown
    rows: Rows
    row: Int[Tensor, "m"]


class Effects(NamedTuple):
    """Of m pairs of a target and a source unit: as in `Edges`; None where not asked for."""

    removed: Float[Tensor, "m"]
    kept: Float[Tensor, "m"] | None
    raised: Float[Tensor, "m"] | None

    def cpu(self) -> "Effects":
        """The same in the processor's memory."""
        kept, raised = (None if each is None else each.cpu() for each in self[1:])
        return Effects(self.removed.cpu(), kept, raised)


class Way(ABC):
    """How targets of one layer are reached from the units of another."""

    def __init__(self, network: Network, source: str, target: str, baseline: Baseline) -> None:
        self.network, self.source, self.target = network, source, target
        self.baseline = baseline

    @property
    def together(self) -> int:
        """So many targets at most go through at once."""
        return max(1, _NUMBERS // prod(self.network.layer(self.source).shape))

    def scores(self, shown: Shown, rows: Rows) -> Float[Tensor, "n sources"]:
        """What each unit of the source adds to each target: Σ_p (a(p) - m) ∂t/∂a(p)."""
        parts = torch.arange(len(rows.unit)).split(self.together)
        return torch.cat([self._scores(shown, rows.take(some)) for some in parts])

    @abstractmethod
    def _scores(self, shown: Shown, rows: Rows) -> Float[Tensor, "n sources"]:
        """The same, of few enough targets."""

    @abstractmethod
    def effects(
        self, shown: Shown, rows: Rows, row: Int[Tensor, "m"], unit: Int[Tensor, "m"], all_: bool
    ) -> Effects:
        """What removing each of m units of the source does to a target, by its row.

        With `all_`, what keeping it alone and raising it does too.
        """

    def _linear(self, slopes: Tensor, values: Tensor) -> Float[Tensor, "n sources"]:
        m = along_units(self.baseline.values.to(values)[None], values)
        return unit_maps((values - m) * slopes).sum(2)

    def _one(self, unit: Int[Tensor, "m"]) -> Bool[Tensor, "m sources"]:
        """Masks of one unit each."""
        units = len(self.baseline.values)
        return F.one_hot(unit.to(self.network.device), units).bool()

    def _by(self, stretch: Stretch, row: Tensor, unit: Tensor, all_: bool) -> Effects:
        """The effects, by what goes through the network for each target alone."""
        first, where = row.unique(return_inverse=True)
        none = torch.zeros_like(self._one(torch.zeros_like(first)))

        def under(others: bool = False, high: bool = False) -> Tensor:
            parts = zip(row.split(_MASKS), unit.split(_MASKS), strict=True)
            return torch.cat(
                [stretch.under(some, self._one(one) ^ others, high) for some, one in parts]
            )

        whole = stretch.under(first, none)[where]
        removed, kept, raised = whole - under(), None, None
        if all_:
            kept = under(others=True) - stretch.under(first, ~none)[where]
            if self.baseline.high is not None:
                raised = under(high=True) - whole
        return Effects(removed, kept, raised)


class ByWindow(Way):
    """By the window of the source's map that a target sees."""

    def __init__(
        self, network: Network, source: str, target: str, baseline: Baseline, between: Between
    ) -> None:
        super().__init__(network, source, target, baseline)
        self.between = between

    @property
    def together(self) -> int:
        """So many targets at most go through at once."""
        return max(1, _NUMBERS // (len(self.baseline.values) * prod(self.between.pieces.size)))

    def _scores(self, shown: Shown, rows: Rows) -> Tensor:
        stretch = self._windows(shown, rows)
        return self._linear(stretch.slopes, stretch.windows)

    def effects(self, shown: Shown, rows: Rows, row: Tensor, unit: Tensor, all_: bool) -> Effects:
        """By variants of the window."""
        return self._by(self._windows(shown, rows), row, unit, all_)

    def _windows(self, shown: Shown, rows: Rows) -> Windowed:
        return Windowed(
            self.network,
            self.source,
            self.baseline,
            rows.neurons(self.target),
            between=self.between,
            values=[shown.values[picture] for picture in rows.picture.tolist()],
        )


class ByMap(Way):
    """By the source's whole maps, where no connection leads around it.

    A variant of a picture's maps tells of all targets on that picture.
    """

    def _scores(self, shown: Shown, rows: Rows) -> Tensor:
        values = shown.values[rows.picture]
        size = (shown.pictures.shape[2], shown.pictures.shape[3])

        def leads(_: str, some: Tensor) -> Tensor:
            return self._at(self._onward(some, size), rows)

        return self._linear(row_at(leads, self.source, values).weights, values)

    def effects(self, shown: Shown, rows: Rows, row: Tensor, unit: Tensor, all_: bool) -> Effects:
        """By variants of the maps, each once for all targets on its picture."""
        answers, picture = partial(self._answers, Pairs(shown, rows, row)), rows.picture[row]
        each = picture * len(self.baseline.values) + unit

        def one(which: Tensor) -> Tensor:
            return self._one(unit[which])

        def none(which: Tensor) -> Tensor:
            return torch.zeros_like(one(which))

        whole = answers(picture, none)
        removed, kept, raised = whole - answers(each, one), None, None
        if all_:
            kept = answers(each, lambda w: ~one(w)) - answers(picture, lambda w: ~none(w))
            if self.baseline.high is not None:
                raised = answers(each, one, high=True) - whole
        return Effects(removed, kept, raised)

    @torch.no_grad()
    def _answers(
        self, pairs: Pairs, key: Int[Tensor, "m"], masks: Masked, high: bool = False
    ) -> Float[Tensor, "m"]:
        """Targets under their masks; pairs of one `key` have one picture and one mask."""
        levels = self.baseline.high if high else self.baseline.values
        assert levels is not None, "asked for by `effects`"
        shown, rows, row = pairs
        order = key.argsort(stable=True)
        _, counts = key[order].unique_consecutive(return_counts=True)
        ends = counts.cumsum(0)
        found = torch.empty(len(key))
        size = (shown.pictures.shape[2], shown.pictures.shape[3])
        for some in torch.arange(len(ends)).split(self.together):
            start = int(ends[some[0]] - counts[some[0]])
            own = order[start : int(ends[some[-1]])]
            first = order[(ends - counts)[some]]
            values = shown.values[rows.picture[row[first]]]
            given = along_units(levels.to(values)[None], values)
            variants = torch.where(along_units(masks(first), values), given, values)
            which = torch.arange(len(some)).repeat_interleave(counts[some])
            at = rows.take(row[own])._replace(picture=which)
            recorded = self._onward(variants, size)
            found[own] = self._at(recorded, at, which).to(found)
        return found

    def _onward(self, values: Tensor, size: tuple[int, int]) -> Tensor:
        return self.network.onward(self.source, values, [self.target], size)[self.target]

    def _at(self, values: Tensor, rows: Rows, which: Tensor | None = None) -> Float[Tensor, "n"]:
        """What the targets answer, of the layer's values."""
        maps = unit_maps(values)
        place = rows.y * (values.shape[3] if values.ndim == 4 else maps.shape[2]) + rows.x
        picked = torch.arange(len(rows.unit)) if which is None else which
        return maps[picked, rows.unit, place]


class ByPass(Way):
    """By whole passes: of any layers of any network."""

    @property
    def together(self) -> int:
        """So many targets at most go through at once."""
        return _PASSES

    def _scores(self, shown: Shown, rows: Rows) -> Tensor:
        return spread(self._case(shown, rows), self.source, self.baseline)[0].score

    def effects(self, shown: Shown, rows: Rows, row: Tensor, unit: Tensor, all_: bool) -> Effects:
        """By the network on variants of pictures."""
        parts = []
        for some in torch.arange(len(rows.unit)).split(self.together):
            inside = (row >= some[0]) & (row <= some[-1])
            edges, _ = spread(self._case(shown, rows.take(some)), self.source, self.baseline)
            parts.append(self._by(Whole(edges), row[inside] - some[0], unit[inside], all_))
        return Effects(*(_joined([part[i] for part in parts]) for i in range(3)))  # type: ignore[arg-type]

    def _case(self, shown: Shown, rows: Rows) -> Case:
        pictures = shown.pictures[rows.picture]
        return Case(self.network, pictures, Target(rows.neurons(self.target)))


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    return None if parts[0] is None else torch.cat([part for part in parts if part is not None])


def way_to(
    network: Network, source: str, target: str, baseline: Baseline, size: tuple[int, int]
) -> Way:
    """The cheapest way from a source to a target, on pictures of this size, that trial allows."""
    if size == network.input.size:
        between = network.between(source, target)
        if between is not None:
            return ByWindow(network, source, target, baseline, between)
    kind = ByMap if _goes_on(network, source, target) else ByPass
    return kind(network, source, target, baseline)


@torch.no_grad()
def _goes_on(network: Network, source: str, target: str) -> bool:
    """Whether the target answers to the source's values as it does to the pictures."""
    if network.feed != ANY:
        return False
    pictures = trial_pictures(network.input.shape)[:2].to(network.device)
    with suppress(Exception):  # whatever the rest raises where values do not fit
        recorded = network.record(pictures, [source, target])
        found = network.onward(source, recorded[source], [target])[target]
        near = 1e-5 * float(recorded[target].abs().max())
        return torch.allclose(found, recorded[target], rtol=0, atol=near)
    return False
