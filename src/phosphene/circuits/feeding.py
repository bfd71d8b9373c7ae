"""What a unit is a part of: the later units and classes that it feeds, all of them measured."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.circuits.baseline import Baseline, baselines_of, sampled
from phosphene.circuits.staging import called, stages
from phosphene.errors import InputError, NetworkError
from phosphene.network import Intervention, Network
from phosphene.network.edges import made_of
from phosphene.objectives import unit_maps
from phosphene.progress import tell, telling
from phosphene.results import Result
from phosphene.spellings import Model, Shown, layers_of, network_of, pictures_of, unit_of
from phosphene.survey import OUTSIDE, crop, seen_from
from phosphene.units import Box, Unit
from phosphene.words import first_name, signed


@dataclass(frozen=True, eq=False)
class Whole:
    """A later unit, and what the unit asked about does to it where it is strongest.

    `value` is what it answers there before its rectifier; `removed`, `kept` and `raised` are as in
    `Edges`, the mean over the pictures. `deviations` is `removed` in standard deviations of the
    later unit over the data, None without data. `box` is what it sees in the first picture, cut
    from it as `patch`.
    """

    unit: Unit
    name: str
    value: float
    removed: float
    kept: float
    raised: float | None
    deviations: float | None
    box: Box
    patch: Float[Tensor, "c bh bw"] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """All but the patch as plain values for JSON."""
        kept = ("name", "value", "removed", "kept", "raised", "deviations")
        return {"unit": str(self.unit), "box": list(self.box)} | {
            name: getattr(self, name) for name in kept
        }


@dataclass(frozen=True, eq=False)
class Wholes(Result):
    """What a unit is a part of on b pictures: layer by layer those that it changes most."""

    network: str
    unit: Unit
    name: str
    pictures: Float[Tensor, "b c h w"] = field(repr=False)
    baseline: str
    layers: tuple[str, ...]
    wholes: tuple[tuple[Whole, ...], ...]

    @property
    def summary(self) -> str:
        """The strongest of each layer."""
        told = [
            f"{layer}: "
            + ", ".join(f"{first_name(each.name)} {signed(-each.removed)}" for each in some[:4])
            for layer, some in zip(self.layers, self.wholes, strict=True)
            if some
        ]
        shown = (
            "in one picture" if len(self.pictures) == 1 else f"over {len(self.pictures)} pictures"
        )
        if not told:
            return f"Without {self.name} nothing changes {shown}, as its value is its usual one."
        return f"Without {self.name}, {shown}, change {'; '.join(told)}."

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "unit": str(self.unit),
            "name": self.name,
            "pictures": len(self.pictures),
            "baseline": self.baseline,
            "layers": {
                layer: [each.to_json() for each in some]
                for layer, some in zip(self.layers, self.wholes, strict=True)
            },
        }


@telling("measuring what it feeds")
def wholes(
    network: Model,
    pictures: Shown,
    unit: object,
    layers: str | Sequence[str] | None = None,
    *,
    k: int = 6,
    data: object = None,
    baseline: str | None = None,
) -> Wholes:
    """Measure what a unit does to every unit of later layers, and keep the k it changes most.

    The whole unit is removed, kept alone and raised, at all its places, and everything after it
    changes: total effects, see `Edges`. All units of all later layers are measured by the same few
    passes, each before its rectifier and at the place where it is strongest in the picture.

    Args:
        network: a network, a module, or what `load_network` takes.
        pictures: one picture or several, in any spelling.
        unit: the unit.
        layers: later layers; otherwise the next stage and the classes.
        k: how many of each layer: those changed most, in their standard deviations over the data,
            or as they are where there is no data.
        data: pictures or a dataset, for means, for what is high and for deviations.
        baseline: what the unit is when it is not there: its "mean", as where there are data, or
            "zero", as where there are none.

    Raises:
        InputError: k below 1, a layer that does not depend on the unit's, pictures that do not fit.
        UnknownLayerError, UnknownUnitError: with the nearest names.
    """
    net = network_of(network)
    shown = pictures_of(net, pictures)
    net.input.check_shape(shown)
    net.input.check_values(shown)
    if k < 1:
        raise InputError(f"k={k}: expected at least 1 whole of each layer")
    part = unit_of(net, unit)
    source = net.layer(part.layer).name
    later = _later(net, source, layers)
    some = None if data is None else sampled(net, data)
    absent = baselines_of(net, [source], baseline, some)[source]
    ends = [Ends.of(net, name) for name in later]
    parts = _effects(net, shown, Unit(source, part.index), absent, ends)
    found = []
    for done, (end, (t, removed, kept, raised)) in enumerate(zip(ends, parts, strict=True)):
        tell(done, len(ends))
        spread = None if some is None or len(some) < 2 else end.deviation(net, some)
        order = _order(removed.mean(0), spread)[:k]
        found.append(_described(net, shown, end, (t, removed, kept, raised, spread), order))
    tell(len(ends), len(ends))
    name = net.called(Unit(source, part.index))
    return Wholes(
        net.name, Unit(source, part.index), name, shown.cpu(), absent.name, later, tuple(found)
    )


def _later(network: Network, source: str, named: str | Sequence[str] | None) -> tuple[str, ...]:
    """The layers asked about; the next stage up, and the output, unless they are named."""
    if named is None:
        return _next(network, source)
    found = tuple(network.layer(name).name for name in layers_of(network, named))
    for name in found:
        if name == source or source not in made_of(network.feeds, [name]):
            raise InputError(
                f"layer {name!r} does not come after {source!r}, so that nothing there changes; "
                "name layers that do"
            )
    return found


def _next(network: Network, source: str) -> tuple[str, ...]:
    try:
        end = network.logits.name
    except NetworkError:  # no output is read as classes
        end = next(reversed(network.layers))
    if end == source:
        raise InputError(f"{source!r} is the output of {network.name}: it is a part of nothing")
    if source not in made_of(network.feeds, [end]):
        raise InputError(f"{end!r} does not depend on {source!r}; name the layers to look at")
    made = _weights(network, source)
    after = [
        name
        for name in stages(network, end)
        if source in made_of(network.feeds, [name]) and _weights(network, name) > made
    ]
    return tuple(dict.fromkeys([*after[-1:], end]))


def _weights(network: Network, name: str) -> set[str | None]:
    """The modules with weights that a layer is made of, its own among them."""
    found = {network.layers[each].weights for each in made_of(network.feeds, [name])}
    return found - {None}


@dataclass(frozen=True)
class Ends:
    """The units of a later layer, each as it is before its rectifier where a layer holds that."""

    layer: str
    inside: tuple[Unit, ...]

    @classmethod
    def of(cls, network: Network, layer: str) -> "Ends":
        """Those of a layer."""
        units = [Unit(layer, index) for index in range(network.layer(layer).units)]
        found = [network.before_rectifier(unit) or unit for unit in units]
        shapes = {network.layer(unit.layer).shape[1:] for unit in found}
        return cls(layer, tuple(found if len(shapes) == 1 else units))

    @property
    def layers(self) -> frozenset[str]:
        """The layers that hold them."""
        return frozenset(unit.layer for unit in self.inside)

    def maps(self, recording: Any) -> Float[Tensor, "n units places"]:
        """Their values at all their places."""
        kept = {layer: unit_maps(recording[layer]) for layer in self.layers}
        if len(kept) == 1:
            (values,) = kept.values()
            return values[:, [unit.index for unit in self.inside]]
        return torch.stack([kept[unit.layer][:, unit.index] for unit in self.inside], dim=1)

    @torch.no_grad()
    def deviation(self, network: Network, pictures: Tensor) -> Float[Tensor, "units"]:
        """How much each varies over pictures, where it is strongest in each; 0 within rounding."""
        found = torch.cat(
            [self.maps(network.record(some, self.layers)).amax(2) for some in pictures.split(64)]
        )
        spread = found.std(0)
        return torch.where(spread > 1e-5 * found.abs().amax(0), spread, 0)


Effects = tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]
"""t at all places, removed, kept, raised, of each picture and unit; deviations of each unit."""


def _effects(
    network: Network, pictures: Tensor, unit: Unit, absent: Baseline, ends: Collection[Ends]
) -> list[tuple[Tensor, Tensor, Tensor, Tensor | None]]:
    """The effects of the unit on the units of each later layer."""
    source, index = unit.layer, unit.index
    one = torch.zeros(1, network.layer(source).units, dtype=torch.bool)
    one[0, index] = True
    none, all_ = torch.zeros_like(one), torch.ones_like(one)
    layers = frozenset[str]().union(*(end.layers for end in ends))
    run = Intervention(network, source, absent.values)
    clean, without, alone, nothing = _runs(run, pictures, (none, one, ~one, all_), layers, ends)
    raised = None
    if absent.high is not None:
        high = Intervention(network, source, absent.high)
        (raised,) = _runs(high, pictures, (one,), layers, ends)
    found: list[tuple[Tensor, Tensor, Tensor, Tensor | None]] = []
    for i, t in enumerate(clean):
        place = t.argmax(2, keepdim=True)

        def at(values: Tensor, place: Int[Tensor, "b units 1"] = place) -> Tensor:
            return values.gather(2, place)[..., 0]

        found.append(
            (
                t,
                at(t) - at(without[i]),
                at(alone[i]) - at(nothing[i]),
                None if raised is None else at(raised[i]) - at(t),
            )
        )
    return found


@torch.no_grad()
def _runs(
    run: Intervention,
    pictures: Tensor,
    masks: Sequence[Bool[Tensor, "1 units"]],
    layers: Collection[str],
    ends: Collection[Ends],
) -> list[list[Tensor]]:
    """For each mask the maps of each later layer's units."""
    recording = run.record(pictures, torch.cat(list(masks)), layers)
    together = [end.maps(recording) for end in ends]
    split = [maps.view(len(masks), len(pictures), *maps.shape[1:]) for maps in together]
    return [[maps[i] for maps in split] for i in range(len(masks))]


def _order(removed: Tensor, deviation: Tensor | None) -> list[int]:
    """The units that change most, in their deviations where these are known.

    Those that never vary over the data come last.
    """
    sizes = removed.abs()
    if deviation is not None:
        sizes = torch.where(deviation > 0, sizes / deviation, 0)
    order: list[int] = sizes.argsort(descending=True, stable=True).tolist()
    return [j for j in order if removed[j] != 0]


def _described(
    network: Network, pictures: Tensor, end: Ends, effects: Effects, order: Sequence[int]
) -> tuple[Whole, ...]:
    t, removed, kept, raised, deviation = effects
    places, mean = t[0].argmax(1), removed.mean(0)
    layer = network.layer(end.layer)
    spot = network.layer(next(iter(end.layers)))
    found = []
    for j in order:
        box = seen_from(spot, network.fields[spot.name], int(places[j]))
        (patch,) = crop(pictures[:1], [box], OUTSIDE)
        found.append(
            Whole(
                Unit(layer.name, j),
                called(network, Unit(layer.name, j)),
                float(t.amax(2).mean(0)[j]),
                float(mean[j]),
                float(kept.mean(0)[j]),
                None if raised is None else float(raised.mean(0)[j]),
                _in_deviations(mean, deviation, j),
                box,
                patch.cpu(),
            )
        )
    return tuple(found)


def _in_deviations(change: Tensor, deviation: Tensor | None, j: int) -> float | None:
    """A change in deviations; None where a unit never varies or nothing is known of it."""
    if deviation is None or not deviation[j] > 0:
        return None
    return float(change[j] / deviation[j])
