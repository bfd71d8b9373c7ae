"""What edges lead to: one number for each picture, before it is rectified.

A closed unit passes no gradient back, and what holds it closed is as much a fact as what opens it.
So edges lead to the value before the rectifier, wherever some layer holds it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ObjectiveError
from phosphene.network import Network
from phosphene.network.rectified import rectify
from phosphene.objectives import Channel, Combination, Neuron, PerImage, Term, unit_maps
from phosphene.spellings import units_of
from phosphene.units import Unit


@dataclass(frozen=True)
class Target:
    """The objective whose value is explained, and what is to be said of how it was found."""

    term: Term
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Case:
    """What is asked: the target of a network on b pictures."""

    network: Network
    pictures: Float[Tensor, "b c h w"]
    target: Target


def target_of(network: Network, pictures: Tensor, meant: object) -> Target:
    """The target that is meant by an objective, by a unit, or by one unit for each picture.

    An objective is taken as it is, a unit of a map is the neuron at its strongest place in each
    picture. Either is meant before its rectifier: see `Network.before_rectifier`.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        ObjectiveError: units of several layers, or not one for each picture.
    """
    if isinstance(meant, Term):
        _fits(meant.batch, len(pictures))
        return _before(network, pictures, meant)
    units = units_of(network, meant)
    layers = {unit.layer for unit in units}
    if len(layers) > 1 or len({unit.y is None for unit in units}) > 1:
        raise ObjectiveError(
            f"{', '.join(map(str, units[:5]))} are no one target; give units of one layer, all "
            "with a place or all without"
        )
    _fits(len(units) if len(units) > 1 else None, len(pictures))
    layer, index = layers.pop(), _one(unit.index for unit in units)
    if units[0].y is not None:
        y, x = _one(unit.y for unit in units), _one(unit.x for unit in units)
        return _before(network, pictures, Neuron(layer, index, y, x))
    target = _before(network, pictures, Channel(layer, index), single=True)
    assert isinstance(target.term, Channel), "as it was given"
    return replace(target, term=_strongest(network, pictures, target.term))


def _fits(count: int | None, pictures: int) -> None:
    if count not in {None, pictures}:
        raise ObjectiveError(
            f"{count} targets were given for {pictures} pictures; give one for all, or one for each"
        )


def _one(values: Iterable[int | None]) -> PerImage:
    """One number for all pictures if there is one, else one for each."""
    found = tuple(value for value in values if value is not None)
    return found[0] if len(found) == 1 else found


def _before(network: Network, pictures: Tensor, term: Term, single: bool = False) -> Target:
    """The target before its rectifier, as far as it asks for single values.

    A `Channel` asks for a mean over places, unless it has a `single` one.
    """
    if isinstance(term, Combination):
        parts = [_before(network, pictures, part) for _, part in term.terms]
        weights = [weight for weight, _ in term.terms]
        whole = Combination.of(*zip(weights, (part.term for part in parts), strict=True))
        remarks = dict.fromkeys(remark for part in parts for remark in part.remarks)
        return Target(whole, tuple(remarks))
    if isinstance(term, Channel):
        single = single or len(network.layer(term.layer).shape) == 1
    if not isinstance(term, Neuron) and not (isinstance(term, Channel) and single):
        return Target(term)
    units = [Unit(network.layer(term.layer).name, index) for index in _all(term.index)]
    inside = [network.before_rectifier(unit) for unit in units]
    found = [unit for unit in inside if unit is not None]
    layers = {unit.layer for unit in found}
    told = len(found) == len(units) and _holds(network, pictures, units, found)
    if not told or len(layers) > 1:
        return Target(term, (_as_it_is(term.layer, len(layers)),))
    index = _one(unit.index for unit in found)
    return Target(replace(term, layer=layers.pop(), index=index))


@torch.no_grad()
def _holds(
    network: Network, pictures: Tensor, units: Sequence[Unit], inside: Sequence[Unit]
) -> bool:
    """Whether units are what is rectified of the others on these pictures too."""
    recording = network.record(pictures, {unit.layer for unit in (*units, *inside)})
    for unit, before in zip(units, inside, strict=True):
        whole = recording[unit.layer]
        value = unit_maps(whole)[:, unit.index]
        held = unit_maps(recording[before.layer])[:, before.index]
        if unit != before and not torch.equal(value, rectify(held, whole)):
            return False
    return True


def _as_it_is(layer: str, several: int) -> str:
    if several > 1:
        return (
            f"the units of {layer} are rectified in several layers, so their values are taken "
            "after it; give units of one of those at a time"
        )
    return (
        f"{layer} has no values below zero and no layer holds what it was before a rectifier, so "
        "its values are taken as they are"
    )


def _all(values: PerImage) -> Sequence[int]:
    return (values,) if isinstance(values, int) else values


def _strongest(network: Network, pictures: Tensor, channel: Channel) -> Term:
    """The neuron at the unit's strongest place in each picture; of a dense layer the unit."""
    layer = network.layer(channel.layer)
    if len(layer.shape) == 1:
        return channel
    with torch.no_grad():
        values = network.record(pictures, [layer.name])[layer.name]
    units = [channel.index] * len(pictures) if isinstance(channel.index, int) else channel.index
    maps = unit_maps(values)[torch.arange(len(pictures)), list(units)]
    columns = values.shape[3] if layer.spatial else values.shape[1]
    places = [divmod(place, columns) for place in maps.argmax(1).tolist()]
    y, x = (tuple(axis) for axis in zip(*places, strict=True))
    return Neuron(layer.name, channel.index, y, x)
