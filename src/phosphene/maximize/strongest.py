"""The strongest patch of a filter that looks at the picture itself: known without any ascent."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.network import Network
from phosphene.objectives import unit_maps


@dataclass(frozen=True, eq=False)
class StrongestPatch:
    """The patch in [0, 1] that a filter answers to most, and the answer itself."""

    picture: Float[Tensor, "c h w"]
    activation: float


@torch.no_grad()
def strongest_patches(network: Network, layer: str) -> list[StrongestPatch] | None:
    """For each channel of a convolution on the picture the patch that no other exceeds.

    max over x in [0, 1] of sum_i w_i x_i is reached at x_i = 1 where w_i > 0, else 0. What the
    network divides by on the way in is positive and changes nothing. None for all other layers.

    Raises:
        UnknownLayerError: with the nearest names.

    >>> module = torch.nn.Conv2d(1, 1, 2, bias=False)
    >>> _ = module.weight.data.copy_(torch.tensor([[1.0, -2.0], [-3.0, 4.0]]))
    >>> from phosphene.network import Input
    >>> found = strongest_patches(Network(torch.nn.Sequential(module), Input(1, (8, 8))), "0")
    >>> found[0].picture.tolist(), found[0].activation
    ([[[1.0, 0.0], [0.0, 1.0]]], 5.0)
    """
    found, weights = network.layer(layer), network.weights(layer)
    if weights is None or weights.ndim != 4 or not found.spatial:
        return None
    kernel, patch = tuple(weights.shape[2:]), network.patch(found.name)
    if weights.shape[1] != network.input.channels or kernel != network.fields[found.name].size:
        return None  # something lies before it, or a kernel with holes
    patches = (weights > 0).float()
    top, left, bottom, right = patch.box
    pictures = torch.zeros(len(patches), network.input.channels, *patch.size)
    pictures[:, :, top:bottom, left:right] = patches.cpu()
    values = network.record(pictures, [found.name])[found.name]
    place = patch.y * values.shape[3] + patch.x
    answers = unit_maps(values)[:, :, place].diagonal().tolist()
    return [StrongestPatch(*pair) for pair in zip(patches.cpu(), answers, strict=True)]
