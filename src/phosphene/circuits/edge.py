"""Edges: what each unit of an earlier layer adds to a target, by one gradient at that layer."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.attribution import gradient, integrated_gradients
from phosphene.circuits.baseline import Baseline, baseline_of
from phosphene.circuits.halfway import halfway_slopes
from phosphene.circuits.target import Case, target_of
from phosphene.errors import InputError, RectifierError
from phosphene.network import PLAIN, Network, Rule, replace
from phosphene.network.layouts import along_units
from phosphene.objectives import Term, unit_maps
from phosphene.results import Result
from phosphene.spellings import Model, Shown, network_of, pictures_of
from phosphene.words import number, percent, plural, signed

CONTRADICTED = 0.5
"""Score and removal that differ by more than this share of the larger one contradict each other."""

NOTABLE = 0.1
"""Edges below this share of their picture's strongest one are too weak to contradict anything."""


class Halfway(NamedTuple):
    """Slopes are taken halfway, units in so many groups; in none at the value."""

    groups: int


class Slopes(NamedTuple):
    """At each place of the source's maps: ∂t/∂a, what it adds to the score, and a itself."""

    slope: Float[Tensor, "b ..."]
    added: Float[Tensor, "b ..."]
    values: Float[Tensor, "b ..."]


@dataclass(frozen=True, eq=False)
class Edges(Result):
    """The edges from all units of layer `source` to a target, on b pictures.

    With a(p) for a unit's value at place p of the source, m for its `baseline`, and t for the
    target's value:

        score = Σ_p (a(p) - m) ∂t/∂a(p)

    by the derivative or by what `rule` has in its place. Below zero a unit holds the target down.

    Args:
        network, pictures: what was shown to which network.
        term: the target as it is measured: a unit at its strongest place, before its rectifier.
        source: the layer whose units are scored.
        rule: how gradients went back.
        steps: points between baseline and value that gradients are averaged over; None for one
            gradient, at the value.
        halfway: in how many groups units were taken halfway to their baseline; None for none.
        baseline: what a unit is when it is not there.
        values: t, per picture.
        without: t with the whole source at its baseline.
        score: as above.
        held: m · Σ_p ∂t/∂a(p), what the baseline itself adds; of one gradient alone.
        remarks: what is to be known of how the target was found.
        measured: the k units of each picture whose effects were measured, by `measure`.
        removed: t(x) - t(x; unit at its baseline).
        kept: t(x; all others at their baseline) - t(x; all at theirs).
        raised: t(x; unit at its high value) - t(x).
        direct: `removed` while what lies between is held as it was, by `direct`.
    """

    network: Network = field(repr=False)
    pictures: Float[Tensor, "b c h w"]
    term: Term
    source: str
    rule: Rule
    steps: int | None
    baseline: Baseline
    values: Float[Tensor, "b"]
    without: Float[Tensor, "b"]
    score: Float[Tensor, "b units"]
    held: Float[Tensor, "b units"] | None
    remarks: tuple[str, ...] = ()
    halfway: int | None = None
    measured: Int[Tensor, "b k"] | None = None
    removed: Float[Tensor, "b k"] | None = None
    kept: Float[Tensor, "b k"] | None = None
    raised: Float[Tensor, "b k"] | None = None
    direct: Float[Tensor, "b k"] | None = None

    @property
    def explained(self) -> Float[Tensor, "b"]:
        """What all scores add up to."""
        return self.score.sum(1)

    @property
    def remainder(self) -> Float[Tensor, "b"]:
        """What of t - `without` the scores do not add up to: gates open and close on the way."""
        return self.values - self.without - self.explained

    @property
    def completeness(self) -> Float[Tensor, "b"]:
        """The share of t - `without` that the scores add up to; NaN where that is nothing."""
        change = self.values - self.without
        return torch.where(change == 0, torch.nan, self.explained / change)

    @property
    def biases(self) -> Float[Tensor, "b"] | None:
        """t - Σ a ∂t/∂a: in a ReLU network what biases add, and ways that lead around the source.

        Together with the scores and what the baseline holds it is t. None for an average of
        gradients, which is of no one linear map.
        """
        return None if self.held is None else self.values - self.explained - self.held.sum(1)

    @cached_property
    def contradicted(self) -> Bool[Tensor, "b k"] | None:
        """Which measured edges are another thing than their score says.

        Those where score and removal differ by more than half of the larger of the two, unless
        both are below a tenth of the picture's strongest. None where no removal was measured.
        """
        if self.measured is None or self.removed is None:
            return None
        score = self.score.gather(1, self.measured)
        larger = torch.maximum(score.abs(), self.removed.abs())
        notable = larger >= NOTABLE * larger.amax(1, keepdim=True)
        return notable & ((score - self.removed).abs() > CONTRADICTED * larger)

    def strongest(self, k: int | None = None) -> Int[Tensor, "b k"]:
        """The k units of each picture with the largest scores, above or below zero."""
        order = self.score.abs().argsort(dim=1, descending=True, stable=True)
        return order if k is None else order[:, :k]

    @property
    def first(self) -> Term:
        """The target in the first picture."""
        return self.term if self.term.batch is None else self.term.take([0])

    @property
    def summary(self) -> str:
        """What the first picture's target is made of, and what is to be said of all."""
        pictures = plural(len(self.values), "picture")
        parts = [f"{i} {signed(float(self.score[0, i]))}" for i in self.strongest(5)[0].tolist()]
        told = [
            f"{self.source} -> {self.first}: {number(float(self.values[0]))} on the first of "
            f"{pictures}",
            f"strongest units, by what they add over the {self.baseline.name} baseline: "
            f"{', '.join(parts)}",
        ]
        if not self.completeness[0].isnan():
            share = percent(float(self.completeness[0]))
            told.append(f"all scores add up to {share} of what the layer changes")
        if self.contradicted is not None:
            wrong, count = int(self.contradicted.sum()), self.contradicted.numel()
            told.append(f"{wrong} of {plural(count, 'measured edge')} contradict their score")
        return ". ".join((*told, *self.remarks)) + "."

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""

        def plain(values: Tensor | None) -> Any:
            return None if values is None else values.tolist()

        effects = ("measured", "removed", "kept", "raised", "direct")
        names = ("values", "without", "score", "held", *effects)
        return {
            "network": self.network.name,
            "source": self.source,
            "target": self.term.to_json(),
            "rule": self.rule.name,
            "steps": self.steps,
            "halfway": self.halfway,
            "baseline": {
                "name": self.baseline.name,
                "values": plain(self.baseline.values),
                "high": plain(self.baseline.high),
            },
            "remarks": list(self.remarks),
            "contradicted": plain(self.contradicted),
        } | {name: plain(getattr(self, name)) for name in names}


def edges(
    network: Model,
    pictures: Shown,
    target: object,
    source: str,
    *,
    baseline: str | Tensor | Baseline = "mean",
    data: object = None,
    high: Float[Tensor, "units"] | None = None,
    rule: Rule = PLAIN,
    steps: int | None = None,
    halfway: int | None = None,
) -> Edges:
    """Score every unit of layer `source` by what it adds to a target, on each picture.

    Args:
        network: a network, a module, or what `load_network` takes.
        pictures: b pictures, in any spelling.
        target: a unit, which stands for its strongest place in each picture; a class; an objective;
            or several units of one layer, one for each picture. See `target_of`.
        source: an earlier layer.
        baseline: what a unit is when it is not there: its "mean" over `data`, "zero", or a value
            for each unit.
        data: pictures, or the survey of the source layer.
        high: what units are raised to when they are measured; their 99 % quantile over the data
            unless given.
        rule: how gradients go back: by the derivative, or by `RELP`, which holds attention, norms
            and gates other than ReLU's as they are.
        steps: average gradients over so many points between baseline and value.
        halfway: take each unit's slope where it is halfway to its baseline, in so many groups, a
            gradient each: nearer to what removing it does across many layers, see
            `halfway_slopes`.

    Raises:
        RectifierError: a rule for looking only, such as guided backpropagation; or one that cannot
            be applied to the network.
        ObjectiveError: the target does not depend on the source.
        InputError: pictures or a baseline that do not fit.

    *Source:* Nanda 2023, "Attribution patching"; for baselines Shrikumar et al. 2017, arXiv
    1704.02685; with steps Dhamdhere et al. 2018, arXiv 1805.12233; for RelP 2508.21258.

    >>> from torch import nn
    >>> from phosphene.network import Input
    >>> module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> found = edges(Network(module, Input(1, (8, 8))), torch.rand(2, 1, 8, 8), "3:1", "1",
    ...               baseline="zero")
    >>> found.score.shape, bool(torch.allclose(found.remainder, torch.zeros(2), atol=1e-5))
    (torch.Size([2, 4]), True)
    """
    net = network_of(network)
    shown = pictures_of(net, pictures)
    net.input.check_shape(shown)
    net.input.check_values(shown)
    layer = net.layer(source).name
    absent = baseline_of(net, layer, baseline, data, high)
    _check(rule, steps, halfway)
    case = Case(net, shown, target_of(net, shown, target))
    points = steps if halfway is None else Halfway(halfway)
    return spread(case, layer, absent, rule, points)[0]


def spread(
    case: Case,
    layer: str,
    baseline: Baseline,
    rule: Rule = PLAIN,
    points: "int | Halfway | None" = None,
) -> tuple[Edges, Slopes]:
    """The edges from a layer to a target, and the slope ∂t/∂a at each place they add up over.

    The slope is taken at the value, at so many `points` on the way, or halfway in groups.
    """
    network, pictures, target = case.network, case.pictures, case.target
    with torch.no_grad():
        recording = network.record(pictures, {layer, *target.term.layers})
    a = recording[layer]
    m = along_units(baseline.values.to(a)[None], a).expand_as(a)
    steps = points if isinstance(points, int) else None
    groups = points.groups if isinstance(points, Halfway) else 0
    if groups:
        g = halfway_slopes(case, layer, m, groups)
        by_place, held = (a - m) * g, None
    elif steps is None:
        g = gradient(network, pictures, target.term, rule, at=layer)
        by_place, held = (a - m) * g, _over_places(m * g)
    else:
        by_place = integrated_gradients(network, pictures, target.term, m, steps, at=layer)
        g, held = torch.where(a == m, 0, by_place / (a - m)), None
    found = Edges(
        network=network,
        pictures=pictures,
        term=target.term,
        source=layer,
        rule=rule,
        steps=steps,
        baseline=baseline,
        values=target.term(recording),
        without=_without(network, pictures, target.term, layer, m),
        score=_over_places(by_place),
        held=held,
        remarks=target.remarks,
        halfway=groups or None,
    )
    return found, Slopes(g, by_place, a)


def _over_places(values: Tensor) -> Float[Tensor, "b units"]:
    return unit_maps(values).sum(2)


@torch.no_grad()
def _without(
    network: Network, pictures: Tensor, term: Term, layer: str, absent: Float[Tensor, "b ..."]
) -> Float[Tensor, "b"]:
    """The target's value with the whole layer at its baseline."""
    with replace(network.module, network.layer(layer), lambda _: absent):
        return term(network.record(pictures, term.layers))


def _check(rule: Rule, steps: int | None, halfway: int | None) -> None:
    """Refuse rules that are for looking only, and averages of anything but the derivative."""
    if rule.gates is not None:
        raise RectifierError(
            f"the rule {rule.name!r} is for looking only: what it sends back is no effect on the "
            "target. Score edges by the derivative, by RELP, or with steps="
        )
    if halfway is not None and (halfway < 1 or steps is not None or not rule.plain):
        raise InputError(
            f"slopes halfway in {halfway} groups were asked for; give at least one group, and no "
            "steps= and no other rule beside it"
        )
    if steps is not None and not rule.plain:
        raise RectifierError(
            f"gradients over {steps} steps were asked for by the rule {rule.name!r}; what is "
            "averaged is the derivative. Leave out one of the two"
        )
