"""What the batch normalisations of a network remember of the pictures that it was trained on."""

from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.network.discovery.layers import Layer
from phosphene.network.discovery.trial import trial_pictures
from phosphene.network.record import Network
from phosphene.network.turns import turn

_CLOSE = 1e-2
"""Of the largest value; what a layer may differ by from a batch normalisation's arithmetic, also
with the eight bits of bfloat16."""

_STATE = ("running_mean", "running_var", "weight", "bias")


class Remembered(NamedTuple):
    """Mean and deviation of each unit of a layer, over all places of all pictures trained on."""

    mean: Float[Tensor, "units"]
    deviation: Float[Tensor, "units"]


@torch.no_grad()
def remembered(network: Network) -> dict[str, Remembered]:
    """What is remembered of which layers of maps; nothing of a network that does not normalise.

    A layer that gives back (x - m) / √(v + eps) * weight + bias, with the mean m and the variance v
    of its inputs over the pictures trained on, had the mean `bias` and the deviation `|weight|` for
    these. Which layers do so is tried out, so it may be any class that keeps its state under the
    names that PyTorch gives it.
    """
    found: dict[str, Remembered] = {}
    pictures = trial_pictures(network.input.shape)
    with turn(network.module):
        handles = [
            module.register_forward_hook(partial(_note, found, layer.name))
            for layer in network.layers.values()
            if (module := _module(network, layer)) is not None
        ]
        try:
            network.record(pictures, [next(iter(network.layers))], stop=False)
        finally:
            for handle in handles:
                handle.remove()
    return {name: found[name] for name in network.layers if name in found}


def _module(network: Network, layer: Layer) -> nn.Module | None:
    """The module of a layer of maps that keeps a normalisation's state and was trained."""
    site = layer.site
    if site.call is not None or site.keys or not layer.spatial:
        return None
    module = network.module.get_submodule(site.path)
    state = [getattr(module, name, None) for name in _STATE]
    if not all(isinstance(part, Tensor) and part.shape == (layer.units,) for part in state):
        return None
    return module if bool(module.running_mean.any()) else None  # type: ignore[operator]


def _note(
    found: dict[str, Remembered], name: str, module: nn.Module, args: Any, output: Any
) -> None:
    """Keep what the module remembers if its answer is that of a batch normalisation."""
    mean, variance, weight, bias = (getattr(module, part).double() for part in _STATE)
    values = (*args, output)
    if len(values) != 2 or not all(isinstance(v, Tensor) and v.is_floating_point() for v in values):
        return
    maps = (1, -1, 1, 1)
    deviation = (variance + getattr(module, "eps", 1e-5)).sqrt()
    expected = (values[0].double() - mean.view(maps)) / deviation.view(maps) * weight.view(maps)
    expected = expected + bias.view(maps)
    if output.shape == expected.shape and bool(
        (output - expected).abs().max() <= _CLOSE * expected.abs().max()
    ):
        found[name] = Remembered(bias.float(), weight.abs().float())
