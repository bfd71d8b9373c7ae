"""Did a unit become a detector? How selectively each unit answers to each label, or each mask."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.errors import DataError, InputError
from phosphene.network import Network
from phosphene.probes import options
from phosphene.probes.question import UNITS, Question
from phosphene.probes.subject import Subject
from phosphene.progress import tell, telling
from phosphene.results import Result
from phosphene.spellings import Model, layer_of, network_of
from phosphene.survey import responses
from phosphene.words import class_name, literal, number, plural

Measure = Literal["average precision", "IoU"]

DETECTS: dict[Measure, float] = {"average precision": 0.5, "IoU": 0.04}
"""From which score on a unit counts as a detector of a label."""

UNITS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Dissection(Result):
    """How well each unit of a layer tells each label, from 0 to 1.

    `chance` is what a unit that knows nothing of a label scores: for average precision the share
    of pictures that have it. `count` is the number of pictures.
    """

    layer: str
    measure: Measure
    labels: tuple[str, ...]
    scores: Float[Tensor, "units labels"]
    chance: Float[Tensor, "labels"]
    count: int

    @property
    def best(self) -> tuple[Float[Tensor, "units"], Int[Tensor, "units"]]:
        """The highest score of each unit, and the label it is for."""
        values, labels = self.scores.max(1)
        return values, labels

    @property
    def detectors(self) -> dict[int, int]:
        """The units that detect a label, each with that label, the surest first."""
        values, labels = self.best
        threshold = DETECTS[self.measure]
        order = values.argsort(descending=True, stable=True).tolist()
        return {u: int(labels[u]) for u in order if values[u] > threshold}

    @property
    def summary(self) -> str:
        """How many units detect how many labels, and the surest of them."""
        found = self.detectors
        units, known = plural(len(self.scores), "unit"), plural(len(self.labels), "label")
        many = f"{len(found) or 'none'} tell{'s' if len(found) == 1 else ''} one of {known}"
        whose = ("no unit's", "its", "their")[min(2, len(found))]
        each = f", {len(set(found.values()))} labels between them" if len(found) > 1 else ""
        least, pictures = literal(DETECTS[self.measure]), plural(self.count, "picture")
        told = (
            f"Of the {units} of {self.layer}, {many} from the others{each}: {whose} "
            f"{self.measure} over {pictures} is above {least}."
        )
        values, labels = self.best
        unit = int(values.argmax())
        return (
            f"{told} The surest: unit {unit} for {class_name(self.labels, int(labels[unit]))}, "
            f"{number(float(values[unit]))}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values, labels = self.best
        return {
            "layer": self.layer,
            "measure": self.measure,
            "count": self.count,
            "chance": dict(zip(self.labels, self.chance.tolist(), strict=True)),
            "units": [
                {"unit": unit, "label": self.labels[label], "score": score}
                for unit, (score, label) in enumerate(
                    zip(values.tolist(), labels.tolist(), strict=True)
                )
            ],
            "detectors": len(self.detectors),
        }


@telling("dissecting")
def dissect(
    network: Model,
    dataset: Dataset[Any],
    layer: str | Sequence[str],
    labels: Sequence[str] = (),
) -> Dissection:
    """Rank all labelled pictures by each unit's response; how far ahead are those of one label?

    The response to a picture is the largest value over positions. The score of a unit for a label
    is the average precision of that ranking, AP = sum over the label's pictures of the precision
    at their rank, over their number, ties taken together. Needs 4 bytes per unit and picture.
    `labels` are names, those of the data or numbers where left out.

    Raises:
        UnknownLayerError: with the nearest names.
        DataError: no labelled picture, or fewer than two labels among them.

    *Source:* Zhou et al. 2014, "Object detectors emerge in deep scene CNNs" (arXiv 1412.6856), for
    the question; Everingham et al. 2010 for the measure.
    """
    network = network_of(network)
    layer = layer_of(network, layer)
    site = network.layer(layer)
    values: list[Tensor] = []
    given: list[Tensor] = []
    for batch in batches(dataset):
        tell(max(batch.indices.tolist(), default=0) + 1, length(dataset))
        known = batch.labels >= 0
        if known.any():
            with torch.no_grad():
                recorded = network.record(batch.pictures[known], [layer])[layer]
            values.append(responses(recorded).values.float().cpu())
            given.append(batch.labels[known])
    present = torch.cat(given) if given else torch.empty(0, dtype=torch.long)
    if len(present.unique()) < 2:
        raise DataError(
            f"{len(present.unique())} labels among {len(present)} labelled pictures; what a unit "
            "tells apart is seen on pictures of two labels or more"
        )
    count = int(present.max()) + 1
    names = tuple(labels) or tuple(getattr(dataset, "classes", ()))
    names += tuple(str(i) for i in range(len(names), count))
    shown = F.one_hot(present, len(names)).bool()
    scores = [
        average_precision(part, shown) for part in torch.cat(values).split(UNITS_AT_ONCE, dim=1)
    ]
    return Dissection(
        site.name,
        "average precision",
        names,
        torch.cat(scores),
        shown.float().mean(0),
        len(present),
    )


def average_precision(
    values: Float[Tensor, "n units"], shown: Bool[Tensor, "n labels"]
) -> Float[Tensor, "units labels"]:
    """AP of each column of `values` as a ranking of the pictures of each label.

    Zero for labels that no picture has.

    >>> average_precision(torch.tensor([[0.9], [0.8], [0.1]]), torch.eye(3).bool())
    tensor([[1.0000, 0.5000, 0.3333]])
    """
    ordered, order = values.sort(dim=0, descending=True, stable=True)
    ranks = torch.arange(1, len(values) + 1)
    scores = []
    for column, places in zip(ordered.T, order.T, strict=True):
        # Equal values are one rank, that of the last of them.
        last = torch.searchsorted(-column.contiguous(), -column, right=True) - 1
        hits = shown[places].float()
        precision = (hits.cumsum(0) / ranks[:, None])[last]
        scores.append((precision * hits).sum(0) / hits.sum(0).clamp_min(1))
    return torch.stack(scores)


def dissect_masks(
    network: Model,
    data: Iterable[tuple[Float[Tensor, "b c h w"], Bool[Tensor, "b labels h w"]]],
    layer: str,
    labels: Sequence[str],
    *,
    top: float = 0.005,
) -> Dissection:
    """Lay each unit's strongest positions over masks of each label: do they agree?

    A unit's map is enlarged to the picture and cut where the unit, over all of `data`, is above it
    in a share `top` of positions. The score for a label is the intersection of that region with
    the label's masks over their union, summed over all pictures. `data` is gone through twice, so
    it must be a list or make its batches anew. The cut is exact to 1/4096 of the unit's range.

    Raises:
        UnknownLayerError: with the nearest names.
        InputError: a layer without positions, a share outside (0, 1), masks that do not fit.
        DataError: no pictures.

    *Source:* Bau et al. 2017, "Network dissection" (arXiv 1704.05796), eq. 1; they cut before
    enlarging.
    """
    network = network_of(network)
    site = network.layer(layer)
    if not site.spatial or not 0 < top < 1:
        raise InputError(
            f"layer {site.name!r} of shape {site.shape}, top {top}; expected a layer with "
            "positions, and a share between 0 and 1"
        )
    cut = _cuts(network, data, site.name, top)
    both = torch.zeros(site.units, len(labels))
    region, masked = torch.zeros(site.units), torch.zeros(len(labels))
    pictures_seen = positions = 0
    for pictures, masks in data:
        if masks.shape != (len(pictures), len(labels), *pictures.shape[2:]):
            raise InputError(
                f"masks of shape {tuple(masks.shape)} for pictures of {tuple(pictures.shape)} and "
                f"{len(labels)} labels; expected a mask for each picture and label, of its size"
            )
        strong = (_enlarged(network, pictures, site.name) > cut[:, None, None]).float()
        shown = masks.float()
        both += torch.einsum("buhw,blhw->ul", strong, shown)
        region += strong.sum((0, 2, 3))
        masked += shown.sum((0, 2, 3))
        pictures_seen += len(pictures)
        positions += len(pictures) * pictures.shape[2] * pictures.shape[3]
    union = region[:, None] + masked - both
    share = masked / positions
    blind = top * share / (top + share - top * share)  # two regions that know nothing of each other
    return Dissection(
        site.name, "IoU", tuple(labels), both / union.clamp_min(1), blind, pictures_seen
    )


def _cuts(
    network: Network, data: Iterable[tuple[Tensor, Tensor]], layer: str, top: float
) -> Float[Tensor, "units"]:
    """The value that each unit exceeds at a share `top` of all positions."""
    low = high = None
    for pictures, _ in data:
        flat = _enlarged(network, pictures, layer).transpose(0, 1).flatten(1)
        least, most = flat.amin(1), flat.amax(1)
        low = least if low is None else torch.minimum(low, least)
        high = most if high is None else torch.maximum(high, most)
    if low is None or high is None:
        raise DataError("no picture was given; give a list of (pictures, masks)")
    bins = 4096
    counts = torch.zeros(len(low), bins)
    width = ((high - low) / bins).clamp_min(1e-30)
    for pictures, _ in data:
        flat = _enlarged(network, pictures, layer).transpose(0, 1).flatten(1)
        places = ((flat - low[:, None]) / width[:, None]).long().clamp(0, bins - 1)
        counts.scatter_add_(1, places, torch.ones_like(flat))
    above = counts.flip(1).cumsum(1).flip(1) / counts.sum(1, keepdim=True)
    first = (above <= top).int().argmax(1)  # the lowest bin that few enough are at or above
    cut: Tensor = low + first * width
    return cut


@torch.no_grad()
def _enlarged(network: Network, pictures: Tensor, layer: str) -> Float[Tensor, "b units h w"]:
    values = network.record(pictures, [layer])[layer].float().cpu()
    return F.interpolate(values, pictures.shape[2:], mode="bilinear")


@dataclass(frozen=True)
class Dissecting(Question):
    """Count the units that became detectors of a class, by average precision."""

    name, panel = "dissect", UNITS
    layer: str = options.layer(argument=True)
    part: str | None = options.part()

    def title(self, subject: Subject) -> str:
        """Of which layer and pictures."""
        return f"Detectors among the units of {self.layer}{options.of_part(self.part)}"

    def ask(self, subject: Subject) -> Dissection:
        """The scores of all units."""
        data = subject.part(self.part)
        return dissect(subject.network, data, self.layer, subject.network.classes)
