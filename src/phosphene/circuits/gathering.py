"""The pass in which edges in general are gathered: all pairs scored, the strongest measured.

Pictures go by twice, once for the scores and once for the measurements, since what is measured
follows from all scores. What is held is linear in units and k, beside sums over all pairs of the
two layers, which are held for so many targets at a time as keep them small (`_PAIRS`).
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.circuits.asked import TOGETHER, Asked, Usual, kernels_of, look_around
from phosphene.circuits.baseline import Baseline
from phosphene.circuits.facts import Facts, pearson, strongest
from phosphene.circuits.sums import Measured, Seen, Sums, all_pairs, in_both_halves
from phosphene.circuits.together import Effects, Rows, Shown, Way, way_to
from phosphene.units import Unit

_PAIRS = 2**22  # of target and source, of which sums are held


@dataclass(frozen=True, eq=False)
class Gathered:
    """What was gathered: see `GeneralEdges`."""

    made_of: Facts
    part_of: Facts
    agreement: Float[Tensor, "targets"]
    weight_agreement: Float[Tensor, "targets"]
    stability: Float[Tensor, "targets"]
    random: int
    remarks: tuple[str, ...]


def gather(asked: Asked) -> Generator[float, None, Gathered]:
    """Gather the edges; yields the share done."""
    usual = look_around(asked)
    baseline = Baseline("mean", asked.mean.float(), usual.high)
    ways = _Ways(asked, usual.inside, baseline)
    targets, sources = len(asked.units), len(asked.mean)
    kernels, seen = kernels_of(asked, usual.inside), _seen(asked, usual)
    made, part = list[Facts](), Facts.none(sources)
    stability, weight_agreement = torch.empty(targets), torch.full((targets,), torch.nan)
    step = max(1, _PAIRS // sources)
    for start in range(0, targets, step):
        chunk = torch.arange(start, min(targets, start + step))
        own = seen.take((seen.target >= start) & (seen.target < start + step))
        sums = Sums(chunk, own, sources)
        for done, (rows, score) in ways.scored(own):
            sums.add(rows, score)
            yield 0.5 * (start + done * len(chunk)) / targets
        dense = sums.facts(kernels)
        made.append(dense.top(strongest(dense.score, asked.k)))
        part = part.joined(dense.turned(chunk), asked.k if asked.above is None else asked.above)
        stability[chunk] = in_both_halves(sums)
        if kernels is not None:
            weight_agreement[chunk] = pearson(kernels[0][chunk], dense.score)
    made_of = Facts.stacked(made)
    measured = Measured(all_pairs(made_of, part, sources), sources, targets)
    for done, (pair, effects) in ways.measured(seen, measured):
        measured.add(pair, *effects)
        yield 0.5 + 0.5 * done
    made_of = measured.into(made_of, torch.arange(targets)[:, None], made_of.unit)
    part_of = measured.into(part, part.unit, torch.arange(sources)[:, None])
    part_of = part_of.named(asked.units)
    agreement = pearson(made_of.strong, made_of.removed)
    return Gathered(
        made_of, part_of, agreement, weight_agreement, stability, len(usual.images), usual.remarks
    )


def _seen(asked: Asked, usual: Usual) -> Seen:
    targets, shown = asked.images.shape
    layer, random = asked.network.layer(asked.target), len(usual.images)
    columns = layer.shape[0] if len(layer.shape) == 2 else layer.shape[-1]
    each = torch.arange(targets)
    places = torch.cat([asked.places.flatten(), usual.places.T.flatten()])
    strong = torch.arange(len(places)) < targets * shown
    halves = torch.cat([torch.arange(shown).repeat(targets), torch.arange(random).repeat(targets)])
    found = Seen(
        torch.cat([asked.images.flatten(), torch.tensor(usual.images).repeat(targets)]),
        torch.cat([each.repeat_interleave(shown), each.repeat_interleave(random)]),
        places // columns if len(layer.shape) > 1 else torch.zeros_like(places),
        places % columns if len(layer.shape) > 1 else torch.zeros_like(places),
        strong,
        halves % 2,
    )
    return found.take(found.image.argsort(stable=True))


class _Ways:
    """The ways to the targets, which may be inside of several layers."""

    def __init__(self, asked: Asked, inside: Sequence[Unit], baseline: Baseline) -> None:
        self.asked, size = asked, asked.network.input.size
        self.ways: list[Way] = []
        names = {name: i for i, name in enumerate(dict.fromkeys(unit.layer for unit in inside))}
        for name in names:
            self.ways.append(way_to(asked.network, asked.source, name, baseline, size))
        self.way = torch.tensor([names[unit.layer] for unit in inside])
        self.index = torch.tensor([unit.index for unit in inside])

    def scored(self, seen: Seen) -> Iterator[tuple[float, tuple[Seen, Tensor]]]:
        """The scores of all pairs that were seen, some together, and the share done."""
        for done, shown, some in self._shown(seen):
            for way, which, rows in self._by_way(some):
                scores = way.scores(shown, rows).detach().cpu()
                yield done, (some.seen.take(which), scores)

    def measured(
        self, seen: Seen, measured: Measured
    ) -> Iterator[tuple[float, tuple[Tensor, Effects]]]:
        """The effects of the pairs that are measured, by their numbers."""
        if not len(measured.pairs):
            return
        for done, shown, some in self._shown(seen):
            for way, which, rows in self._by_way(some):
                own = some.seen.take(which)
                for strong in (True, False):
                    chosen = (own.strong == strong).nonzero().flatten()
                    if len(chosen):
                        row, pair = measured.of(own.target[chosen])
                        unit = measured.source[pair]
                        found = way.effects(shown, rows.take(chosen), row, unit, strong)
                        yield done, (pair, found.cpu())

    def _shown(self, seen: Seen) -> Iterator[tuple[float, Shown, "_Some"]]:
        images, counts = seen.image.unique_consecutive(return_counts=True)
        ends = counts.cumsum(0)
        for some in torch.arange(len(images)).split(TOGETHER):
            start, end = int((ends - counts)[some[0]]), int(ends[some[-1]])
            pictures = self.asked.look(images[some].tolist()).to(self.asked.network.device)
            with torch.no_grad():
                recording = self.asked.network.record(pictures, [self.asked.source])
            shown = Shown(pictures, recording[self.asked.source])
            picture = torch.arange(len(some)).repeat_interleave(counts[some])
            yield end / len(seen.image), shown, _Some(seen.take(slice(start, end)), picture)

    def _by_way(self, some: "_Some") -> Iterator[tuple[Way, Tensor, Rows]]:
        ways = self.way[some.seen.target]
        for number, way in enumerate(self.ways):
            which = (ways == number).nonzero().flatten()
            if len(which):
                own = some.seen.take(which)
                units = self.index[own.target]
                yield way, which, Rows(some.picture[which], units, own.y, own.x)


class _Some(NamedTuple):
    seen: Seen
    picture: Int[Tensor, "n"]
