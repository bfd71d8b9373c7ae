"""Which pictures are read wrong? Any slice of a data set, with what the network said instead."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import Dataset, Subset

from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.errors import DataError
from phosphene.probes import options
from phosphene.probes.question import MISTAKES, Question
from phosphene.probes.subject import Subject
from phosphene.probes.texts import span as spanned
from phosphene.progress import tell, telling
from phosphene.results import Result
from phosphene.spellings import Model, network_of
from phosphene.words import class_name, percent, plural


@dataclass(frozen=True, eq=False)
class Misread(Result):
    """The n pictures, of `count` labelled ones looked at, that are read as another class.

    `images` are places in the data set, `pictures` the first m of them, where m is as many as were
    to be kept.
    """

    data: str
    span: range
    count: int
    classes: tuple[str, ...]
    images: Int[Tensor, "n"]
    labels: Int[Tensor, "n"]
    probabilities: Float[Tensor, "n classes"]
    pictures: Float[Tensor, "m c h w"]

    @property
    def predicted(self) -> Int[Tensor, "n"]:
        """What each is read as."""
        return self.probabilities.argmax(1)

    @property
    def summary(self) -> str:
        """How many of how many, and the commonest mistake."""
        told = (
            f"{len(self.images):,} of {plural(self.count, 'picture')} are misread "
            f"({percent(len(self.images) / self.count)}): number {self.span.start:,} to "
            f"{self.span.stop - 1:,} of {self.data}."
        )
        pairs, times = torch.stack([self.labels, self.predicted], 1).unique(
            dim=0, return_counts=True
        )
        if len(times) and int(times.max()) > 1:
            true, read = (class_name(self.classes, int(c)) for c in pairs[times.argmax()])
            told += f" Most often: {true} read as {read}, {plural(int(times.max()), 'time')}."
        return told

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: what was looked at, and a row for each picture misread."""
        return {
            "data": self.data,
            "first": self.span.start,
            "last": self.span.stop - 1,
            "count": self.count,
            "misread": [
                {
                    "image": image,
                    "label": class_name(self.classes, label),
                    "read as": class_name(self.classes, read),
                    "probability": scores[read],
                    "probability of label": scores[label],
                }
                for image, label, read, scores in zip(
                    self.images.tolist(),
                    self.labels.tolist(),
                    self.predicted.tolist(),
                    self.probabilities.tolist(),
                    strict=True,
                )
            ],
        }


@telling("looking for mistakes")
def misread(
    network: Model,
    dataset: Dataset[Any],
    span: range | str | None = None,
    *,
    keep: int = 200,
) -> Misread:
    """Read the pictures of `dataset` whose places are in `span` (all by default), as a
    range or as from:to, such as "0:200".

    The pictures of the first `keep` mistakes are kept, and the scores of all.

    Raises:
        NetworkError: the network does not classify.
        SettingError: a span that is no such text.
        DataError: a span outside the data, or one without any labelled picture; a label that the
            network has no class for.

    *Source:* Bruner, "Interpretability of neural networks", which shows those among the first 200.
    """
    network = network_of(network)
    total = length(dataset)
    if not isinstance(span, range):
        span = spanned(span, total)
    if not span or span[0] < 0 or span[-1] >= total or span.step < 1:
        raise DataError(
            f"places {span.start} to {span.stop - 1} were asked for; the data has 0 to {total - 1}"
        )
    rows: list[Tensor] = []
    scores: list[Tensor] = []
    pictures: list[Tensor] = []
    count = kept = 0
    for batch in batches(Subset(dataset, span)):
        tell(max(batch.indices.tolist(), default=0) + 1, len(span))
        known = batch.labels >= 0
        labels = batch.labels[known]
        if len(labels) == 0:
            continue
        if int(labels.max()) >= len(network.classes):
            raise DataError(
                f"label {int(labels.max())} is beyond the network's {len(network.classes)} classes"
            )
        count += len(labels)
        found = network.probabilities(batch.pictures[known]).cpu()
        wrong = found.argmax(1) != labels
        places = torch.tensor([span[i] for i in batch.indices[known][wrong].tolist()])
        rows.append(torch.stack([places.long(), labels[wrong]], 1))
        scores.append(found[wrong])
        pictures.append(batch.pictures[known][wrong][: keep - kept])
        kept += len(pictures[-1])
    if count == 0:
        raise DataError("no labelled picture among them; mistakes need pictures with classes")
    images, labels = torch.cat(rows).unbind(1)
    name = str(getattr(dataset, "name", type(dataset).__name__))
    return Misread(
        name, span, count, network.classes, images, labels, torch.cat(scores), torch.cat(pictures)
    )


@dataclass(frozen=True)
class Misreading(Question):
    """Show the pictures that are read wrong, with what the network said."""

    name, panel = "errors", MISTAKES
    part: str | None = options.part()

    def title(self, subject: Subject) -> str:
        """Of which pictures."""
        return f"Misread pictures{f' of {self.part}' if self.part else ''}"

    def ask(self, subject: Subject) -> Misread:
        """The pictures."""
        places = spanned(self.part, length(subject.data))
        return misread(subject.network, subject.data, places)
