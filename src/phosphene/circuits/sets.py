"""The target where only some sets of units are there: of one layer, or of several together."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.circuits.edge import Edges
from phosphene.circuits.measuring import stretch
from phosphene.network import Layer, replace
from phosphene.network.layouts import along_units, copied

Kept = Bool[Tensor, "b units"]

_TOGETHER = 32  # pictures, where whole passes run


class Sets(ABC):
    """Runs the network on sets of kept units; all others have their baseline."""

    @staticmethod
    def over(edges: Sequence[Edges]) -> "Sets":
        """Those of the sources of some edges, which lead to the same target."""
        return _OfOne(edges[0]) if len(edges) == 1 else _OfSeveral(edges)

    @abstractmethod
    def __call__(self, kept: Bool[Tensor, "b sets units"]) -> Float[Tensor, "b sets"]:
        """The target on each picture with each of its sets, of all sources' units in a row."""


class _OfOne(Sets):
    """From one layer on, by windows where these give the same."""

    def __init__(self, edges: Edges) -> None:
        self._run = stretch(edges)

    def __call__(self, kept: Bool[Tensor, "b sets units"]) -> Float[Tensor, "b sets"]:
        return self._run(~kept)


class _OfSeveral(Sets):
    """By whole passes: what a layer's kept units answer depends on those kept before it."""

    def __init__(self, edges: Sequence[Edges]) -> None:
        self._edges = edges
        self._network, self._pictures = edges[0].network, edges[0].pictures
        self._layers = [self._network.layer(one.source) for one in edges]
        self._absent = [one.baseline.values for one in edges]

    @torch.no_grad()
    def __call__(self, kept: Bool[Tensor, "b sets units"]) -> Float[Tensor, "b sets"]:
        rows = [
            torch.cat([self._some(image, part) for part in sets.split(_TOGETHER)])
            for image, sets in enumerate(kept)
        ]
        return torch.stack(rows)

    def _some(self, image: int, kept: Bool[Tensor, "sets units"]) -> Float[Tensor, "sets"]:
        """The target on one picture with each set."""
        network, term = self._network, self._edges[0].term
        sizes = [len(absent) for absent in self._absent]
        with ExitStack() as stack:
            for layer, absent, mask in zip(
                self._layers, self._absent, kept.split(sizes, 1), strict=True
            ):
                stack.enter_context(self._held(layer, absent, mask))
            shown = copied(self._pictures[image : image + 1], len(kept))
            return term.take([image] * len(kept))(network.record(shown, term.layers))

    def _held(self, layer: Layer, absent: Tensor, kept: Tensor) -> AbstractContextManager[None]:
        """Holds what is not kept, row by row as the network is shown the pictures."""
        parts = iter([part for part, _ in self._network.feed.parts(kept)])

        def edit(values: Tensor) -> Tensor:
            mask = along_units(next(parts).to(values.device), values)
            return torch.where(mask, values, along_units(absent.to(values)[None], values))

        return replace(self._network.module, layer, edit)
