"""A circuit as a network of its own: what is no part of it is held at its baseline.

The network is a copy, and its layers have the names that they had. Modules whose units are held
have a hook, which is part of the copy and goes where that goes, into another process too.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from phosphene.errors import NetworkError
from phosphene.network import Network
from phosphene.network.layouts import Grid, along_units
from phosphene.network.sites import Site, tensors

Kept = Mapping[str, tuple[Bool[Tensor, "units"], Float[Tensor, "units"]]]
"""For some layers which units are kept, and what the others are instead."""


def holding(network: Network, kept: Kept, name: str) -> Network:
    """A network like this one in which units that are not kept have the values given for them.

    They have them at all places, on any picture. Layers called several times in a pass are told
    apart, as everywhere. Kept units answer what they answer when the others do not.

    Raises:
        NetworkError: the module cannot be copied.
        UnknownLayerError: with the nearest names.
    """
    module = copied_module(network)
    passing = _Passing()
    module.register_forward_pre_hook(passing, with_kwargs=True, prepend=True)
    modules = dict(module.named_modules())
    for number, (layer, (mask, absent)) in enumerate(kept.items()):
        site = network.layer(layer).site
        at = modules[site.path]
        _remember(at, f"circuit{number}_kept", mask)
        _remember(at, f"circuit{number}_absent", absent)
        at.register_forward_hook(_Held(site, number, passing))
    return like(network, module, name)


def copied_module(network: Network) -> nn.Module:
    """A copy of a network's module; raises `NetworkError` where there is no copying it."""
    try:
        module = copy.deepcopy(network.module)
    except Exception as error:  # whatever a module's own attributes raise
        raise NetworkError(
            f"the module of {network.name} cannot be copied ({error}), and a circuit of its own is "
            "a copy; leave out of it what cannot be copied, such as tensors made by other tensors"
        ) from error
    for one in module.modules():
        if parametrize.is_parametrized(one):
            _own_class(one)
    return module


def _own_class(module: nn.Module) -> None:
    """Give a copy that is parametrized its own class, which PyTorch made for the one copied.

    What is parametrized is a property of that class: taken off the copy it were off the original.
    """
    kind = type(module)
    body = {k: v for k, v in vars(kind).items() if k not in {"__dict__", "__weakref__"}}
    module.__class__ = type(kind.__name__, kind.__bases__, body)


def like(network: Network, module: nn.Module, name: str) -> Network:
    """A network of another module, with all that was said of this one."""
    told = (module, network.input, network.labels, name)
    found = Network(*told, output=network.output, task=network.told_task, lenses=network.lenses)
    found.loaded = network.loaded
    return found


def _remember(module: nn.Module, name: str, values: Tensor) -> None:
    """Keep values in the module's state, where they move with it and tell it from others."""
    place = next((t.device for t in module.state_dict().values() if isinstance(t, Tensor)), None)
    module.register_buffer(name, values.detach().clone().to(place or values.device))


class _Passing:
    """What is known of the pass that runs: the picture's size, and how often each hook was met."""

    def __init__(self) -> None:
        self.picture: Grid = (0, 0)
        self.calls: dict[int, int] = {}

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _, picture = next(tensors((args, kwargs)), ((), torch.zeros(0, 0, 0)))
        self.picture = (picture.shape[-2], picture.shape[-1])
        self.calls.clear()


class _Held:
    """The hook that holds a layer's units: those of its module's mask go on, others do not."""

    def __init__(self, site: Site, number: int, passing: _Passing) -> None:
        self.site, self.number, self.passing = site, number, passing

    def __call__(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        call = self.passing.calls.get(self.number, 0)
        self.passing.calls[self.number] = call + 1
        if self.site.call not in {None, call}:
            return None
        values = self.site.read(output, self.passing.picture)
        mask, absent = (
            getattr(module, f"circuit{self.number}_{name}").to(values.device)
            for name in ("kept", "absent")
        )
        mask = along_units(mask[None], values)
        held = torch.where(mask, values, along_units(absent.to(values)[None], values))
        return self.site.write(output, held)
