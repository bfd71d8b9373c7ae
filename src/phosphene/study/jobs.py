"""The pieces of work a study is made of.

Each job reads the study and what earlier jobs left in the atlas, and adds its records. What it
does follows from its parameters, the seed, the network and the data alone, so a job that was
done need not be done again, and one that was cut short starts afresh.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from phosphene.atlas import (
    Atlas,
    ExampleRecord,
    ImageRecord,
    JobWriter,
    LayerRecord,
    PictureRecord,
    Skipped,
    UnitRecord,
    job_key,
)
from phosphene.attribution import gradient
from phosphene.canvas import Spectrum
from phosphene.data import Example, Unreadable, batches, read
from phosphene.errors import DataError, RectifierError
from phosphene.examples import LayerSurvey, Survey, crop, seen_from
from phosphene.maximize import Drawing, Recipe, draw
from phosphene.network import GUIDED, PLAIN, Layer
from phosphene.objectives import Channel, Neuron, Term
from phosphene.study.plan import Study
from phosphene.types import Unit


@dataclass(frozen=True)
class StudyJob(ABC):
    """One piece of work; `run` yields the share done so far."""

    study: Study
    kind: ClassVar[str]

    @property
    @abstractmethod
    def title(self) -> str:
        """What the progress bar says."""

    @property
    def params(self) -> dict[str, Any]:
        """What its outcome depends on, besides seed, network and data."""
        return {}

    @property
    def key(self) -> str:
        """Names the job; the same work has the same key."""
        return job_key(
            self.kind,
            self.params,
            self.study.settings.seed,
            self.study.network.fingerprint,
            self.study.data_fingerprint,
        )

    @abstractmethod
    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        """Do the work and add what it found."""


@dataclass(frozen=True)
class Describe(StudyJob):
    """Network, data and layers with their receptive fields."""

    kind: ClassVar[str] = "describe"

    @property
    def title(self) -> str:
        return "measuring receptive fields"

    @property
    def params(self) -> dict[str, Any]:
        described = self.study.describe_network(), self.study.describe_data()
        return {"layers": [layer.name for layer in self.study.layers], "described": described}

    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        network = self.study.network
        writer.document("network", self.study.describe_network())
        writer.document("data", self.study.describe_data())
        for position, layer in enumerate(self.study.layers):
            field = network.fields[layer.name]
            writer.add(
                LayerRecord(
                    name=layer.name,
                    position=position,
                    kind=layer.kind,
                    shape=layer.shape,
                    units=layer.units,
                    field=field.size,
                    field_whole=field.whole,
                    default=layer.default,
                )
            )
        yield 1.0


@dataclass(frozen=True)
class Pass(StudyJob):
    """The one pass over the data: statistics of all units, top pictures, accuracy."""

    kind: ClassVar[str] = "pass"

    @property
    def title(self) -> str:
        return f"looking at {self.study.data_name}"

    @property
    def params(self) -> dict[str, Any]:
        settings = self.study.settings
        layers = [layer.name for layer in self.study.layers]
        return {"layers": layers, "examples": settings.examples, "batch": settings.batch}

    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        study = self.study
        layers = [layer.name for layer in study.layers]
        survey = Survey(study.network, layers, len(study.classes), study.settings.examples)
        count = study.describe_data()["count"]
        for batch in batches(study.data, study.settings.batch):
            survey.add(batch)
            yield (survey.count + len(survey.skipped)) / max(1, count)
        if survey.count == 0:
            raise DataError(f"none of the {count} pictures of {study.data_name} could be read")
        writer.add(*(Skipped(item.path, item.reason) for item in survey.skipped))
        writer.document("seen", {"count": survey.count, "skipped": len(survey.skipped)})
        for layer in study.layers:
            found = survey.layers[layer.name]
            writer.add(*_unit_records(study, layer, found, survey.count))
            top = found.top
            writer.document(
                f"top {layer.name}",
                {
                    "values": top.values.tolist(),
                    "images": top.images.tolist(),
                    "places": top.places.tolist(),
                },
            )
        predictions = survey.predictions
        if predictions is not None and predictions.count:
            writer.document("evaluation", _evaluation(survey, len(study.classes)))


@dataclass(frozen=True)
class Examples(StudyJob):
    """The top pictures of some units, what each unit saw in them, and its guided map there."""

    kind: ClassVar[str] = "examples"
    layer: Layer
    units: range

    @property
    def title(self) -> str:
        return f"strongest real patches of {self.layer.name}"

    @property
    def params(self) -> dict[str, Any]:
        return {
            "layer": self.layer.name,
            "units": [self.units.start, self.units.stop],
            "examples": self.study.settings.examples,
        }

    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        top = atlas.document(f"top {self.layer.name}")
        seen: dict[int, Tensor] = {}
        for unit in self.units:
            images, places = top["images"][unit], top["places"][unit]
            for index in images:
                seen.setdefault(index, _picture(self.study, index))
            pictures = torch.stack([seen[index] for index in images])
            maps = _guided(self.study, pictures, _at(self.layer, unit, places))
            field = self.study.network.fields[self.layer.name]
            boxes = [seen_from(self.layer, field, place) for place in places]
            for rank, (box, cut) in enumerate(zip(boxes, crop(maps, boxes), strict=True)):
                place = divmod(places[rank], self.layer.shape[2]) if self.layer.spatial else None
                writer.add(
                    ExampleRecord(
                        layer=self.layer.name,
                        unit=unit,
                        rank=rank,
                        image=images[rank],
                        value=top["values"][unit][rank],
                        y=place[0] if place else None,
                        x=place[1] if place else None,
                        box=box,
                        guided=cut.numpy(),
                    )
                )
            yield (unit - self.units.start + 1) / len(self.units)
        writer.add(*_image_records(self.study, seen))


@dataclass(frozen=True)
class Shown(StudyJob):
    """The pictures that the overview shows: some that were read right, some that were not."""

    kind: ClassVar[str] = "shown"

    @property
    def title(self) -> str:
        return "examples and errors"

    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        evaluation = atlas.documents().get("evaluation", {"examples": [], "errors": []})
        indices = dict.fromkeys(evaluation["examples"] + evaluation["errors"])
        pictures = {index: _picture(self.study, index) for index in indices}
        writer.add(*_image_records(self.study, pictures))
        yield 1.0


@dataclass(frozen=True)
class MeasureSpectrum(StudyJob):
    """The spectrum of the data, on which canvases stand."""

    kind: ClassVar[str] = "spectrum"

    @property
    def title(self) -> str:
        return "measuring the spectrum of the data"

    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        found = batches(self.study.data, self.study.settings.batch)
        spectrum = Spectrum.measure(batch.pictures for batch in found if len(batch.indices))
        arrays = {name: array.tolist() for name, array in spectrum.arrays().items()}
        writer.document("spectrum", arrays)
        yield 1.0


@dataclass(frozen=True)
class Pictures(StudyJob):
    """The synthetic pictures of some units by one recipe."""

    kind: ClassVar[str] = "pictures"
    layer: Layer
    units: range
    recipe: Recipe

    @property
    def title(self) -> str:
        return f"drawing {self.recipe.aim}s of {self.layer.name}"

    @property
    def params(self) -> dict[str, Any]:
        return {
            "layer": self.layer.name,
            "units": [self.units.start, self.units.stop],
            "recipe": self.recipe.to_json(),
        }

    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        study, top = self.study, atlas.document(f"top {self.layer.name}")
        arrays = {k: np.array(v, np.float32) for k, v in atlas.document("spectrum").items()}
        starts = None
        if self.recipe.aim == "channel":
            starts = torch.stack([_picture(study, top["images"][u][0]) for u in self.units])
        drawings = draw(
            study.network,
            [Unit(self.layer.name, u) for u in self.units],
            self.recipe,
            seed=study.settings.seed,
            spectrum=Spectrum.from_arrays(arrays),
            starts=starts,
        )
        writer.add(
            *(self._record(drawing, top["values"][drawing.unit.index][0]) for drawing in drawings)
        )
        yield 1.0

    def _record(self, drawing: Drawing, strongest: float) -> PictureRecord:
        return PictureRecord(
            layer=self.layer.name,
            unit=drawing.unit.index,
            kind=self.recipe.aim,
            canvas=self.recipe.canvas.kind,
            picture=drawing.picture.numpy(),
            activation=drawing.activation,
            strongest_real=strongest,
            silent=drawing.silent,
            settings=self.recipe.to_json(),
            attempts=drawing.attempts,
        )


def _unit_records(
    study: Study, layer: Layer, found: LayerSurvey, count: int
) -> Iterator[UnitRecord]:
    weights = _weight_pictures(study, layer)
    means, selectivity = found.classes.means, found.classes.selectivity
    deviation, twins = found.moments.deviation, found.moments.twins()
    labelled = bool(found.classes.counts.any())
    for unit in range(layer.units):
        bins, twin = found.histograms.bins(unit), twins[unit]
        preferred = int(selectivity.preferred[unit])
        yield UnitRecord(
            layer=layer.name,
            unit=unit,
            firing_rate=int(found.firing[unit]) / count,
            mean=float(found.moments.mean[unit]),
            deviation=float(deviation[unit]),
            maximum=float(found.moments.maximum[unit]),
            histogram_counts=bins.counts,
            histogram_low=bins.low,
            histogram_width=bins.width,
            class_means=tuple(means[:, unit].tolist()) if labelled else (),
            preferred_class=preferred if preferred >= 0 else None,
            selectivity=float(selectivity.degree[unit]) if preferred >= 0 else None,
            twin=None if twin is None else twin[0],
            twin_correlation=None if twin is None else twin[1],
            weights=None if weights is None else weights[unit].numpy(),
        )


def _weight_pictures(study: Study, layer: Layer) -> Tensor | None:
    """The layer's weights as `units c h w`, where they look at the picture or at one map each."""
    weights = study.network.weights(layer.name)
    if weights is None:
        return None
    weights = weights.float().cpu()
    if weights.ndim == 4 and weights.shape[1] in {1, 3}:
        return weights
    first = next(found for found in study.network.layers.values() if found.weights is not None)
    shape = study.network.input.shape
    if layer.weights == first.weights and weights[0].numel() == np.prod(shape):
        return weights.reshape(-1, *shape)
    return None


def _evaluation(survey: Survey, classes: int) -> dict[str, Any]:
    predictions = survey.predictions
    assert predictions is not None
    confused = ("true", "predicted", "count")
    return {
        "count": predictions.count,
        "accuracy": predictions.accuracy,
        "top5": predictions.top5 if classes > 10 else None,
        "confusion": predictions.confusion.tolist() if classes <= 100 else None,
        "most_confused": [
            dict(zip(confused, entry, strict=True)) for entry in predictions.most_confused()
        ],
        "examples": predictions.examples,
        "errors": predictions.errors,
    }


def _picture(study: Study, index: int) -> Tensor:
    item = read(study.data[index])
    if isinstance(item, Unreadable):
        raise DataError(f"{item.path} could be read before and cannot now: {item.reason}")
    return item.picture


def _image_records(study: Study, pictures: dict[int, Tensor]) -> Iterator[ImageRecord]:
    indices = sorted(pictures)
    for start in range(0, len(indices), study.settings.batch):
        some = indices[start : start + study.settings.batch]
        guesses: Sequence[tuple[float, int] | None] = [None] * len(some)
        if study.network.classifies:
            chances, classes = study.network.probabilities(
                torch.stack([pictures[i] for i in some])
            ).max(1)
            guesses = list(zip(chances.tolist(), classes.tolist(), strict=True))
        for index, guess in zip(some, guesses, strict=True):
            item = read(study.data[index])
            assert isinstance(item, Example)
            yield ImageRecord(
                index=index,
                label=item.label,
                predicted=None if guess is None else guess[1],
                probability=None if guess is None else guess[0],
                picture=pictures[index].numpy(),
            )


def _at(layer: Layer, unit: int, places: Sequence[int]) -> Term:
    """The objective that asks for `unit` at its own place in each picture."""
    if len(layer.shape) == 1:
        return Channel(layer.name, unit)
    width = layer.shape[2] if layer.spatial else layer.shape[0]
    rows, columns = zip(*(divmod(place, width) for place in places), strict=True)
    return Neuron(layer.name, unit, y=rows, x=columns)


def _guided(study: Study, pictures: Tensor, objective: Term) -> Tensor:
    """Guided maps, or plain gradients for networks that guided backpropagation cannot explain."""
    try:
        return gradient(study.network, pictures, objective, rule=GUIDED).cpu()
    except RectifierError:
        return gradient(study.network, pictures, objective, rule=PLAIN).cpu()
