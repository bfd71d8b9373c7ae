"""One pass over a dataset that gathers everything about all asked layers at once."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.data import Batch, Unreadable, shard_length, shards
from phosphene.data.dataset import length
from phosphene.errors import DataError, NetworkError
from phosphene.network import Layer, Network
from phosphene.network.recorded import Recording
from phosphene.progress import tell, telling
from phosphene.results import html_table
from phosphene.survey.accumulator import Accumulator
from phosphene.survey.between import Between, neighbouring
from phosphene.survey.classes import MOST_MEANS, ClassMeans, LabelPredictions, Predictions
from phosphene.survey.histogram import Histograms
from phosphene.survey.moments import MOST_COMPARED, BatchMoments, Moments
from phosphene.survey.reading import Responses, responses
from phosphene.survey.top import TopExamples
from phosphene.survey.tree import FAN, Tree
from phosphene.units import LOGITS
from phosphene.words import number, plural

NO_NUMBER = "NaN or infinity"
"""How the reason begins for which a picture is left out that could be read."""


class LayerSurvey(Accumulator):
    """What the units of one layer do on a dataset.

    A unit's *response* to a picture is its largest value over all positions; it *fires* when
    that is above zero. `firing` counts the pictures on which each unit fires.

    Of layers with very many units what would grow with their square is left out, see `left_out`.
    """

    gathered = ("top", "histograms", "moments", "classes", "firing")

    def __init__(self, layer: Layer, classes: int, k: int) -> None:
        self.layer = layer
        self.top = TopExamples(layer.units, k)
        self.histograms = Histograms(layer.units)
        self.moments = Moments(layer.units)
        self.classes = ClassMeans(layer.units, classes)
        self.firing = torch.zeros(layer.units, dtype=torch.long)

    @property
    def asked(self) -> dict[str, int]:
        """Of how many units."""
        return {"units": self.layer.units}

    def look(self, values: Tensor) -> "Seen":
        """What the layer's values on a batch show, which changes nothing here."""
        return Seen(responses(values), self.moments.look(values))

    def add(self, values: Tensor, batch: Batch) -> None:
        """Take in the layer's values on a batch."""
        self.take(self.look(values), batch)

    def take(self, seen: "Seen", batch: Batch) -> None:
        """Take in what a batch shows."""
        found = seen.responses
        self.top.add(found, batch.indices)
        self.histograms.add(found.values)
        self.moments.take(seen.moments)
        self.classes.add(found.values, batch.labels, batch.members)
        self.firing += (found.values > 0).sum(0).cpu()

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is not known of so many units, in words."""
        units, classes = self.layer.units, len(self.classes.counts)
        said = []
        if not self.moments.compared:
            said.append(
                f"Twins were not sought: {units:,} units are more than the {MOST_COMPARED:,} that "
                "are compared with each other."
            )
        if not self.classes.kept and self.classes.counts.any():
            said.append(
                f"Answers to classes were not gathered: {units:,} units and {classes:,} classes "
                f"make more than {MOST_MEANS:,} numbers."
            )
        return tuple(said)


class Survey(Accumulator):
    """Feed it data; read off statistics, top examples and accuracy.

    `over` takes in a dataset shard by shard: several who survey the shards, whose surveys are then
    merged by a `Tree`, find the same, bit for bit. `add` takes in a batch.

    Memory depends on the number of units, k and classes, hardly on the length of the data; beyond
    `MOST_COMPARED` units and `MOST_MEANS` class means it does not grow with their square.
    `classes` is the number of labels of the data where they are not the network's own classes, as
    of a network that is no classifier; nothing is then said of how well it reads them. `name` says
    what to call the picture of an index. With `neighbours` the units of each layer are compared
    with those of the `next`, unless these are very many: see `between`, by the earlier's name.

    Raises:
        UnknownLayerError: a layer that the network does not have.
        DataError: labels that the network has no class for.
        NetworkError: a layer gives NaN or infinity for every picture of the first batch.
    """

    gathered = ("layers", "between", "predictions", "found", "count", "skipped")

    def __init__(
        self,
        network: Network,
        layers: str | Sequence[str],
        classes: int | None = None,
        k: int = 9,
        *,
        keep: int = 9,
        name: Callable[[int], str] = "picture {}".format,
        neighbours: bool = False,
    ) -> None:
        layers = [layers] if isinstance(layers, str) else layers
        self.network, self.name = network, name
        self.k, self.keep, self._told_classes = k, keep, classes
        reads = network.classifies and classes is None
        self.classes = len(network.classes) if reads else classes or 0
        self.layers = {n: LayerSurvey(network.layer(n), self.classes, k) for n in layers}
        self.neighbours = neighbours
        sizes = [(n, each.layer.units) for n, each in self.layers.items()] if neighbours else []
        self.next = dict(neighbouring(sizes))
        self.between = {
            one: Between(self.layers[one].layer.units, self.layers[other].layer.units)
            for one, other in self.next.items()
        }
        self.predictions = Predictions(self.classes, keep) if reads else None
        self.found = LabelPredictions(self.classes) if reads else None
        self.recorded = [*layers, LOGITS] if reads else list(layers)
        self.count = 0
        self.skipped: list[Unreadable] = []

    @property
    def asked(self) -> dict[str, Any]:
        """Which layers, how many classes, and how many examples of each kind."""
        return {
            "layers": list(self.layers),
            "classes": self.classes,
            "reads": self.predictions is not None,
            "examples": [self.k, self.keep],
            "between": self.next,
        }

    @property
    def seen(self) -> int:
        """How many pictures were looked at, with those that were left out."""
        return self.count + len(self.skipped)

    def empty(self) -> "Survey":
        """One that is asked the same and has seen nothing."""
        return Survey(
            self.network,
            list(self.layers),
            self._told_classes,
            self.k,
            keep=self.keep,
            name=self.name,
            neighbours=self.neighbours,
        )

    @telling("looking through the data")
    def over(self, dataset: Dataset[Any], batch: int = 256, workers: int = 0) -> "Survey":
        """Take in `dataset`, from picture number `seen` on; itself.

        `batch` pictures go through the network at once, read by `workers` processes beside this
        one, see `batches`. What is found depends on `batch` in the last digits, not on `workers`.
        Shards are merged in a fixed tree, see `Tree`. Left in between, it holds the shards that
        were finished; gone on with, what is found is the same up to `FAN` shards, and beyond
        these but for the last digits.
        """
        total, begun = length(dataset), -(-self.seen // shard_length(batch))
        tree = Tree(self.empty, 0 if begun < FAN else begun)
        if 0 < begun < FAN:
            held = self.empty()
            held.restore(self.state())
            tree.take(held, 0, begun)
        before = self.seen if tree.start else 0
        try:
            for shard in shards(dataset, batch, workers, self.seen):
                found = self.empty()
                for some in shard:
                    found.add(some)
                    tell(before + tree.seen + found.seen, total)
                tree.take(found)
        finally:
            if tree.start:
                for node in tree.nodes:
                    self.merge(node.survey)
            else:
                self.restore(tree.whole().state())
        return self

    def __repr__(self) -> str:
        return f"<Survey of {', '.join(self.layers)}: {plural(self.count, 'picture')}>"

    def _repr_html_(self) -> str:
        rows = []
        for name, found in self.layers.items():
            never = int((found.firing == 0).sum())
            most = found.top.values[:, :1].max() if found.top.values.numel() else 0.0
            rows.append((name, found.layer.units, never, number(float(most))))
        return html_table(repr(self), ("layer", "units", "never fire", "largest answer"), rows)

    def state(self) -> dict[str, Any]:
        """All that was seen; `restore` puts it into one that is asked the same."""
        return super().state() | {"skipped": [list(astuple(item)) for item in self.skipped]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` says."""
        super().restore(state)
        self.skipped = [Unreadable(*item) for item in state["skipped"]]

    @torch.no_grad()
    def add(self, batch: Batch) -> None:
        """Run the network on a batch and take in what its layers do.

        Pictures to which some layer answers NaN or infinity are left out, named in `skipped`: one
        of them would be the strongest of every unit, and the end of every mean.
        """
        self.skipped.extend(batch.skipped)
        if len(batch.indices) == 0:
            return
        batch = self._labelled(batch)
        recording = self.network.record(batch.pictures, self.recorded)
        seen = {name: survey.look(recording[name]) for name, survey in self.layers.items()}
        scores = None if self.predictions is None else recording[LOGITS]
        if not (all(map(_finite, seen.values())) and (scores is None or _all_finite(scores))):
            self.add(self._without_endless(batch, recording))
            return
        for name, survey in self.layers.items():
            survey.take(seen[name], batch)
        for name, pair in self.between.items():
            pair.add(seen[name].responses.values, seen[self.next[name]].responses.values)
        if self.predictions is not None and scores is not None:
            self.predictions.add(scores, batch.labels, batch.indices)
        if self.found is not None and scores is not None and batch.members is not None:
            self.found.add(self.network.reading.probabilities(scores), batch.members)
        self.count += len(batch.indices)

    def _labelled(self, batch: Batch) -> Batch:
        """The batch, without its labels where nobody said how many there are."""
        if self.classes == 0 and self.predictions is None:
            return replace(batch, labels=torch.full_like(batch.labels, -1), members=None)
        if batch.members is not None and batch.members.shape[1] != self.classes:
            raise DataError(
                f"pictures say of {batch.members.shape[1]} labels whether they hold, and "
                f"{self.classes} are known; give a zero or a one for each"
            )
        if int(batch.labels.max()) >= self.classes:
            raise DataError(
                f"label {int(batch.labels.max())} of picture {int(batch.indices[0])} or later is "
                f"beyond the {self.classes} classes known; "
                "give data with the network's own classes, or without labels"
            )
        return batch

    def _without_endless(self, batch: Batch, recording: Recording) -> Batch:
        """The batch without those pictures that some layer answers NaN or infinity to.

        Raises:
            NetworkError: all of the data's first batch are such.
        """
        fine = torch.ones(len(batch.indices), dtype=torch.bool)
        first: dict[int, str] = {}
        for name in self.recorded:
            good = recording[name].flatten(1).isfinite().all(1).cpu()
            first |= dict.fromkeys((fine & ~good).nonzero().flatten().tolist(), name)
            fine &= good
        # A later shard's survey does not know how those before it went.
        first_of_all = self.count == 0 and int(batch.indices[0]) <= len(self.skipped)
        if not fine.any() and first_of_all:
            name = next(iter(first.values()))
            raise NetworkError(
                f"layer {self.network.layer(name).name!r} of {self.network.name} answers NaN or "
                f"infinity to each of the first {len(fine)} pictures; leave it out with layers, "
                "on the command line --layers, or look at what is divided or multiplied there"
            )
        for i in sorted(first):
            layer = self.network.layer(first[i]).name
            self.skipped.append(
                Unreadable(
                    self.name(int(batch.indices[i])),
                    f"{NO_NUMBER} in layer {layer}; left out of all that is told",
                )
            )
        members = None if batch.members is None else batch.members[fine]
        return Batch(batch.indices[fine], batch.pictures[fine], batch.labels[fine], (), members)


class Seen(NamedTuple):
    """What one batch shows of a layer."""

    responses: Responses
    moments: BatchMoments


def _finite(seen: Seen) -> bool:
    """Whether all values were finite: those of a mean and those that are largest tell."""
    return _all_finite(seen.moments.mean) and _all_finite(seen.responses.values)


def _all_finite(values: Tensor) -> bool:
    return bool(values.isfinite().all())
