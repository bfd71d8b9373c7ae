"""What each unit answers to each class, and what the network makes of the pictures."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.errors import DataError
from phosphene.survey.accumulator import Accumulator
from phosphene.survey.spread import Spread

MOST_MEANS = 2**25
"""Units times classes: of a layer with more no class means are kept, which would take 268 MB."""

MOST_CLASSES = 4096
"""Of more classes there is no confusion matrix, only the pairs that were confused."""


class Selectivity(NamedTuple):
    """For each unit its strongest class (-1 if it never fires) and how it stands out, 0 to 1."""

    preferred: Int[Tensor, "units"]
    degree: Float[Tensor, "units"]


class ClassMeans(Accumulator):
    """Mean rectified response of every unit to every class.

    Where units times classes are more than `MOST_MEANS` no means are `kept`, and no unit has a
    preferred class.
    """

    gathered = ("counts",)

    def __init__(self, units: int, classes: int) -> None:
        self.kept = units * classes <= MOST_MEANS
        # NumPy's zeros take no memory before they are written to: classes that are seen take some.
        self.sums = torch.from_numpy(np.zeros((classes if self.kept else 0, units)))
        self.counts = torch.zeros(classes, dtype=torch.long)

    @property
    def asked(self) -> dict[str, int]:
        """Of how many units and classes."""
        return {"units": self.sums.shape[1], "classes": len(self.counts)}

    @property
    def _seen(self) -> Bool[Tensor, "rows"]:
        """Which rows of sums hold anything: the others take no memory, and no room in a state."""
        return self.counts[: len(self.sums)] > 0

    def state(self) -> dict[str, Any]:
        """All that is held; of the sums only those of classes that were seen."""
        return super().state() | {"sums": self.sums[self._seen]}

    def restore(self, state: dict[str, Any]) -> None:
        """Hold what `state` says, in place of what was held."""
        self.sums[self._seen] = 0
        super().restore(state)
        self.sums[self._seen] = state["sums"]

    def _join(self, other: Any) -> None:
        super()._join(other)
        self.sums[other._seen] += other.sums[other._seen]

    def add(
        self,
        values: Float[Tensor, "b units"],
        labels: Int[Tensor, "b"],
        members: Bool[Tensor, "b classes"] | None = None,
    ) -> None:
        """Take in a batch of responses; pictures without a label (-1) are passed over.

        With `members` a picture counts for each label that holds.
        """
        if members is not None:
            if self.kept:
                self.sums += members.T.double() @ values.cpu().clamp_min(0).double()
            self.counts += members.sum(0)
            return
        known = labels >= 0
        if self.kept:
            self.sums.index_add_(0, labels[known], values.cpu()[known].clamp_min(0).double())
        self.counts += labels[known].bincount(minlength=len(self.counts))

    @property
    def means(self) -> Float[Tensor, "classes units"]:
        """Zero for classes that were never seen.

        Raises:
            DataError: none are kept of so many units and classes.
        """
        if not self.kept:
            raise DataError(
                f"no means of {self.sums.shape[1]:,} units for {len(self.counts):,} classes are "
                f"kept, {MOST_MEANS:,} numbers at most; choose a layer with fewer units"
            )
        return self.sums / self.counts.clamp_min(1)[:, None]

    @property
    def selectivity(self) -> Selectivity:
        """(μ_max - μ_rest) / (μ_max + μ_rest), μ_rest being the mean over the other classes.

        *Source:* Morcos et al. 2018, arXiv 1803.06959, sec. 2.4.
        """
        which = self.counts > 0
        seen = self.sums[which] / self.counts[which, None] if self.kept else self.sums  # empty
        if len(seen) < 2:
            units = self.sums.shape[1]
            return Selectivity(torch.full((units,), -1), torch.zeros(units))
        top, where = seen.max(0)
        rest = (seen.sum(0) - top) / (len(seen) - 1)
        degree = (top - rest) / (top + rest).clamp_min(1e-12)
        preferred = which.nonzero().flatten()[where]
        return Selectivity(torch.where(top > 0, preferred, -1), torch.where(top > 0, degree, 0.0))


class LabelPredictions(Accumulator):
    """How well labels that may hold together are found: those at least as likely as not.

    Counts for each label how often it `held`, was `found`, and `both`; `right` is the pictures of
    which every label is right.
    """

    gathered = ("held", "found", "both", "right", "count")

    def __init__(self, classes: int) -> None:
        self.held, self.found, self.both = (
            torch.zeros(classes, dtype=torch.long) for _ in range(3)
        )
        self.count = self.right = 0

    @property
    def asked(self) -> dict[str, int]:
        """Of how many classes."""
        return {"classes": len(self.held)}

    def add(
        self, probabilities: Float[Tensor, "b classes"], members: Bool[Tensor, "b classes"]
    ) -> None:
        """Take in a batch."""
        found = probabilities.cpu() >= 0.5
        self.held += members.sum(0)
        self.found += found.sum(0)
        self.both += (found & members).sum(0)
        self.right += int((found == members).all(1).sum())
        self.count += len(members)


class Predictions(Accumulator):
    """Accuracy, confusion, some pictures and some errors, from class scores as they stream.

    At most `keep` of each are kept, spread over the classes and over pairs of true and predicted.
    `pairs` counts what was taken for what, so that memory depends on the pairs that there are.
    """

    gathered = ("pairs", "within_five", "_examples", "_errors")

    def __init__(self, classes: int, keep: int) -> None:
        self.classes = classes
        self.pairs: Counter[tuple[int, int]] = Counter()
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
        self.pairs.update(zip(labels.tolist(), predicted.tolist(), strict=True))
        rank = (scores > scores.gather(1, labels[:, None])).sum(1)
        self.within_five += int((rank < 5).sum())
        self._examples.add(labels.tolist(), images.tolist())
        wrong = predicted != labels
        confused = zip(labels[wrong].tolist(), predicted[wrong].tolist(), strict=True)
        self._errors.add(confused, images[wrong].tolist())

    @property
    def asked(self) -> dict[str, int]:
        """Of how many classes, and how many examples."""
        return {"classes": self.classes, "keep": self._examples.keep}

    @property
    def examples(self) -> list[int]:
        """Pictures of as many classes as there are: the first of each, then the second, …"""
        return self._examples.members

    @property
    def errors(self) -> list[int]:
        """Pictures read wrongly: the first of each pair of true and predicted, then the second."""
        return self._errors.members

    @property
    def confusion(self) -> Int[Tensor, "true predicted"]:
        """How many pictures of each class were taken for which.

        Raises:
            DataError: there are more than `MOST_CLASSES` classes.
        """
        if self.classes > MOST_CLASSES:
            raise DataError(
                f"a confusion matrix of {self.classes:,} classes was asked for, there is one of "
                f"{MOST_CLASSES:,} at most; read `most_confused` or `pairs`"
            )
        matrix = torch.zeros(self.classes, self.classes, dtype=torch.long)
        for pair, count in self.pairs.items():
            matrix[pair] = count
        return matrix

    @property
    def count(self) -> int:
        """How many labelled pictures were seen."""
        return self.pairs.total()

    @property
    def accuracy(self) -> float:
        """The share of labelled pictures that are read as their class."""
        right = sum(count for (true, predicted), count in self.pairs.items() if true == predicted)
        return right / max(1, self.count)

    @property
    def top5(self) -> float:
        """The share whose class is among the five best scores."""
        return self.within_five / max(1, self.count)

    def most_confused(self, count: int = 5) -> list[tuple[int, int, int]]:
        """(true class, predicted class, how often), the most frequent confusions first."""
        wrong = [(*pair, times) for pair, times in self.pairs.items() if pair[0] != pair[1]]
        return sorted(wrong, key=lambda entry: (-entry[2], entry))[:count]
