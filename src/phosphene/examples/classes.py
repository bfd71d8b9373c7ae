"""What each unit answers to each class, and what the network makes of the pictures."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.examples.spread import Spread


class Selectivity(NamedTuple):
    """For each unit its strongest class (-1 if it never fires) and how it stands out, 0 to 1."""

    preferred: Int[Tensor, "units"]
    degree: Float[Tensor, "units"]


class ClassMeans:
    """Mean rectified response of every unit to every class."""

    def __init__(self, units: int, classes: int) -> None:
        self.sums = torch.zeros(classes, units, dtype=torch.double)
        self.counts = torch.zeros(classes, dtype=torch.long)

    def add(self, values: Float[Tensor, "b units"], labels: Int[Tensor, "b"]) -> None:
        """Take in a batch of responses; pictures without a label (-1) are passed over."""
        known = labels >= 0
        self.sums.index_add_(0, labels[known], values.cpu()[known].clamp_min(0).double())
        self.counts += labels[known].bincount(minlength=len(self.counts))

    @property
    def means(self) -> Float[Tensor, "classes units"]:
        """Zero for classes that were never seen."""
        return self.sums / self.counts.clamp_min(1)[:, None]

    @property
    def selectivity(self) -> Selectivity:
        """(μ_max - μ_rest) / (μ_max + μ_rest), μ_rest being the mean over the other classes.

        *Source:* Morcos et al. 2018, arXiv 1803.06959, sec. 2.4.
        """
        seen = self.means[self.counts > 0]
        if len(seen) < 2:
            units = self.sums.shape[1]
            return Selectivity(torch.full((units,), -1), torch.zeros(units))
        top, where = seen.max(0)
        rest = (seen.sum(0) - top) / (len(seen) - 1)
        degree = (top - rest) / (top + rest).clamp_min(1e-12)
        preferred = (self.counts > 0).nonzero().flatten()[where]
        return Selectivity(torch.where(top > 0, preferred, -1), torch.where(top > 0, degree, 0.0))


class Predictions:
    """Accuracy, confusion, some pictures and some errors, from class scores as they stream.

    At most `keep` of each are kept, spread over the classes and over pairs of true and predicted.
    """

    def __init__(self, classes: int, keep: int) -> None:
        self.confusion = torch.zeros(classes, classes, dtype=torch.long)
        self.within_five = 0
        self._examples, self._errors = Spread(keep), Spread(keep)

    def add(
        self,
        scores: Float[Tensor, "b classes"],
        labels: Int[Tensor, "b"],
        images: Int[Tensor, "b"],
    ) -> None:
        """Take in a batch; pictures without a label (-1) are passed over."""
        known = labels >= 0
        scores, labels, images = scores.cpu()[known], labels[known], images[known]
        predicted = scores.argmax(1)
        classes = len(self.confusion)
        pairs = (labels * classes + predicted).bincount(minlength=classes**2)
        self.confusion += pairs.view(classes, classes)
        rank = (scores > scores.gather(1, labels[:, None])).sum(1)
        self.within_five += int((rank < 5).sum())
        self._examples.add(labels.tolist(), images.tolist())
        wrong = predicted != labels
        confused = zip(labels[wrong].tolist(), predicted[wrong].tolist(), strict=True)
        self._errors.add(confused, images[wrong].tolist())

    @property
    def examples(self) -> list[int]:
        """Pictures of as many classes as there are: the first of each, then the second, …"""
        return self._examples.members

    @property
    def errors(self) -> list[int]:
        """Pictures read wrongly: the first of each pair of true and predicted, then the second."""
        return self._errors.members

    @property
    def count(self) -> int:
        """How many labelled pictures were seen."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """The share of labelled pictures that are read as their class."""
        return float(self.confusion.diagonal().sum()) / max(1, self.count)

    @property
    def top5(self) -> float:
        """The share whose class is among the five best scores."""
        return self.within_five / max(1, self.count)

    def most_confused(self, count: int = 5) -> list[tuple[int, int, int]]:
        """(true class, predicted class, how often), the most frequent confusions first."""
        wrong = self.confusion.clone().fill_diagonal_(0).flatten()
        order = wrong.sort(descending=True, stable=True).indices[:count]
        classes = len(self.confusion)
        found = [(int(i) // classes, int(i) % classes, int(wrong[i])) for i in order]
        return [entry for entry in found if entry[2] > 0]
