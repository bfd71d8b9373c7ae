"""Which edges are gathered in general, and what random pictures tell before they are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.circuits.baseline import HIGH
from phosphene.errors import InputError
from phosphene.network import Network
from phosphene.network.fields.rows import below
from phosphene.network.recorded import Recording
from phosphene.network.rectified import rectify
from phosphene.objectives import unit_maps
from phosphene.survey.reading import responses
from phosphene.units import Unit
from phosphene.words import plural

TOGETHER = 32
"""Pictures that are shown at once."""

Look = Callable[[Sequence[int]], Float[Tensor, "b c h w"]]
"""The pictures of these numbers."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Which edges are gathered, over which pictures: `images` of each target, and `random` ones.

    `places` are those of `images` in the target layer's map, counted row by row. The `k` strongest
    edges of each target are measured, and as many of each source unless `above` says otherwise.
    """

    network: Network
    source: str
    target: str
    units: Int[Tensor, "targets"]
    images: Int[Tensor, "targets n"]
    places: Int[Tensor, "targets n"]
    random: Sequence[int]
    mean: Float[Tensor, "sources"]
    look: Look = field(repr=False)
    k: int = 10
    above: int | None = None


@dataclass(frozen=True, eq=False)
class Usual:
    """What the random pictures tell: where targets answer most, what is high, what is inside."""

    images: list[int]
    places: Int[Tensor, "r targets"]
    high: Float[Tensor, "sources"]
    inside: list[Unit]
    remarks: tuple[str, ...]


@torch.no_grad()
def look_around(asked: Asked) -> Usual:
    """Look at the random pictures; those to which a layer answers no number are left out."""
    network, layer = asked.network, asked.network.layer(asked.target)
    inside = [network.before_rectifier(Unit(layer.name, int(unit))) for unit in asked.units]
    known = [unit for unit in inside if unit is not None]
    names = {asked.source, layer.name, *(unit.layer for unit in known)}
    images, looked, values = list[int](), list[dict[str, Tensor]](), list[Tensor]()
    held = len(known) == len(inside)
    for some in _split(asked.random, TOGETHER):
        recording = network.record(asked.look(some), names)
        ends = recording[asked.source], recording[layer.name]
        fine = [all(bool(end[i].isfinite().all()) for end in ends) for i in range(len(some))]
        kept = torch.tensor(fine)
        images += [image for image, ok in zip(some, fine, strict=True) if ok]
        looked.append({name: _strongest(recording[name][kept]) for name in names})
        values.append(unit_maps(ends[0][kept]).transpose(0, 1).flatten(1).cpu())
        held = held and _holds(recording, layer.name, asked.units, known, kept)
    if not images:
        raise InputError(
            f"layers {asked.source!r} and {layer.name!r} answer a number to none of "
            f"{plural(len(asked.random), 'random picture')}; edges need some"
        )
    maps = torch.cat(values, 1)
    high = maps.kthvalue(ceil(HIGH * maps.shape[1]), dim=1).values
    told = () if held else (_as_they_are(layer.name),)
    found = known if held else [Unit(layer.name, int(unit)) for unit in asked.units]
    places = [torch.cat([some[unit.layer][:, unit.index] for some in looked]) for unit in found]
    return Usual(images, torch.stack(places, 1), high.float(), found, told)


def _strongest(values: Tensor) -> Int[Tensor, "b units"]:
    """Where each unit answers most to each picture."""
    return responses(values).maps.max(dim=2).indices.cpu()


def _holds(
    recording: Recording, layer: str, units: Tensor, inside: Sequence[Unit], kept: Tensor
) -> bool:
    """Whether units are what is rectified of those inside on these pictures too."""
    whole = recording[layer][kept]
    for name in {unit.layer for unit in inside} - {layer}:
        of = torch.tensor([unit.layer == name for unit in inside])
        within = torch.tensor([unit.index for unit in inside if unit.layer == name])
        before = unit_maps(recording[name][kept])[:, within]
        if not torch.equal(unit_maps(whole)[:, units[of]], rectify(before, whole)):
            return False
    return True


def _as_they_are(layer: str) -> str:
    return (
        f"No layer holds what {layer} was before its rectifier, so its values are taken as they are"
    )


def kernels_of(asked: Asked, inside: Sequence[Unit]) -> tuple[Tensor, Tensor] | None:
    """Sum and norm of the kernel of each pair, NaN where the two are not adjacent; or None."""
    network, sources = asked.network, len(asked.mean)
    sums = torch.full((len(inside), sources), torch.nan)
    norms = sums.clone()
    for name in dict.fromkeys(unit.layer for unit in inside):
        weights = network.weights(name) if _adjacent(network, name, asked.source) else None
        if weights is None or weights.ndim < 2 or weights.shape[1] != sources:
            continue
        of = torch.tensor([unit.layer == name for unit in inside])
        own = torch.tensor([unit.index for unit in inside if unit.layer == name])
        kernels = weights.float().cpu()[own].reshape(len(own), sources, -1)
        sums[of], norms[of] = kernels.sum(2), kernels.norm(dim=2)
    return None if bool(sums.isnan().all()) else (sums, norms)


def _adjacent(network: Network, target: str, source: str) -> bool:
    """Whether the one kernel that leads from the source to the target is the target's own."""
    layers = [target, *below(target, source, network.feeds)]
    made = {network.layers[name].weights for name in layers[:-1]} - {None}
    return layers[-1] == source and len(made) == 1


def _split(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
