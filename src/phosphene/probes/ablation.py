"""What would be lost without a unit? Switch units off and count the pictures still read right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.data import Batch
from phosphene.errors import DataError
from phosphene.network import Group, Intervention, masks_of
from phosphene.results import Result
from phosphene.spellings import Model, network_of
from phosphene.survey import LayerSurvey
from phosphene.units import LOGITS
from phosphene.words import percent, plural


@dataclass(frozen=True)
class Census:
    """Which units of a layer nobody would miss.

    `silent` units fired on none of the pictures. `duplicates` are groups of units whose values
    correlate beyond the threshold, directly or through others of the group.

    *Source:* Hvass Laboratories, TensorFlow Tutorial 13-B, exercises.
    """

    layer: str
    units: int
    silent: Group
    duplicates: tuple[Group, ...]

    @property
    def redundant(self) -> int:
        """How many units could go if one of each group stayed."""
        return sum(len(group) - 1 for group in self.duplicates)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "layer": self.layer,
            "units": self.units,
            "silent": list(self.silent),
            "duplicates": [list(group) for group in self.duplicates],
            "redundant": self.redundant,
        }


def census(survey: LayerSurvey, threshold: float = 0.95) -> Census:
    """Count the units that never fire and those that repeat others, from a finished survey.

    Groups are the connected components of the graph that joins every two units whose correlation
    over all pictures and positions is above `threshold`. Silent units are in no group.
    """
    silent = survey.firing == 0
    joined = survey.moments.correlation.nan_to_num(-1) > threshold
    joined[silent] = joined[:, silent] = False
    groups: list[Group] = []
    waiting = set(range(len(joined)))
    while waiting:
        group, edge = set[int](), {min(waiting)}
        while edge:
            group |= edge
            edge = set(joined[sorted(edge)].any(0).nonzero().flatten().tolist()) - group
        waiting -= group
        if len(group) > 1:
            groups.append(tuple(sorted(group)))
    return Census(
        survey.layer.name, len(joined), tuple(silent.nonzero().flatten().tolist()), tuple(groups)
    )


@dataclass(frozen=True, eq=False)
class Ablation(Result):
    """How many of `count` labelled pictures are read right with each group switched off.

    `right` is the number with all units at work, `right_without` the one for each group, in the
    order of `groups`.
    """

    layer: str
    groups: tuple[Group, ...]
    count: int
    right: int
    right_without: Int[Tensor, "groups"]

    @property
    def accuracy(self) -> float:
        """The share read right with all units at work."""
        return self.right / self.count

    @property
    def accuracy_without(self) -> Float[Tensor, "groups"]:
        """The share read right without each group."""
        return self.right_without.double() / self.count

    @property
    def lost(self) -> Float[Tensor, "groups"]:
        """The accuracy each group is worth; below zero for groups that do harm."""
        return self.accuracy - self.accuracy_without

    @property
    def summary(self) -> str:
        """What the groups are worth together and which is the dearest."""
        told = (
            f"{self.layer}: {percent(self.accuracy)} of {plural(self.count, 'picture')} are read "
            f"right with all units at work."
        )
        if self.groups:
            group, lost = self.ranked()[0]
            harmless = int((self.lost <= 0).sum())
            told += (
                f" Dearest: {', '.join(map(str, group))}, without which {percent(lost)} more are "
                f"misread; {harmless} of {len(self.groups)} cost nothing."
            )
        return told

    def only(self, places: Iterable[int]) -> "Ablation":
        """The same for the groups at `places` alone."""
        chosen = list(places)
        groups = tuple(self.groups[i] for i in chosen)
        return replace_fields(self, groups=groups, right_without=self.right_without[chosen])

    def ranked(self) -> list[tuple[Group, float]]:
        """The groups with the accuracy lost without them, the dearest first."""
        lost, order = self.lost.sort(descending=True, stable=True)
        return [(self.groups[i], float(v)) for i, v in zip(order.tolist(), lost, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "layer": self.layer,
            "count": self.count,
            "accuracy": self.accuracy,
            "groups": [list(group) for group in self.groups],
            "accuracy_without": self.accuracy_without.tolist(),
        }


def ablate(
    network: Model,
    layer: str,
    data: Iterable[Batch],
    groups: Sequence[Group] | None = None,
    *,
    fill: float | Float[Tensor, "units"] = 0.0,
    rows: int = 2048,
) -> Ablation:
    """Switch off each group of a layer's units by itself and read all of `data` without it.

    A unit that is off has the value `fill` at all positions of all pictures: zero, or one value
    per unit such as the means of a survey, `survey.layers[layer].moments.mean`. Without `groups`,
    every unit is a group. Up to about `rows` pictures with units switched off go through the
    network at once; what comes before the layer is computed once for all of them, unless a
    connection leads around the layer. Pictures without a label are passed over.

    Raises:
        UnknownLayerError, UnknownUnitError: with what there is.
        InputError: a `fill` that does not fit the layer.
        NetworkError: the network does not classify.
        DataError: a label that the network has no class for, or no labelled picture at all.

    *Source:* Morcos et al. 2018, "On the importance of single directions for generalization",
    sec. 2.2 (arXiv 1803.06959), which sets units to zero or to their mean.
    """
    network = network_of(network)
    site = network.layer(layer)
    chosen = [(unit,) for unit in range(site.units)] if groups is None else list(groups)
    masks, without = masks_of(site, chosen), Intervention(network, layer, fill)
    right, count = 0, 0
    right_without = torch.zeros(len(chosen), dtype=torch.long)
    for batch in data:
        pictures, labels = _labelled(batch, len(network.classes))
        if len(labels) == 0:
            continue
        count += len(labels)
        right += int((network.class_scores(pictures).argmax(1).cpu() == labels).sum())
        together = max(1, rows // len(labels))
        for start in range(0, len(masks), together):
            part = slice(start, start + together)
            read = without.record(pictures, masks[part])[LOGITS].argmax(1).cpu()
            right_without[part] += (read.view(-1, len(labels)) == labels).sum(1)
    if count == 0:
        raise DataError("no labelled picture was given; accuracy lost needs pictures with classes")
    return Ablation(site.name, tuple(chosen), count, right, right_without)


def _labelled(batch: Batch, classes: int) -> tuple[Tensor, Tensor]:
    known = batch.labels >= 0
    labels = batch.labels[known]
    if len(labels) and int(labels.max()) >= classes:
        raise DataError(
            f"label {int(labels.max())} is beyond the network's {classes} classes; "
            "give data with the classes it was trained on"
        )
    return batch.pictures[known], labels
