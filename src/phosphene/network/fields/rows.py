"""A target as one row: the linear map that leads to it from the last layer but its gates.

The last convolution before a target works out all its channels at all places, of which the target
is one at one place. Where a target is a linear map of a layer below, its gradient is that map, so
that variants go through the network as far as that layer and no further.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.errors import ObjectiveError

Leads = Callable[[str, Tensor], Float[Tensor, "n"]]
"""The targets, where the layer of this name has these values, a row for each."""

_TRIALS = 4  # points, far apart, at which the map has to be the same


@dataclass(frozen=True, eq=False)
class Row:
    """t = t(0) + Σ weights · value, of the values of `layer`: one map for each of b targets."""

    layer: str
    at_zero: Float[Tensor, "b"]
    weights: Float[Tensor, "b ..."]

    def take(self, which: Int[Tensor, "n"]) -> "Row":
        """Those of some targets, also several times."""
        return Row(self.layer, self.at_zero[which], self.weights[which])

    def __call__(self, values: Float[Tensor, "#b ..."]) -> Float[Tensor, "b"]:
        """Each target, of the layer's values."""
        return self.at_zero + (values * self.weights).flatten(1).sum(1)


def row_at(leads: Leads, layer: str, values: Float[Tensor, "b ..."]) -> Row:
    """The linear maps near a layer's values: the targets' gradients, and where they start."""
    with torch.enable_grad():
        leaf = values.detach().clone().requires_grad_()
        t = leads(layer, leaf)
        if not t.requires_grad:
            raise ObjectiveError(
                f"what was asked about has no slope at layer {layer!r}: something on the way is "
                "detached, or decides and does not count. Nothing can be scored from there"
            )
        (weights,) = torch.autograd.grad(t.sum(), leaf)
    return Row(layer, t.detach() - (weights * values).flatten(1).sum(1), weights)


def first_linear(
    leads: Leads, layers: Sequence[str], values: Mapping[str, Float[Tensor, "1 ..."]]
) -> str | None:
    """The earliest of `layers`, from the target down, of which the target is a linear map."""
    found = None
    for layer in layers:
        value = values[layer]
        points = _far_apart(value)
        row, expected = row_at(leads, layer, value), leads(layer, points)
        if not torch.allclose(row(points), expected, rtol=1e-4, atol=1e-4 * _largest(points)):
            break
        found = layer
    return found


def _far_apart(value: Float[Tensor, "1 ..."]) -> Float[Tensor, "trials ..."]:
    noise = torch.randn(_TRIALS, *value.shape[1:], generator=torch.Generator().manual_seed(0))
    return noise.to(value) * max(1.0, _largest(value))


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def below(target: str, source: str, feeds: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The layers that the target's value goes through one after another, down to the source."""
    name = target
    while name != source and len(feeds[name]) == 1:
        (name,) = feeds[name]
        yield name
