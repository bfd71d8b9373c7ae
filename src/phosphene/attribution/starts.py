"""Where a gradient is taken: at the pictures, or at the values of a layer."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from phosphene.errors import InputError
from phosphene.network import Network, nothing_recomputed
from phosphene.network import replace as replaced
from phosphene.network.recorded import Recording
from phosphene.objectives import Term


@dataclass(frozen=True)
class Start:
    """The values that a score is a function of: pictures, or what `layer` answers to them.

    What the network does before `layer` is no part of that function, and what goes around it is
    held as it was.
    """

    network: Network
    pictures: Tensor
    layer: str | None
    values: Tensor

    @classmethod
    def at(cls, network: Network, pictures: Tensor, layer: str | None) -> "Start":
        """At the pictures where `layer` is None.

        Raises:
            InputError: pictures outside [0, 1] or of the wrong shape.
            UnknownLayerError: with the nearest names.
        """
        network.input.check_shape(pictures)
        network.input.check_values(pictures)
        if layer is None:
            return cls(network, pictures, None, pictures)
        name = network.layer(layer).name
        with torch.no_grad():
            values = network.record(pictures, [name])[name]
        return cls(network, pictures, name, values)

    def moved(self, values: Tensor) -> "Start":
        """The same with other values; raises `InputError` for pictures outside [0, 1]."""
        if self.layer is not None:
            return replace(self, values=values)
        self.network.input.check_values(values)
        return replace(self, pictures=values, values=values)

    def baseline(self, given: Tensor | None, usual: Tensor) -> Tensor:
        """The values `given`, or the usual ones; raises `InputError` if they don't fit."""
        found = usual if given is None else given.to(self.values.device)
        try:
            return found.expand_as(self.values)
        except RuntimeError as error:
            raise InputError(
                f"a baseline of shape {tuple(found.shape)} was given for {self.words} of shape "
                f"{tuple(self.values.shape)}; give one of that shape, or one for all pictures"
            ) from error

    def record(self, leaf: Tensor, layers: Collection[str]) -> Recording:
        """What `layers` answer when `leaf` stands in the values' place.

        Raises:
            NetworkError: the network recomputes parts of itself on the way back, without `leaf`.
        """
        if self.layer is None:
            return self.network.record(leaf, layers)
        parts = (part for part, _ in self.network.feed.parts(leaf))
        put = partial(replaced, self.network.module, self.network.layers[self.layer])
        with nothing_recomputed(f"a gradient at layer {self.layer!r}"), put(lambda _: next(parts)):
            return self.network.record(self.pictures, layers)

    @property
    def words(self) -> str:
        """What the values are."""
        return "the pictures" if self.layer is None else f"the values of layer {self.layer!r}"

    def independent(self, objective: Term) -> str:
        """What to say of an objective that does not depend on the values."""
        said = f"the score of {objective} does not depend on {self.words}; "
        if self.layer is None:
            return f"{said}the network detaches the values of this layer from its input"
        order = list(self.network.layers)
        last = max((order.index(self.network.layer(n).name) for n in objective.layers), default=-1)
        if last < order.index(self.layer):
            return f"{said}the network comes to that layer later. Give an earlier layer"
        return (
            f"{said}it lies on another branch of the network, or is detached. Give a layer that "
            "the objective is made from"
        )
