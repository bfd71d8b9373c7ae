"""The strongest ways from pixels to a target, through one unit of each stage, each run.

What a way adds is additive: the slopes of the target at a unit's map are the target that the unit's
own parts are scored by, so that in a network without biases whose gates stay as they are all ways
together add up to the target.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.circuits.acting import Acting, acts_in, path_maps
from phosphene.circuits.baseline import Baseline
from phosphene.circuits.edge import spread
from phosphene.circuits.reasons import Way
from phosphene.circuits.staging import called
from phosphene.circuits.target import Case, Target
from phosphene.network import replace
from phosphene.objectives import Along, Values, unit_maps
from phosphene.progress import tell
from phosphene.survey import OUTSIDE, crop, seen_from
from phosphene.units import Unit

BEAM = 24
"""So many ways that add most are followed from stage to stage, and half as many that take."""


def ways_to(
    case: Case, layers: Sequence[str], absent: Mapping[str, Baseline], k: int
) -> tuple[Way, ...]:
    """The k ways that add most and half as many that take most; `case` is about one picture."""
    network, picture, aim = case.network, case.pictures, case.target
    chains: list[tuple[int, ...]] = [()]
    for done, layer in enumerate(layers):
        tell(done, len(layers))
        shown = picture.expand(len(chains), -1, -1, -1)
        found, slopes = spread(Case(network, shown, aim), layer, absent[layer])
        acting = Acting.of(found, slopes)
        best = _best(found.score.flatten(), k if layer == layers[-1] else BEAM)
        rows, units = best // found.score.shape[1], best % found.score.shape[1]
        chains = [(*chains[r], u) for r, u in zip(rows.tolist(), units.tolist(), strict=True)]
        if not chains:
            return ()
        slope = acting.slope[rows, units]
        aim = Target(Along(layer, tuple(units.tolist()), Values.of(slope)))
        score, place = found.score[rows, units], acting.place[rows, units]
    tell(len(layers), len(layers))
    maps = path_maps(network, picture, layers[-1], units, slope * score.sign()[:, None])
    removed = patched(case, chains, layers, absent[layers[-1]])
    lowest, made = network.layer(layers[-1]), []
    for i, chain in enumerate(chains):
        box = acts_in(maps[i], seen_from(lowest, network.fields[lowest.name], int(place[i])))
        (patch,) = crop(picture, [box], OUTSIDE)
        on_it = tuple(Unit(layer, index) for layer, index in zip(layers, chain, strict=True))
        made.append(
            Way(
                on_it,
                tuple(called(network, unit) for unit in on_it),
                float(score[i]),
                float(removed[i]),
                box,
                patch.cpu(),
                maps[i].cpu(),
            )
        )
    return tuple(made)


def _best(scores: Tensor, k: int) -> Tensor:
    """The k highest scores above zero, then the lowest half as many below."""
    order = scores.argsort(descending=True, stable=True)
    add, take = order[scores[order] > 0], order.flip(0)[scores[order.flip(0)] < 0]
    return torch.cat([add[:k], take[: k // 2]])


@torch.no_grad()
def patched(
    case: Case,
    chains: Sequence[tuple[int, ...]],
    layers: Sequence[str],
    absent: Baseline,
) -> Float[Tensor, "n"]:
    """What the target loses when the last unit of a way is removed and only the way is told of it.

    Each unit of the way answers to the one before it, all others as they do to the whole picture.
    `layers` are the nearest to the target first, as the units of each of n `chains`.
    """
    network, target = case.network, case.target.term
    shown, rows = case.pictures.expand(len(chains), -1, -1, -1), torch.arange(len(chains))
    clean = float(target(network.record(case.pictures, target.layers)))
    given = absent.values[[chain[-1] for chain in chains]][:, None]
    for depth in reversed(range(len(layers))):
        units = torch.tensor([chain[depth] for chain in chains])

        def edit(values: Tensor, units: Tensor = units, given: Tensor = given) -> Tensor:
            values = values.clone()
            unit_maps(values)[rows, units] = given.to(values)
            return values

        ends = target.layers if depth == 0 else {layers[depth - 1]}
        with replace(network.module, network.layer(layers[depth]), edit):
            found = network.record(shown, ends)
        if depth == 0:
            return clean - target(found)
        above = torch.tensor([chain[depth - 1] for chain in chains])
        given = unit_maps(found[layers[depth - 1]])[rows, above]
    raise AssertionError("ways lead through one layer at least")
