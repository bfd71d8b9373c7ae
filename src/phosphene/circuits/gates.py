"""Gates on kernels: a copy of a network in which every kernel can be closed, or open by a share.

A **kernel** is what leads from one unit of a layer to one of the next: a slice out x in of a
convolution's weights. Of a dense layer it is the row of a unit, all its weights.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from phosphene.circuits.alone import copied_module, like
from phosphene.network import Network
from phosphene.objectives import unit_maps
from phosphene.units import Unit

Gates = Mapping[str, Float[Tensor, "out ins"]]
"""By the path of a module, how far each of its kernels is open; (out, 1) for dense layers."""


class Gated:
    """A copy of a network whose kernels have gates, and the map of one of its units.

    Open gates leave everything as it is. The gradient of a gate is Σ w ∂t/∂w over its kernel.
    """

    def __init__(self, network: Network, unit: Unit) -> None:
        module = copied_module(network)
        self.unit = unit
        self._gates: dict[str, _Gate] = {}
        for path, one in gated_modules(module).items():
            gate = _Gate(torch.ones_like(kernels_of(one.weight)))
            parametrize.register_parametrization(one, "weight", gate, unsafe=True)
            self._gates[path] = gate
        self.network = like(network, module, network.name)

    @property
    def open(self) -> dict[str, Tensor]:
        """Gates that are all open, by the paths of their modules."""
        return {path: torch.ones_like(gate.gates) for path, gate in self._gates.items()}

    def map(self, pictures: Float[Tensor, "b c h w"], gates: Gates) -> Float[Tensor, "b places"]:
        """The unit's values at all places; modules without gates have theirs open."""
        for path, gate in self._gates.items():
            given = gates.get(path)
            gate.gates = torch.ones_like(gate.gates) if given is None else given
        return map_of(self.network, self.unit, pictures)


class _Gate(nn.Module):
    """Weights times the gates of their kernels.

    Gates are no parameters, which a network's passes freeze, but values that gradients lead to.
    """

    def __init__(self, gates: Float[Tensor, "out ins"]) -> None:
        super().__init__()
        self.gates = gates

    def forward(self, weight: Tensor) -> Tensor:
        return weight * over_kernels(self.gates, weight)


def map_of(
    network: Network, unit: Unit, pictures: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b places"]:
    """A unit's values at all places."""
    return unit_maps(network.record(pictures, [unit.layer])[unit.layer])[:, unit.index]


def gated_modules(module: nn.Module) -> dict[str, nn.Linear | _ConvNd]:
    """The convolutions and dense layers that a module has, by their paths.

    Weights may be parametrized, and shared: each module has gates of its own. Those whose weights
    are no parameters, made by hooks, are left out.
    """
    return {
        path: one
        for path, one in module.named_modules()
        if isinstance(one, nn.Linear | _ConvNd)
        and ("weight" in one._parameters or parametrize.is_parametrized(one, "weight"))
    }


@torch.no_grad()
def keep_kernels(module: nn.Module, kept: Mapping[str, Bool[Tensor, "out ins"]]) -> None:
    """Give modules weights of their own, in which all but the kept kernels are zero."""
    modules = gated_modules(module)
    weights = {}  # all of them first: parametrized ones may share what they are made of
    for path, mask in kept.items():
        weight = modules[path].weight
        weights[path] = weight * over_kernels(mask.to(weight), weight)
    for path, weight in weights.items():
        one = modules[path]
        if parametrize.is_parametrized(one, "weight"):
            parametrize.remove_parametrizations(one, "weight")
        one.weight = nn.Parameter(weight, requires_grad=False)


def kernels_of(weight: Float[Tensor, "out ins ..."]) -> Float[Tensor, "out kernels"]:
    """A number for each kernel of some weights: that of its first weight."""
    if weight.ndim == 2:
        return weight[:, :1].detach()
    return weight.detach().flatten(2)[:, :, 0]


def over_kernels(gates: Float[Tensor, "out ins"], weight: Tensor) -> Tensor:
    """Gates with axes to go with the weights of their kernels."""
    return gates.view(*gates.shape, *[1] * (weight.ndim - 2))
