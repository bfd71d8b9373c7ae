"""Edges checked by running them: units removed, kept alone, raised, and removed in pairs."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import replace
from itertools import combinations
from math import prod

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.circuits.edge import Edges
from phosphene.errors import InputError
from phosphene.network import Between, Intervention
from phosphene.objectives import Neuron, PerImage

EFFECTS = ("remove", "keep", "raise")
"""What can be measured of an edge. One number is always fooled, so these are three."""

Masks = Bool[Tensor, "variants units"]

_NUMBERS = 2**22  # of the source's values, in all variants that go through at once


def measure(
    edges: Edges,
    k: int | None = 32,
    what: Collection[str] | None = None,
    *,
    windows: bool = True,
) -> Edges:
    """The same edges with the effects of the k units of each picture that score strongest.

    Args:
        edges: what `edges` found.
        k: how many units, by the magnitude of their score; None for all.
        what: some of `EFFECTS`; all of them unless given, but raising only where the baseline
            knows what is high.
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
    chosen = edges.strongest(k)
    found = [_effects(run, image, units, what) for image, units in enumerate(chosen)]
    removed, kept, raised = (
        torch.stack([of[effect] for of in found]) if effect in what else None for effect in EFFECTS
    )
    return replace(edges, measured=chosen, removed=removed, kept=kept, raised=raised)


def _effects(
    run: "Stretch", image: int, units: Int[Tensor, "k"], what: Collection[str]
) -> dict[str, Float[Tensor, "k"]]:
    """remove = t(x) - t(x; i at m), keep = t(x; others at m) - t(x; all at m), raise likewise."""
    m, high = run.edges.baseline.values, run.edges.baseline.high
    one = torch.zeros(len(units), len(m), dtype=torch.bool)
    one[torch.arange(len(units)), units] = True
    none, all_ = torch.zeros_like(one[:1]), torch.ones_like(one[:1])
    effects = {}
    if "remove" in what:
        t, *without = run(image, torch.cat([none, one]), m)
        effects["remove"] = t - torch.stack(without)
    if "keep" in what:
        nothing, *alone = run(image, torch.cat([all_, ~one]), m)
        effects["keep"] = torch.stack(alone) - nothing
    if "raise" in what:
        assert high is not None, "asked for by `measure`"
        t, *raised = run(image, torch.cat([none, one]), high)
        effects["raise"] = torch.stack(raised) - t
    return effects


def interactions(edges: Edges, k: int = 8, *, windows: bool = True) -> Float[Tensor, "b k k"]:
    """remove_ij - remove_i - remove_j for the k strongest units of each picture, in their order.

    Above zero the two are redundant: each stands in for the other. Below zero they are joint:
    without one the other adds nothing. Zero where they act by themselves, and on the diagonal.
    """
    run = stretch(edges, windows)
    chosen = edges.strongest(k)
    k = chosen.shape[1]
    found = torch.zeros(len(chosen), k, k)
    pairs = list(combinations(range(k), 2))
    rows = [[], *([i] for i in range(k)), *map(list, pairs)]
    for image, units in enumerate(chosen):
        masks = torch.zeros(len(rows), len(edges.baseline.values), dtype=torch.bool)
        for mask, row in zip(masks, rows, strict=True):
            mask[units[row]] = True
        t = run(image, masks, edges.baseline.values)
        removed = t[0] - t[1:]
        for (i, j), both in zip(pairs, removed[k:], strict=True):
            found[image, i, j] = found[image, j, i] = both - removed[i] - removed[j]
    return found


class Stretch(ABC):
    """The network from the source of some edges on, to their target."""

    def __init__(self, edges: Edges) -> None:
        self.edges = edges

    @torch.no_grad()
    def __call__(
        self, image: int, masks: Masks, fill: Float[Tensor, "units"]
    ) -> Float[Tensor, "variants"]:
        """The target on a picture under each mask, whose units have their value of `fill`."""
        parts = masks.split(max(1, _NUMBERS // self.size))
        return torch.cat([self.targets(image, part, fill) for part in parts])

    @property
    @abstractmethod
    def size(self) -> int:
        """How many values of the source one variant has."""

    @abstractmethod
    def targets(self, image: int, masks: Masks, fill: Tensor) -> Float[Tensor, "variants"]:
        """The target under masks that go through together."""


class Whole(Stretch):
    """By whole maps, in any network, of any objective."""

    def __init__(self, edges: Edges) -> None:
        super().__init__(edges)
        self._interventions: dict[int, Intervention] = {}

    @property
    def size(self) -> int:
        """All that the source answers to a picture."""
        return prod(self.edges.network.layer(self.edges.source).shape)

    def targets(self, image: int, masks: Masks, fill: Tensor) -> Tensor:
        """The objective of as many copies of the picture."""
        one, term = self.edges.pictures[image : image + 1], self.edges.term
        recording = self._of(fill).record(one, masks, term.layers)
        return term.take([image] * len(masks))(recording)

    def _of(self, fill: Tensor) -> Intervention:
        """The intervention with these values; made once, since each makes a trial of its own."""
        if id(fill) not in self._interventions:
            made = Intervention(self.edges.network, self.edges.source, fill)
            self._interventions[id(fill)] = made
        return self._interventions[id(fill)]


class Windowed(Stretch):
    """By what a neuron sees of the source's maps, which has been tried to give the same."""

    def __init__(self, edges: Edges, target: Neuron, between: Between) -> None:
        super().__init__(edges)
        self.target, self.between = target, between
        network = edges.network
        with torch.no_grad():
            self.values = network.record(edges.pictures, [edges.source])[edges.source]
        self.map = network.layer(target.layer).shape[1:]

    @property
    def size(self) -> int:
        """The window in all channels."""
        return self.values.shape[1] * prod(self.between.pieces.size)

    def targets(self, image: int, masks: Masks, fill: Tensor) -> Tensor:
        """The neuron where it is seen in the window."""
        pieces, target = self.between.pieces, self.target
        index, y, x = (_of(value, image) for value in (target.index, *target.position(*self.map)))
        window = self.values[image][:, *pieces.box(y, x)]
        variants = torch.where(masks[:, :, None, None], fill.to(window)[:, None, None], window)
        inside = Neuron(target.layer, index, pieces.rows[y][1], pieces.columns[x][1])
        source, size = self.edges.source, self.between.size
        return inside(self.edges.network.onward(source, variants, [target.layer], size))


def _of(value: PerImage, image: int) -> int:
    return value if isinstance(value, int) else value[image]


def stretch(edges: Edges, windows: bool = True) -> Stretch:
    """How the network is run from the source on: by windows where these give the same."""
    network, term = edges.network, edges.term
    own = tuple(edges.pictures.shape[2:]) == network.input.size
    if windows and own and isinstance(term, Neuron):
        between = network.between(edges.source, term.layer)
        if between is not None:
            return Windowed(edges, term, between)
    return Whole(edges)
