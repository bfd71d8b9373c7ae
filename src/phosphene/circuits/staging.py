"""The stages below a layer: where all that it is made of has to pass, one after another."""

from dataclasses import replace

import torch
from torch import nn

from phosphene.errors import ObjectiveError
from phosphene.network import Layer, Network
from phosphene.network.discovery.trial import trial_pictures
from phosphene.network.edges import made_of
from phosphene.network.feed import ANY
from phosphene.units import Unit


def stages(network: Network, layer: str) -> tuple[str, ...]:
    """The stages below `layer`, nearest first, as the names of layers.

    A stage is a layer that every way from the picture to `layer` leads through, so that its units
    together are all that `layer` is made of. Between one stage and the next there are weights; of
    the layers without any between them, the last is taken that still has the units and places of
    the first: a convolution after its norm and rectifier, before it is pooled. A block, which is a
    module of a class whose modules branch, is one stage, and nothing inside of it is one.

    Raises:
        UnknownLayerError: with the nearest names.
        ObjectiveError: nothing with weights is below the layer, or only beside other ways.

    *Source:* ways through which all lead are the dominators of a graph; Prosser 1959.
    """
    end = network.layer(layer).name
    ways = _dominators(network.feeds, end)
    blocks = _blocks(network, end, ways)
    whole = {name for name in (*ways, end) if name in blocks}
    inside = [name for name in ways if not any(name.startswith(f"{block}.") for block in whole)]
    passed = _new(network, inside)
    groups: dict[int, list[str]] = {}
    for name in passed:
        groups.setdefault(_learned(network, name), []).append(name)
    own = _learned(network, end)
    found = [_last_alike(network, names) for count, names in groups.items() if 0 < count < own]
    if not found:
        raise ObjectiveError(
            f"no layer of {network.name} is a stage below {end!r}: none with weights is passed by "
            "every way from the picture to it; name the layers that edges come from"
        )
    return tuple(reversed(found))


def called(network: Network, unit: Unit) -> str:
    """What people call a unit of a stage: by the layer that a study shows, with its place.

    The units of a rectifier are called by what they rectify, where one layer holds all of them.
    """
    layer = network.layer(unit.layer)
    if not layer.default:
        found = [network.before_rectifier(Unit(layer.name, i)) for i in range(layer.units)]
        homes = {inside and network.layer(inside.layer) for inside in found}
        home, inside = homes.pop(), found[unit.index]
        if not homes and home and home.default and home.shape == layer.shape and inside:
            unit = replace(unit, layer=home.name, index=inside.index)
    return network.called(unit)


def _dominators(feeds: dict[str, tuple[str, ...]], end: str) -> list[str]:
    """The layers that every way to `end` passes, from the picture on; without `end` itself."""
    through: dict[str, frozenset[str]] = {}
    todo = [end]
    while todo:  # without recursion: networks are deep
        now = todo[-1]
        waiting = [fed for fed in feeds[now] if fed not in through]
        if waiting:
            todo.extend(waiting)
            continue
        ways = [through[fed] for fed in feeds[todo.pop()]]
        through[now] = (frozenset.intersection(*ways) if ways else frozenset()) | {now}
    return sorted(through[end] - {end}, key=lambda name: len(through[name]))


def _learned(network: Network, name: str) -> int:
    """How many modules with weights a layer is made of, its own among them."""
    layers = network.layers
    return len({layers[each].weights for each in made_of(network.feeds, [name])} - {None})


def _blocks(network: Network, end: str, ways: list[str]) -> set[str]:
    """The modules of each class of which some module branches around layers with weights."""
    learned = [
        name for name in made_of(network.feeds, [end]) if network.layers[name].weights is not None
    ]
    branching = {
        type(network.module.get_submodule(holder))
        for name in learned
        if name not in ways and (holder := _holder(network, name))
    }
    return {path for path, m in network.module.named_modules() if path and type(m) in branching}


def _holder(network: Network, name: str) -> str:
    """The path of the module, more than a list of others, that holds a layer's module closest."""
    path = (network.layers[name].site.path or "").rpartition(".")[0]
    while path and isinstance(network.module.get_submodule(path), nn.Sequential | nn.ModuleList):
        path = path.rpartition(".")[0]
    return path


@torch.no_grad()
def _new(network: Network, names: list[str]) -> list[str]:
    """Those that are no copy of the one before them, as what dropout and containers give back."""
    if network.feed != ANY or not names:
        return names
    values = network.record(trial_pictures(network.input.shape)[:2].to(network.device), names)
    return [
        name
        for before, name in zip([None, *names], names, strict=False)
        if before is None or not _same(values[before], values[name])
    ]


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def _last_alike(network: Network, names: list[str]) -> str:
    """The last of some layers that has the shape of the first."""
    layers: list[Layer] = [network.layers[name] for name in names]
    return [layer.name for layer in layers if layer.shape == layers[0].shape][-1]
