"""Jobs about the network and the data as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from phosphene.atlas import (
    Atlas,
    Excerpt,
    JobWriter,
    LayerRecord,
    Reads,
    Skipped,
)
from phosphene.canvas import Spectrum
from phosphene.data import batches, item_name, shards, spans
from phosphene.data.dataset import length
from phosphene.errors import DataError
from phosphene.study.alike import correlated
from phosphene.study.images import files_of, image_records, members_of
from phosphene.study.job import ShardedJob, StudyJob
from phosphene.study.plan import Study
from phosphene.study.surveyed import evaluation, labels_found, left_out, unit_records
from phosphene.survey import Survey
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

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
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
class Pass(ShardedJob):
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

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        assert isinstance(atlas, Atlas), "what is left of the pass lies beside the file"
        study, survey, count = self.study, self.begun(atlas), self._count
        for shard in shards(study.data, study.batch, study.settings.workers, survey.seen):
            part = survey.empty()
            for batch in shard:
                part.add(batch)
                yield (survey.seen + part.seen) / count
            self.take(survey, part, atlas)
        self.conclude(survey, writer)

    def begun(self, atlas: Atlas) -> Survey:
        survey = self._survey()
        load_state(survey, self._kept(atlas), self._gathers)
        return survey

    def shards(self, gathered: Survey) -> Sequence[range]:
        return [*spans(self._count, self.study.batch, gathered.seen)]

    def gather(self, shard: range) -> Iterator[float | Mapping[str, Any]]:
        study, part = self.study, self._survey()
        workers = study.settings.workers
        for batch in batches(study.data, study.batch, workers, shard.start, shard.stop):
            part.add(batch)
            yield part.seen / len(shard)
        yield part.state()

    def parsed(self, gathered: Survey, shard: range, found: Any) -> Survey:
        part = gathered.empty()
        part.restore(dict(found))
        if part.seen != len(shard):
            raise DataError(f"{part.seen} pictures were seen in a shard of {len(shard)}")
        return part

    def take(self, gathered: Survey, part: Survey, atlas: Atlas) -> float:
        gathered.merge(part)
        if gathered.seen < self._count:
            save_state(gathered, self._kept(atlas), self._gathers)
        return gathered.seen / self._count

    def _survey(self) -> Survey:
        study = self.study
        layers = [layer.name for layer in study.layers]
        classes = None if study.vocabulary.shared else len(study.classes)
        name = partial(item_name, study.data)
        kept = study.settings.examples
        return Survey(study.network, layers, classes, kept, name=name, neighbours=True)

    @property
    def _count(self) -> int:
        return length(self.study.data)

    def conclude(self, gathered: Survey, writer: JobWriter) -> None:
        survey, study = gathered, self.study
        if survey.count == 0:
            raise DataError(
                f"none of the {self._count} pictures of {study.data_name} could be read"
            )
        writer.add(*(Skipped(item.path, item.reason) for item in survey.skipped))
        writer.document("seen", {"count": survey.count, "skipped": len(survey.skipped)})
        for layer in study.layers:
            found = survey.layers[layer.name]
            alike = correlated(survey, layer.name)
            writer.add(*unit_records(study, layer, found, survey.count, alike))
            top = found.top
            writer.document(
                f"top {layer.name}",
                {
                    "values": top.values.tolist(),
                    "images": top.images.tolist(),
                    "places": top.places.tolist(),
                },
            )
        missing = {layer.name: said for layer in study.layers if (said := left_out(survey, layer))}
        if missing:
            writer.document("left out", missing)
        if survey.found is not None and survey.found.count:
            writer.document("labels found", labels_found(survey.found))
        predictions = survey.predictions
        if predictions is not None and predictions.count:
            writer.document("evaluation", evaluation(survey, len(study.classes)))

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

    @property
    def reads(self) -> Reads:
        return Reads(("evaluation", *(f"top {layer.name}" for layer in self.study.layers)))

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        read = atlas.document("evaluation", {"examples": [], "errors": []})
        indices = {*read["examples"], *read["errors"]}
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

    @property
    def reads(self) -> Reads:
        return Reads()

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        settings = self.study.settings
        found = batches(self.study.data, self.study.batch, settings.workers)
        spectrum = Spectrum.measure(batch.pictures for batch in found if len(batch.indices))
        writer.arrays("spectrum", spectrum.arrays())
        yield 1.0


def _chosen(study: Study) -> dict[str, dict[str, list[int]]]:
    """The units that were chosen, as a job's parameter and a document; nothing where all are."""
    return {"chosen": {k: list(v) for k, v in study.chosen.items()}} if study.chosen else {}
