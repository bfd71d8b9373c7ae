"""One pass over a dataset that gathers everything about all asked layers at once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from phosphene.data import Batch, Unreadable
from phosphene.errors import DataError
from phosphene.examples.classes import MOST_MEANS, ClassMeans, Predictions
from phosphene.examples.histogram import Histograms
from phosphene.examples.moments import MOST_COMPARED, Moments
from phosphene.examples.responses import responses
from phosphene.examples.top import TopExamples
from phosphene.network import Layer, Network
from phosphene.types import LOGITS


class LayerSurvey:
    """What the units of one layer do on a dataset.

    A unit's *response* to a picture is its largest value over all positions; it *fires* when
    that is above zero. `firing` counts the pictures on which each unit fires.

    Of layers with very many units what would grow with their square is left out, see `left_out`.
    """

    def __init__(self, layer: Layer, classes: int, k: int) -> None:
        self.layer = layer
        self.top = TopExamples(layer.units, k)
        self.histograms = Histograms(layer.units)
        self.moments = Moments(layer.units)
        self.classes = ClassMeans(layer.units, classes)
        self.firing = torch.zeros(layer.units, dtype=torch.long)

    def add(self, values: Tensor, batch: Batch) -> None:
        """Take in the layer's values on a batch."""
        found = responses(values)
        self.top.add(found, batch.indices)
        self.histograms.add(found.values)
        self.moments.add(values)
        self.classes.add(found.values, batch.labels)
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


class Survey:
    """Feed it batches; read off statistics, top examples and accuracy.

    Memory depends on the number of units, k and classes, not on the length of the data; beyond
    `MOST_COMPARED` units and `MOST_MEANS` class means it does not grow with their square.
    `classes` is the number of labels of the data, for a network that is no classifier itself.

    Raises:
        UnknownLayerError: a layer that the network does not have.
        DataError: labels that the network has no class for.
    """

    def __init__(
        self, network: Network, layers: Sequence[str], classes: int = 0, k: int = 9, keep: int = 9
    ) -> None:
        self.network = network
        self.classes = len(network.classes) if network.classifies else classes
        self.layers = {n: LayerSurvey(network.layer(n), self.classes, k) for n in layers}
        self.predictions = Predictions(self.classes, keep) if network.classifies else None
        self.recorded = [*layers, LOGITS] if network.classifies else list(layers)
        self.count = 0
        self.skipped: list[Unreadable] = []

    @torch.no_grad()
    def add(self, batch: Batch) -> None:
        """Run the network on a batch and take in what its layers do."""
        self.skipped.extend(batch.skipped)
        if len(batch.indices) == 0:
            return
        if int(batch.labels.max()) >= self.classes:
            raise DataError(
                f"label {int(batch.labels.max())} of picture {int(batch.indices[0])} or later is "
                f"beyond the {self.classes} classes known; "
                "give data with the network's own classes, or without labels"
            )
        recording = self.network.record(batch.pictures, self.recorded)
        for name, survey in self.layers.items():
            survey.add(recording[name], batch)
        if self.predictions is not None:
            self.predictions.add(recording[LOGITS], batch.labels, batch.indices)
        self.count += len(batch.indices)
