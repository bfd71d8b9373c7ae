"""Edges checked by running them: units removed, kept alone, raised, and removed in pairs."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from math import prod

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.circuits.baseline import Baseline
from phosphene.circuits.edge import Edges
from phosphene.errors import InputError
from phosphene.network import Between, Intervention, Network
from phosphene.network.fields.rows import Row, row_at
from phosphene.objectives import Neuron, PerImage

EFFECTS = ("remove", "keep", "raise")
"""What can be measured of an edge. One number is always fooled, so these are three."""

Masks = Bool[Tensor, "b variants units"]

_NUMBERS = 2**22  # of the source's values, in all variants that go through at once


def measure(
    edges: Edges,
    k: int | None = 32,
    what: Collection[str] | None = None,
    *,
    units: Int[Tensor, "b k"] | None = None,
    windows: bool = True,
) -> Edges:
    """The same edges with the effects of the k units of each picture that score strongest.

    Args:
        edges: what `edges` found.
        k: how many units, by the magnitude of their score; None for all.
        what: some of `EFFECTS`; all of them unless given, but raising only where the baseline
            knows what is high.
        units: which units of each picture, instead of the strongest.
        windows: work on the window of the source's map that the target sees, where trial shows
            that this is the same; else on whole maps.

    Raises:
        InputError: an effect of another name; raising without a high value for each unit.
    """
    high = edges.baseline.high is not None
    what = EFFECTS if what is None and high else ("remove", "keep") if what is None else what
    if unknown := set(what) - set(EFFECTS):
        raise InputError(f"{sorted(unknown)} were to be measured; there are {', '.join(EFFECTS)}")
    if "raise" in what and not high:
        raise InputError(
            "units were to be raised, and it is not known what is high for them; give edges data=, "
            "pictures to take it from, or high=, a value for each unit"
        )
    run = stretch(edges, windows)
    chosen = edges.strongest(k) if units is None else units
    one = F.one_hot(chosen, edges.score.shape[1]).bool()
    none, all_ = torch.zeros_like(one[:, :1]), torch.ones_like(one[:, :1])
    removed = kept = raised = None
    if "remove" in what:
        t = run(torch.cat([none, one], 1))
        removed = t[:, :1] - t[:, 1:]
    if "keep" in what:
        t = run(torch.cat([all_, ~one], 1))
        kept = t[:, 1:] - t[:, :1]
    if "raise" in what:
        t = run(torch.cat([none, one], 1), high=True)
        raised = t[:, 1:] - t[:, :1]
    return replace(edges, measured=chosen, removed=removed, kept=kept, raised=raised)


def interactions(edges: Edges, k: int = 8, *, windows: bool = True) -> Float[Tensor, "b k k"]:
    """remove_ij - remove_i - remove_j for the k strongest units of each picture, in their order.

    Above zero the two are redundant: each stands in for the other. Below zero they are joint:
    without one the other adds nothing. Zero where they act by themselves, and on the diagonal.
    """
    chosen = edges.strongest(k)
    one = F.one_hot(chosen, edges.score.shape[1]).bool()
    count = chosen.shape[1]
    i, j = torch.triu_indices(count, count, 1)
    variants = [torch.zeros_like(one[:, :1]), one, one[:, i] | one[:, j]]
    t = stretch(edges, windows)(torch.cat(variants, 1))
    removed = t[:, :1] - t[:, 1:]
    alone, both = removed[:, :count], removed[:, count:]
    found = torch.zeros(len(chosen), count, count).to(t)
    found[:, i, j] = found[:, j, i] = both - alone[:, i] - alone[:, j]
    return found


class Stretch(ABC):
    """The network from the source of some edges on, to their target."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline

    def __call__(self, masks: Masks, high: bool = False) -> Float[Tensor, "b variants"]:
        """The target on each picture under each of its masks.

        The units of a mask have their baseline, or else what is high for them.
        """
        images = torch.arange(len(masks)).repeat_interleave(masks.shape[1])
        return self.under(images, masks.flatten(0, 1), high).view(masks.shape[:2])

    @torch.no_grad()
    def under(
        self, images: Int[Tensor, "n"], masks: Bool[Tensor, "n units"], high: bool = False
    ) -> Float[Tensor, "n"]:
        """The target on n pictures, by their numbers, each under one mask."""
        levels = self.baseline.high if high else self.baseline.values
        assert levels is not None, "asked for by `measure`"
        together = max(1, _NUMBERS // self.size)
        parts = zip(images.split(together), masks.split(together), strict=True)
        return torch.cat([self.targets(some, under, levels) for some, under in parts])

    @property
    @abstractmethod
    def size(self) -> int:
        """How many values of the source one variant has."""

    @abstractmethod
    def targets(
        self, images: Int[Tensor, "n"], masks: Bool[Tensor, "n units"], levels: Tensor
    ) -> Float[Tensor, "n"]:
        """The target on n pictures, by their numbers, each under its mask, together."""


class Whole(Stretch):
    """By whole maps, in any network, of any objective."""

    def __init__(self, edges: Edges) -> None:
        super().__init__(edges.baseline)
        self.edges = edges
        self._interventions: dict[int, Intervention] = {}

    @property
    def size(self) -> int:
        """All that the source answers to a picture."""
        return prod(self.edges.network.layer(self.edges.source).shape)

    def targets(self, images: Tensor, masks: Tensor, levels: Tensor) -> Tensor:
        """The objective of as many copies of each picture."""
        run, term, found = self._with(levels), self.edges.term, []
        for image in images.unique_consecutive().tolist():
            under, picture = masks[images == image], self.edges.pictures[image : image + 1]
            recording = run.record(picture, under, term.layers)
            found.append(term.take([image] * len(under))(recording))
        return torch.cat(found)

    def _with(self, levels: Tensor) -> Intervention:
        """The intervention with these values; made once, since each makes a trial of its own."""
        if id(levels) not in self._interventions:
            made = Intervention(self.edges.network, self.edges.source, levels)
            self._interventions[id(levels)] = made
        return self._interventions[id(levels)]


class Windowed(Stretch):
    """By what a neuron sees of the source's maps, which has been tried to give the same.

    Where the last stretch is linear, variants are worked out up to there, see `Row`.
    """

    def __init__(
        self,
        network: Network,
        source: str,
        baseline: Baseline,
        target: Neuron,
        *,
        between: Between,
        values: Iterable[Float[Tensor, "units h w"]],
    ) -> None:
        """From the source's maps, one of each picture."""
        super().__init__(baseline)
        self.network, self.source = network, source
        self.target, self.between, maps = target, between, tuple(values)
        y, x = target.position(*network.layer(target.layer).shape[1:])
        self.index, self.y, self.x = (_each(value, len(maps)) for value in (target.index, y, x))
        places = zip(maps, self.y, self.x, strict=True)
        self.windows = torch.stack([value[:, *between.pieces.box(*at)] for value, *at in places])

    @cached_property
    def row(self) -> Row | None:
        """The targets as linear maps of a layer on the way, where they are such."""
        return None if self.between.linear is None else self._row(self.between.linear)

    @property
    def slopes(self) -> Float[Tensor, "b units h w"]:
        """∂t/∂a at each place of the windows."""
        row = self.row
        if row is None or row.layer != self.source:
            row = row_at(partial(self._leads, range(len(self.windows))), self.source, self.windows)
        return row.weights

    @property
    def size(self) -> int:
        """The window in all channels."""
        return self.windows[0].numel()

    def targets(self, images: Tensor, masks: Tensor, levels: Tensor) -> Tensor:
        """The neurons where they are seen in the windows."""
        windows = self.windows[images]
        given = levels.to(windows)[:, None, None]
        variants = torch.where(masks[:, :, None, None], given, windows)
        if self.row is None:
            return self._leads(images.tolist(), self.source, variants)
        return self.row.take(images)(self._onward(variants, self.row.layer))

    def _row(self, layer: str) -> Row:
        """The target of each picture as a linear map of a layer on the way."""
        images = range(len(self.windows))
        with torch.no_grad():
            values = self._onward(self.windows, layer)
        return row_at(partial(self._leads, images), layer, values)

    def _leads(self, images: Sequence[int], layer: str, values: Tensor) -> Float[Tensor, "n"]:
        """The targets of some pictures where a layer of the windows' pass has these values."""
        rows, columns = self.between.pieces.rows, self.between.pieces.columns
        index = tuple(self.index[i] for i in images)
        y = tuple(rows[self.y[i]][1] for i in images)
        x = tuple(columns[self.x[i]][1] for i in images)
        inside, size = Neuron(self.target.layer, index, y, x), self.between.size
        return inside(self.network.onward(layer, values, inside.layers, size))

    def _onward(self, variants: Tensor, layer: str) -> Tensor:
        """What a layer on the way, or the source itself, answers to variants of the windows."""
        if layer == self.source:
            return variants
        return self.network.onward(self.source, variants, [layer], self.between.size)[layer]


def _each(value: PerImage, count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else value


def stretch(edges: Edges, windows: bool = True) -> Stretch:
    """How the network is run from the source on: by windows where these give the same."""
    network, term = edges.network, edges.term
    own = tuple(edges.pictures.shape[2:]) == network.input.size
    if windows and own and isinstance(term, Neuron):
        between = network.between(edges.source, term.layer)
        if between is not None:
            with torch.no_grad():
                values = network.record(edges.pictures, [edges.source])[edges.source]
            return Windowed(
                network, edges.source, edges.baseline, term, between=between, values=values
            )
    return Whole(edges)
