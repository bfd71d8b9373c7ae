"""What the units of a layer are made of: the weights that make them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.network.discovery.layers import Layer
from phosphene.network.freezing import frozen


def weights_of(module: nn.Module, layer: Layer) -> Float[Tensor, "units ..."] | None:
    """The weights that make each unit of `layer`, units first; None for layers without."""
    if layer.weights is None:
        return None
    maker = module.get_submodule(layer.weights)
    with frozen(maker):  # a parametrised weight is computed, in training with a change
        weight: Tensor = maker.weight.detach()  # type: ignore[operator]
    weight = weight.transpose(0, 1) if getattr(maker, "transposed", False) else weight
    return torch.cat([-weight / 2, weight / 2]) if layer.layout == "two_sided" else weight
