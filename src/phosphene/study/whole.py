"""Jobs about the network and the data as a whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from phosphene.atlas import Atlas, JobWriter, LayerRecord, Skipped, UnitRecord
from phosphene.canvas import Spectrum
from phosphene.data import batches, item_name, shards
from phosphene.errors import DataError
from phosphene.network import Layer
from phosphene.study.alike import Correlations, correlated
from phosphene.study.images import files_of, image_records, members_of
from phosphene.study.job import StudyJob
from phosphene.study.plan import Study
from phosphene.survey import MOST_BETWEEN, LabelPredictions, LayerSurvey, Survey
from phosphene.survey.state import load_state, save_state


@dataclass(frozen=True)
class Describe(StudyJob):
    """Network, data and layers with their receptive fields."""

    kind = "describe"
    needs = frozenset()
    sole = True

    @property
    def title(self) -> str:
        return "measuring receptive fields"

    @property
    def params(self) -> dict[str, Any]:
        described = self.study.describe_network(), self.study.describe_data()
        layers = [layer.name for layer in self.study.layers]
        return {"layers": layers, "described": described} | _chosen(self.study)

    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        network = self.study.network
        writer.document("network", self.study.describe_network())
        # Beside what the key is made of: a stray file does not make it another study.
        passed_over = str(getattr(self.study.data, "passed_over", ""))
        writer.document("data", self.study.describe_data() | {"passed_over": passed_over})
        writer.document("reading", self.study.describe_reading())
        writer.document("source", dict(self.study.source))
        for name, chosen in _chosen(self.study).items():
            writer.document(name, chosen)
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
                    field_bound=field.bound or None,
                    default=layer.default,
                    layout=layer.layout,
                    multiply_adds=network.costs.get(layer.name),
                )
            )
        yield 1.0


@dataclass(frozen=True)
class Pass(StudyJob):
    """The one pass over the data: statistics of all units, top pictures, accuracy.

    What was found is kept after each shard of the data in a file beside the atlas, which is gone
    when the pass is done.
    """

    kind = "pass"
    sole = True

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
        classes = None if study.vocabulary.shared else len(study.classes)
        name = partial(item_name, study.data)
        kept = study.settings.examples
        survey = Survey(study.network, layers, classes, kept, name=name, neighbours=True)
        count = study.describe_data()["count"]
        load_state(survey, self._kept(atlas), self._gathers)
        for shard in shards(study.data, study.batch, study.settings.workers, survey.seen):
            part = survey.empty()
            for batch in shard:
                part.add(batch)
                yield (survey.seen + part.seen) / count
            survey.merge(part)
            if survey.seen < count:
                save_state(survey, self._kept(atlas), self._gathers)
        if survey.count == 0:
            raise DataError(f"none of the {count} pictures of {study.data_name} could be read")
        writer.add(*(Skipped(item.path, item.reason) for item in survey.skipped))
        writer.document("seen", {"count": survey.count, "skipped": len(survey.skipped)})
        for layer in study.layers:
            found = survey.layers[layer.name]
            alike = correlated(survey, layer.name)
            writer.add(*_unit_records(study, layer, found, survey.count, alike))
            top = found.top
            writer.document(
                f"top {layer.name}",
                {
                    "values": top.values.tolist(),
                    "images": top.images.tolist(),
                    "places": top.places.tolist(),
                },
            )
        left_out = {
            layer.name: said for layer in study.layers if (said := _left_out(survey, layer))
        }
        if left_out:
            writer.document("left out", left_out)
        if survey.found is not None and survey.found.count:
            writer.document("labels found", _labels_found(survey.found))
        predictions = survey.predictions
        if predictions is not None and predictions.count:
            writer.document("evaluation", _evaluation(survey, len(study.classes)))

    def tidy(self, atlas: Atlas) -> None:
        self._kept(atlas).unlink(missing_ok=True)

    @property
    def _gathers(self) -> str:
        """Whose a state is: an earlier version's pass gathered less, and cannot be gone on from."""
        return f"{self.key} with neighbours"

    @staticmethod
    def _kept(atlas: Atlas) -> Path:
        return atlas.path.with_name(f"{atlas.path.name}.pass")


@dataclass(frozen=True)
class Shown(StudyJob):
    """The pictures that pages show: those that units answer to most, some read right, some not.

    Many units answer to the same picture, so all are kept by one job, once.
    """

    kind = "shown"
    needs = frozenset({"pass"})
    sole = True

    @property
    def title(self) -> str:
        return "keeping the pictures that are shown"

    @property
    def params(self) -> dict[str, Any]:
        layers = [layer.name for layer in self.study.layers]
        examples = self.study.settings.examples
        return {"layers": layers, "examples": examples} | _chosen(self.study)

    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        evaluation = atlas.document("evaluation", {"examples": [], "errors": []})
        indices = {*evaluation["examples"], *evaluation["errors"]}
        for layer in self.study.layers:
            images = atlas.document(f"top {layer.name}")["images"]
            indices.update(*(images[unit] for unit in self.study.units(layer)))
        ordered = sorted(indices)
        for start in range(0, len(ordered), self.study.batch):
            some = ordered[start : start + self.study.batch]
            writer.add(*image_records(self.study, some))
            yield (start + len(some)) / len(ordered)
        members = members_of(self.study, ordered)
        if members:
            writer.document("members", members)
        files = files_of(self.study, ordered)
        if files:
            writer.document("files", files)


@dataclass(frozen=True)
class MeasureSpectrum(StudyJob):
    """The spectrum of the data, on which canvases stand."""

    kind = "spectrum"

    @property
    def title(self) -> str:
        return "measuring the spectrum of the data"

    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        settings = self.study.settings
        found = batches(self.study.data, self.study.batch, settings.workers)
        spectrum = Spectrum.measure(batch.pictures for batch in found if len(batch.indices))
        writer.arrays("spectrum", spectrum.arrays())
        yield 1.0


def _chosen(study: Study) -> dict[str, dict[str, list[int]]]:
    """The units that were chosen, as a job's parameter and a document; nothing where all are."""
    return {"chosen": {k: list(v) for k, v in study.chosen.items()}} if study.chosen else {}


MOST_PROFILED = 2**22
"""Units times classes: of a layer with more an atlas has no class means, 80 MB of text and more."""


MEMBERS = 3
"""Of fewer pictures of a class, on average, no unit is said to prefer one."""


def _profiled(found: LayerSurvey) -> bool:
    return found.layer.units * len(found.classes.counts) <= MOST_PROFILED


def _left_out(survey: Survey, layer: Layer) -> list[str]:
    """What is not known or not kept of a layer with very many units, in words."""
    found = survey.layers[layer.name]
    said = list(found.left_out)
    after = _after(survey, layer)
    if after is not None and layer.name not in survey.next:
        said.append(
            f"Its units were not compared with those of {after.name}: {layer.units:,} and "
            f"{after.units:,} make more than {MOST_BETWEEN:,} pairs."
        )
    if found.classes.kept and not _profiled(found) and found.classes.counts.any():
        said.append(
            f"Mean responses to each class were not kept: {layer.units:,} units and "
            f"{survey.classes:,} classes make more than {MOST_PROFILED:,} numbers."
        )
    return said


def _after(survey: Survey, layer: Layer) -> Layer | None:
    """The layer after one of those that were surveyed."""
    names = list(survey.layers)
    following = names[names.index(layer.name) + 1 :]
    return survey.layers[following[0]].layer if following else None


def _unit_records(
    study: Study, layer: Layer, found: LayerSurvey, count: int, alike: Mapping[str, Correlations]
) -> Iterator[UnitRecord]:
    weights = _weight_pictures(study, layer)
    profiled = _profiled(found) and bool(found.classes.counts.any())
    means = found.classes.means if profiled else None
    counts = found.classes.counts
    comparable = int(counts.sum()) >= MEMBERS * int((counts > 0).sum())
    selectivity, deviation = found.classes.selectivity, found.moments.deviation
    twins = found.moments.twins() if found.moments.compared else [None] * layer.units
    for unit in range(layer.units):
        bins, twin = found.histograms.bins(unit), twins[unit]
        preferred = int(selectivity.preferred[unit]) if comparable else -1
        yield UnitRecord(
            layer=layer.name,
            unit=unit,
            firing_rate=int(found.firing[unit]) / count,
            mean=float(found.moments.mean[unit]),
            deviation=float(deviation[unit]),
            maximum=float(found.top.strongest[unit]),
            histogram_counts=bins.counts,
            histogram_low=bins.low,
            histogram_width=bins.width,
            class_means=() if means is None else tuple(means[:, unit].tolist()),
            preferred_class=preferred if preferred >= 0 else None,
            selectivity=float(selectivity.degree[unit]) if preferred >= 0 else None,
            twin=None if twin is None else twin[0],
            twin_correlation=None if twin is None else twin[1],
            weights=None if weights is None else weights[unit].numpy(),
            correlated={name: found_in[unit] for name, found_in in alike.items()},
        )


def _weight_pictures(study: Study, layer: Layer) -> Tensor | None:
    """The layer's weights as `units c h w`, where they look at the picture or at one map each."""
    weights = study.network.weights(layer.name)
    if weights is None:
        return None
    weights = weights.float().cpu()
    first = next(found for found in study.network.layers.values() if found.weights is not None)
    input, looks = study.network.input, layer.weights == first.weights
    on_input = looks and weights.ndim == 4 and weights.shape[1] == input.channels
    if on_input:
        return input.as_pictures(weights)
    if weights.ndim == 4 and weights.shape[1] in {1, 3}:
        return weights
    if looks and weights[0].numel() == np.prod(input.shape):
        return input.as_pictures(weights.reshape(-1, *input.shape))
    return None


def _labels_found(found: LabelPredictions) -> dict[str, Any]:
    return {
        "count": found.count,
        "right": found.right,
        "held": found.held.tolist(),
        "found": found.found.tolist(),
        "both": found.both.tolist(),
    }


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
