"""Is this the network it is taken for? Accuracy on a sample, against chance and other inputs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.network import Input, Network
from phosphene.survey import Survey

SAMPLE = 512
"""How many pictures tell; spread over the data, since folders come class by class."""

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Plausibility:
    """How a sample of `count` labelled pictures is read.

    `chance` is the share that always saying the commonest class would get right. `better` is an
    input on which far more is read right, with its accuracy, where there is one.
    """

    count: int
    classes: int
    accuracy: float
    chance: float
    better: tuple[Input, float] | None

    @property
    def by_chance(self) -> bool:
        """Whether the accuracy is within three deviations of chance."""
        return self.accuracy <= self.chance + _spread(self.chance, self.count)


def plausible(
    network: Network, data: Dataset[Any], *, others: bool, batch: int = 64
) -> Plausibility | None:
    """How well a sample of `data` is read; None for a network or data without classes.

    With `others`, and where less than nine in ten are read right, the usual ways to normalise a
    picture are tried as well: none, from -1 to 1, ImageNet's, bytes, and by the sample's own mean
    and deviation. The first that reads about best is told, where it reads better by more than a
    fifth of the sample.

    Raises:
        DataError: labels that the network has no class for.
        SizeError, ChannelError: pictures that do not fit the network.
    """
    if not network.classifies:
        return None
    count = length(data)
    places = [round(i * (count - 1) / (SAMPLE - 1)) for i in range(SAMPLE)]
    sample = Subset(data, places if count > SAMPLE else range(count))
    found = [b for b in batches(sample, batch) if len(b.indices)]
    labels = Counter(int(label) for b in found for label in b.labels if label >= 0)
    seen = labels.total()
    if len(labels) < 2:
        return None
    accuracy, chance = _accuracy(network, found), labels.most_common(1)[0][1] / seen
    best = None
    if others and accuracy < 0.9:
        pictures = torch.cat([b.pictures for b in found])
        read = {
            other: _accuracy(Network(network.module, other, network.labels), found)
            for other in _usual(network.input, pictures)
            if other != network.input
        }
        most = max(read.values(), default=0.0)
        best = next((item for item in read.items() if item[1] >= most - 0.02), None)
    gain = max(0.2, _spread(accuracy, seen))
    better = best if best is not None and best[1] > accuracy + gain else None
    return Plausibility(seen, len(network.classes), accuracy, chance, better)


def _accuracy(network: Network, found: list[Any]) -> float:
    survey = Survey(network, [])
    for batch in found:
        survey.add(batch)
    assert survey.predictions is not None
    return survey.predictions.accuracy


def _usual(input: Input, pictures: Tensor) -> Iterator[Input]:
    """The inputs that networks of such pictures usually take."""
    plain = replace(input, mean=0.0, std=1.0, value_range=(0.0, 1.0))
    yield plain
    yield replace(plain, mean=0.5, std=0.5)
    yield replace(plain, value_range=(0.0, 255.0))
    if input.channels == 3:
        yield replace(plain, mean=_IMAGENET[0], std=_IMAGENET[1])
    mean = pictures.mean((0, 2, 3)).tolist()
    deviation = pictures.std((0, 2, 3)).clamp_min(1e-3).tolist()
    yield replace(
        plain, mean=tuple(round(v, 3) for v in mean), std=tuple(round(v, 3) for v in deviation)
    )


def _spread(share: float, count: int) -> float:
    return 3 * sqrt(max(share * (1 - share), 0.25 / count) / count)
