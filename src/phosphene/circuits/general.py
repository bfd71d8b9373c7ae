"""Edges in general: what the units of a layer are made of, over many pictures, and feed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from phosphene.circuits.asked import Asked
from phosphene.circuits.edge import CONTRADICTED, NOTABLE
from phosphene.circuits.facts import Facts
from phosphene.circuits.gathering import Gathered, gather
from phosphene.data import Unreadable, read
from phosphene.data.dataset import length
from phosphene.errors import DataError, InputError, ObjectiveError
from phosphene.network import Layer, Network
from phosphene.network.edges import made_of
from phosphene.progress import tell, telling
from phosphene.results import Result
from phosphene.spellings import Model, network_of, pictures_of
from phosphene.streams import derived
from phosphene.survey import LayerSurvey, Survey
from phosphene.units import Unit
from phosphene.words import number, percent, plural, signed

RANDOM = 32
"""So many random pictures stand beside the strongest ones of each unit."""

K = 10
"""So many edges of each unit are kept and measured, downwards and upwards."""


@dataclass(frozen=True, eq=False)
class GeneralEdges(Result):
    """The strongest edges from the units of layer `source` to those of layer `target`.

    Each target is looked at before its rectifier on its own strongest pictures, at the place where
    it is strongest (the first, where it does not fire), and on random ones, the same for all, at
    its strongest place there. A source
    unit that is not there has its mean over the data, one that is raised its 99 % quantile over
    the random pictures. Edges are ranked by their mean score over all these pictures.

    Args:
        network: its name.
        source, target: the layers.
        units: the targets, by their numbers in their layer.
        strongest, random: how many pictures of each kind a target was looked at on.
        made_of: for each target its strongest sources.
        part_of: for each unit of the source its strongest targets.
        agreement: of each target, the correlation of score and removal over its edges in `made_of`.
        weight_agreement: the correlation of the kernels' sums and the scores over all sources.
        stability: Jaccard of the ten strongest sources (of fewer than twenty, half of them) by one
            half of the pictures and by the other.
        remarks: what is to be known of how targets were found.
    """

    network: str
    source: str
    target: str
    units: tuple[int, ...]
    strongest: int
    random: int
    made_of: Facts = field(repr=False)
    part_of: Facts = field(repr=False)
    agreement: Float[Tensor, "targets"] = field(repr=False)
    weight_agreement: Float[Tensor, "targets"] = field(repr=False)
    stability: Float[Tensor, "targets"] = field(repr=False)
    remarks: tuple[str, ...] = ()

    @property
    def contradicted(self) -> Bool[Tensor, "targets k"]:
        """Which edges of `made_of` are another thing than their score says: see `contradicts`."""
        return contradicts(self.made_of)

    @property
    def summary(self) -> str:
        """What the first target is made of, and how far scores can be trusted."""
        first = zip(self.made_of.unit[0].tolist(), self.made_of.score[0].tolist(), strict=True)
        parts = [f"{unit} {signed(score)}" for unit, score in [*first][:5]]
        told = [
            f"{self.source} -> {self.target}: {plural(len(self.units), 'unit')}, each on its "
            f"{plural(self.strongest, 'strongest picture')} and {plural(self.random, 'other')}",
            f"{self.target}:{self.units[0]} is made of {', '.join(parts)}",
        ]
        agreement, stability = (_median(v) for v in (self.agreement, self.stability))
        if agreement is not None:
            told.append(f"score and removal correlate at {number(agreement)} (median)")
        if stability is not None:
            shared = f"have {percent(stability)} of their strongest edges in common"
            told.append(f"one half of the pictures and the other {shared} (median)")
        wrong, edges = int(self.contradicted.sum()), int((self.made_of.unit >= 0).sum())
        told.append(f"{wrong} of {plural(edges, 'edge')} contradict their score")
        return ". ".join((*told, *self.remarks)) + "."

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; what was not measured is None."""

        def plain(values: Tensor) -> list[float | None]:
            return [None if isnan(value) else value for value in values.tolist()]

        return {
            **{name: getattr(self, name) for name in _TOLD},
            "units": list(self.units),
            "remarks": list(self.remarks),
            "made_of": self.made_of.to_json(),
            "part_of": self.part_of.to_json(),
            **{name: plain(getattr(self, name)) for name in _PER_UNIT},
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "GeneralEdges":
        """What `to_json` told."""
        fields = {
            **{name: told[name] for name in _TOLD},
            "units": tuple(told["units"]),
            "remarks": tuple(told["remarks"]),
            "made_of": Facts.from_json(told["made_of"]),
            "part_of": Facts.from_json(told["part_of"]),
        }
        for name in _PER_UNIT:
            fields[name] = torch.tensor([torch.nan if v is None else v for v in told[name]])
        return cls(**fields)


_TOLD = ("network", "source", "target", "strongest", "random")
_PER_UNIT = ("agreement", "weight_agreement", "stability")


def contradicts(facts: Facts) -> Bool[Tensor, "n k"]:
    """Which edges do another thing than their score says when they are removed.

    As in `Edges.contradicted`: score and removal, both means over the strongest pictures, differ by
    more than half of the larger, unless both are below a tenth of the row's strongest.
    """
    score, removed = facts.strong.nan_to_num(), facts.removed.nan_to_num()
    larger = torch.maximum(score.abs(), removed.abs())
    if larger.shape[1] == 0:
        return larger.bool()
    notable = larger >= NOTABLE * larger.amax(1, keepdim=True)
    measured = ~facts.removed.isnan()
    return measured & notable & ((score - removed).abs() > CONTRADICTED * larger)


@telling("gathering edges in general")
def general_edges(
    network: Model,
    data: object,
    target: str,
    source: str,
    *,
    units: Iterable[int] | None = None,
    survey: Survey | None = None,
    k: int = K,
    strongest: int = 9,
    random: int = RANDOM,
    seed: int = 0,
) -> GeneralEdges:
    """The k strongest edges, both ways, between all units of a layer and those of an earlier one.

    Every pair is scored by the derivative, on each target's strongest pictures and on random ones;
    the k strongest sources of each target, and the k strongest targets of each source, are removed,
    kept alone and raised on the strongest pictures, and removed on the random ones.

    Memory is linear in units and k, but for sums over pairs of the two layers: these are held of so
    many targets at a time as make four million pairs, and of more targets the pictures go by anew.

    Args:
        network: a network, a module, or what `load_network` takes.
        data: a dataset, or pictures in any spelling.
        target: the layer whose units are asked about.
        source: an earlier layer.
        units: some of the target's units instead of all.
        survey: of both layers over the same data, where there is one; else it is made.
        k: how many edges of each unit.
        strongest: how many of its strongest pictures each target is looked at on.
        random: how many random pictures, the same for all targets.
        seed: chooses the random pictures.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        ObjectiveError: the target does not depend on the source.
        DataError, InputError: pictures that cannot be read or do not fit.

    *Source:* for the score see `edges`.
    """
    net = network_of(network)
    layers = net.layer(source), net.layer(target)
    data = data if isinstance(data, Dataset) else TensorDataset(pictures_of(net, data))
    names = [layer.name for layer in layers]
    found = survey or Survey(net, names, k=strongest).over(data)
    ends = [_of(found, name) for name in names]
    chosen = list(range(layers[1].units) if units is None else units)
    for unit in chosen:
        layers[1].check(Unit(layers[1].name, unit))
    top = ends[1].top
    asked = Asked(
        network=net,
        source=names[0],
        target=names[1],
        units=torch.tensor(chosen),
        images=top.images[chosen][:, :strongest],
        places=top.places[chosen][:, :strongest],
        random=chosen_at_random(data, random, seed),
        mean=ends[0].moments.mean,
        look=lambda images: _look(data, images),
        k=k,
    )
    return _told(gathered(asked))


def gathered(asked: Asked) -> Iterator[float | GeneralEdges]:
    """The shares done, and last the edges.

    Raises:
        ObjectiveError, InputError: as `general_edges` does.
    """
    require_way(asked.network, asked.source, asked.network.layer(asked.target))
    found: Gathered = yield from gather(asked)
    yield GeneralEdges(
        asked.network.name,
        asked.source,
        asked.target,
        tuple(asked.units.tolist()),
        asked.images.shape[1],
        found.random,
        found.made_of,
        found.part_of,
        found.agreement,
        found.weight_agreement,
        found.stability,
        found.remarks,
    )


def _median(values: Tensor) -> float | None:
    known = values[~values.isnan()]
    return float(known.median()) if len(known) else None


def require_way(network: Network, source: str, target: Layer) -> None:
    """Raise `ObjectiveError` unless `target` is made of layer `source`, among others."""
    if source not in made_of(network.feeds, network.feeds[target.name]):
        raise ObjectiveError(
            f"layer {target.name!r} is not made of {source!r}: no way leads from it; "
            "give an earlier layer"
        )


def chosen_at_random(data: Dataset[Any], count: int, seed: int) -> list[int]:
    """The numbers of so many pictures of the data, of those that can be read, rising."""
    if count < 1:
        raise InputError(f"{count} random pictures were asked for; expected at least 1")
    stream = torch.Generator().manual_seed(derived(seed, "random pictures"))
    found = list[int]()
    for index in torch.randperm(length(data), generator=stream).tolist():
        if len(found) == count:
            break
        if not isinstance(read(data[index]), Unreadable):
            found.append(index)
    return sorted(found)


def _of(survey: Survey, layer: str) -> LayerSurvey:
    if layer not in survey.layers:
        raise InputError(
            f"a survey of {', '.join(survey.layers)} was given for edges of {layer!r}; give one of "
            "both layers, or none"
        )
    return survey.layers[layer]


def _look(data: Dataset[Any], images: Sequence[int]) -> Float[Tensor, "b c h w"]:
    items = [read(data[index]) for index in images]
    for item in items:
        if isinstance(item, Unreadable):
            raise DataError(f"{item.path} could be read before and cannot now: {item.reason}")
    return torch.stack([item.picture for item in items if not isinstance(item, Unreadable)])


def _told(steps: Iterator[float | GeneralEdges]) -> GeneralEdges:
    for step in steps:
        if isinstance(step, GeneralEdges):
            return step
        tell(step, 1)
    raise AssertionError("the last step is what was found")
