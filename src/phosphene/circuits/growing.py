"""Taking a unit apart: its parts in a picture, found by score, measured, stage by stage."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from phosphene.circuits.acting import Acting, acts_in, looked_at, needed, path_maps
from phosphene.circuits.baseline import Baseline, baselines_of
from phosphene.circuits.edge import Edges, spread
from phosphene.circuits.measuring import measure
from phosphene.circuits.staging import called, stages
from phosphene.circuits.target import Case, Target, target_of
from phosphene.circuits.tree import Edge, Part, Rest, Tree
from phosphene.errors import InputError
from phosphene.network import PLAIN, Network, Rule
from phosphene.objectives import Channel, Neuron, Term
from phosphene.progress import tell, telling
from phosphene.spellings import Model, Shown, network_of, picture_of, units_of
from phosphene.survey import OUTSIDE, crop, seen_from
from phosphene.units import Box, Unit

MOST = 12
"""So many parts of a unit are shown at most, however little they explain."""


@telling("taking apart")
def parts(
    network: Model,
    picture: Shown,
    target: object,
    layers: str | Sequence[str] | None = None,
    *,
    k: int | None = 4,
    depth: int = 2,
    share: float = 0.8,
    data: object = None,
    baseline: str | None = None,
    rule: Rule = PLAIN,
) -> Tree:
    """Take a unit apart, as it acts in one picture: its parts, their parts, and so on.

    Args:
        network: a network, a module, or what `load_network` takes.
        picture: one picture, in any spelling.
        target: a unit, which stands for its strongest place in the picture; a class; an objective.
        layers: where parts come from, nearest first; otherwise the `stages` below the target.
        k: how many parts of each; None for as many as hold `share` of all scores' magnitude, up
            to `MOST`.
        depth: how many stages, where `layers` are not named.
        data: pictures or a dataset, for each unit's mean and for what is high.
        baseline: what a part is when it is not there: its "mean", as where there are data, or
            "zero", as where there are none.
        rule: how gradients go back, see `edges`.

    Each part stands at the place where it adds most to what it is a part of, and its own parts are
    those of its value there. They are the units that answer more than their baseline there, with
    the strongest scores; all that are shown have been measured. What the others add is told.

    Raises:
        InputError: k or depth below 1, a share outside (0, 1], a picture that does not fit.
        UnknownLayerError, UnknownUnitError: with the nearest names.
        ObjectiveError: the target does not depend on a layer, or no stage is below it.
    """
    net = network_of(network)
    shown = picture_of(net, picture)[None]
    net.input.check_shape(shown)
    net.input.check_values(shown)
    _check(k, depth, share)
    aim = target_of(net, shown, target)
    below = _layers(net, _meant(net, aim.term, target), layers, depth)
    absent = baselines_of(net, below, baseline, data)
    growing = _Growing(net, shown, k, share, rule)
    level = growing.first(aim, below[0], absent[below[0]])
    for done, layer in enumerate(below[1:], 1):
        tell(done, len(below))
        if level:
            level = growing.next(level, layer, absent[layer])
    tell(len(below), len(below))
    root = growing.root(aim, target)
    named = absent[below[0]].name
    return Tree(net.name, shown[0].cpu(), root, below, named, growing.remarks)


_ROOT = Unit("<target>", 0)


def _check(k: int | None, depth: int, share: float) -> None:
    if (k is not None and k < 1) or depth < 1:
        raise InputError(
            f"{k} parts and {depth} stages were asked for; expected at least 1 of each"
        )
    if not 0 < share <= 1:
        raise InputError(f"a share of {share} was given; expected one above 0 and up to 1")


def _meant(network: Network, term: Term, target: object) -> frozenset[str]:
    """The layers of what was asked for, not of what is inside of it."""
    if isinstance(target, Term):
        return term.layers
    return frozenset(unit.layer for unit in units_of(network, target))


def _layers(
    network: Network, ends: frozenset[str], named: str | Sequence[str] | None, depth: int
) -> tuple[str, ...]:
    if named is not None:
        names = (named,) if isinstance(named, str) else tuple(named)
        return tuple(network.layer(name).name for name in names)
    if len(ends) > 1:
        raise InputError(
            f"a target of {', '.join(sorted(ends))} has no one stage below it; name the layers "
            "that its parts come from"
        )
    return stages(network, next(iter(ends)))[:depth]


class _Growing:
    """A tree while it grows: what each unit at a place was found to be made of."""

    def __init__(
        self, network: Network, picture: Tensor, k: int | None, share: float, rule: Rule
    ) -> None:
        self.network, self.picture, self.rule = network, picture, rule
        self.k, self.share = k, share
        self.found: dict[Unit, tuple[tuple[Part, ...], Rest]] = {}
        self.remarks: tuple[str, ...] = ()

    def first(self, aim: Target, layer: str, baseline: Baseline) -> list[Unit]:
        """Find the parts of the root; they are what comes next."""
        return self._level([_ROOT], aim, layer, baseline)

    def next(self, units: Sequence[Unit], layer: str, baseline: Baseline) -> list[Unit]:
        """Find the parts of several units of a layer, each at its place; they are what comes next.

        Those that are rectified in one layer go together.
        """
        groups: dict[str, list[Unit]] = {}
        for unit in dict.fromkeys(units):
            inside = self.network.before_rectifier(Unit(unit.layer, unit.index))
            groups.setdefault(inside.layer if inside else "", []).append(unit)
        found: list[Unit] = []
        for some in groups.values():
            shown = self.picture.expand(len(some), -1, -1, -1)
            aim = target_of(self.network, shown, _objective(some))
            found += self._level(some, aim, layer, baseline)
        return found

    def _level(
        self, units: Sequence[Unit], aim: Target, layer: str, baseline: Baseline
    ) -> list[Unit]:
        shown = self.picture.expand(len(units), -1, -1, -1)
        found, slopes = spread(Case(self.network, shown, aim), layer, baseline, self.rule)
        by_place = Acting.of(found, slopes)
        count = self.k or int(needed(found, self.share).clamp(max=MOST).max())
        found = measure(found, units=by_place.order[:, : min(count, found.score.shape[1])])
        made = self._parts(found, by_place)
        self.remarks = tuple(dict.fromkeys((*self.remarks, *aim.remarks)))
        for row, unit in enumerate(units):
            self.found[unit] = made[row], _rest(found, by_place, row, len(made[row]), self.share)
        return [part.unit for some in made for part in some]

    def _parts(self, edges: Edges, acting: Acting) -> list[tuple[Part, ...]]:
        """The measured units of each row that are there, each where it adds most, with its map."""
        chosen = edges.measured
        assert chosen is not None, "all that is shown is measured"
        rows = torch.arange(len(chosen))[:, None]
        here = acting.here[rows, chosen]
        sign = edges.score[rows, chosen].sign()[..., None]  # of what holds down, what makes it act
        slopes, which = (sign * acting.slope[rows, chosen])[here], chosen[here]
        if not len(which):
            return [()] * len(chosen)
        maps = iter(path_maps(self.network, self.picture, edges.source, which, slopes))
        made: list[tuple[Part, ...]] = []
        for row, units in enumerate(chosen.tolist()):
            kept = [i for i in range(len(units)) if here[row, i]]
            made.append(tuple(self._part(edges, acting, (row, i), next(maps)) for i in kept))
        return made

    def _part(self, edges: Edges, acting: Acting, at: tuple[int, int], map_: Tensor) -> Part:
        """The unit that was measured there, at its place."""
        assert edges.measured is not None, "all that is shown is measured"
        (row, i), layer = at, self.network.layer(edges.source)
        index = int(edges.measured[row, i])
        place = int(acting.place[row, index])
        unit = _placed(layer.name, index, layer.shape, place)
        box = acts_in(map_, seen_from(layer, self.network.fields[layer.name], place))
        return Part(
            unit,
            called(self.network, unit),
            float(acting.values[row, index, place]),
            box,
            *self._cut(box, map_),
            _edge(edges, row, i, index),
        )

    def _cut(self, box: Box, map_: Tensor) -> tuple[Tensor, Tensor]:
        """Patch and map of a box."""
        (patch,) = crop(self.picture, [box], OUTSIDE)
        (cut,) = crop(map_[None], [box])
        return patch.cpu(), cut.cpu()

    def root(self, aim: Target, meant: object) -> Part:
        """The whole tree, from its root."""
        term, network = aim.term, self.network
        with torch.no_grad():
            value = float(term(network.record(self.picture, term.layers)))
        (map_,) = looked_at(network, self.picture, term)
        unit, box = _ROOT, (0, 0, *network.input.size)
        if isinstance(term, Neuron | Channel):
            (index, y, x) = (_only(getattr(term, name, None)) for name in ("index", "y", "x"))
            unit = Unit(term.layer, index or 0, y, x)
            layer = network.layer(term.layer)
            if y is not None and x is not None:
                place = y * layer.shape[-1] + x if layer.spatial else x
                box = acts_in(map_, seen_from(layer, network.fields[layer.name], place))
        name = _called(network, meant, unit)
        made, rest = self.found[_ROOT]
        root = Part(unit, name, value, box, *self._cut(box, map_))
        return replace(root, parts=tuple(map(self._grown, made)), rest=rest)

    def _grown(self, part: Part) -> Part:
        """A part with its own parts."""
        if part.unit not in self.found:
            return part
        made, rest = self.found[part.unit]
        return replace(part, parts=tuple(map(self._grown, made)), rest=rest)


def _edge(edges: Edges, row: int, i: int, index: int) -> Edge:
    removed, kept, wrong = edges.removed, edges.kept, edges.contradicted
    assert removed is not None, "measured"
    assert kept is not None, "measured"
    assert wrong is not None, "removals are measured"
    return Edge(
        float(edges.score[row, index]),
        float(removed[row, i]),
        float(kept[row, i]),
        None if edges.raised is None else float(edges.raised[row, i]),
        bool(wrong[row, i]),
    )


def _rest(edges: Edges, acting: Acting, row: int, shown: int, share: float) -> Rest:
    scores, silent = edges.score[row], ~acting.here[row]
    left = acting.order[row, shown:]
    return Rest(
        edges.source,
        len(left),
        float(scores[left].sum()),
        int(silent.sum()),
        float(scores[silent].sum()),
        int(needed(edges, share)[row]),
        float(edges.completeness[row]),
    )


def _placed(layer: str, index: int, shape: Sequence[int], place: int) -> Unit:
    """A unit at its place; of a dense layer, which has none, the unit."""
    if len(shape) == 1:
        return Unit(layer, index)
    y, x = divmod(place, shape[-1] if len(shape) == 3 else shape[0])
    return Unit(layer, index, y, x)


def _objective(units: Sequence[Unit]) -> Term:
    """One objective with a target for each row: units of a layer, each at its place."""
    layer, index = units[0].layer, tuple(unit.index for unit in units)
    if units[0].y is None:
        return Channel(layer, index)
    return Neuron(layer, index, tuple(u.y or 0 for u in units), tuple(u.x or 0 for u in units))


def _called(network: Network, meant: object, unit: Unit) -> str:
    """What the root is called: as it was asked for, with its place."""
    if isinstance(meant, Term):
        return str(meant)
    (asked, *_) = units_of(network, meant)
    return network.called(asked if unit is _ROOT else replace(asked, y=unit.y, x=unit.x))


def _only(value: Any) -> int | None:
    return value if value is None or isinstance(value, int) else value[0]
