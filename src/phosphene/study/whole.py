"""Jobs about the network and the data as a whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.utils.data import Subset

from phosphene.atlas import (
    Atlas,
    Excerpt,
    Job,
    JobWriter,
    LayerRecord,
    Reads,
    Skipped,
    job_key,
)
from phosphene.canvas import Spectrum
from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.errors import DataError
from phosphene.maximize import drawing_memory
from phosphene.study.alike import correlated
from phosphene.study.cost import Cost, distinct
from phosphene.study.gathering import Gathering, ThroughData, parts_of, shard_count
from phosphene.study.images import files_of, image_records, members_of
from phosphene.study.job import StudyJob
from phosphene.study.plan import Study
from phosphene.study.surveyed import evaluation, labels_found, left_out, unit_records

if TYPE_CHECKING:
    from phosphene.study.rehearsal import Rehearsal

PART = "part"
"""The kind of job that goes through a part of the data: see `phosphene.study.parts`."""

OF_PICTURES = ("members", "files")
"""The documents that say of pictures which labels hold and which files they are, by index."""


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
        writer.document("order", [*network.layers])
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

    def foreseen(self, rehearsal: "Rehearsal") -> Cost:
        return rehearsal.cost(replace(self, study=rehearsal.study), keep=True)


@dataclass(frozen=True)
class Pass(ThroughData):
    """The one pass over the data: statistics of all units, top pictures, accuracy.

    What was found is kept after each shard of the data in a file beside the atlas, which is gone
    when the pass is done, and so are the parts of it that the atlas had.
    """

    kind = "pass"
    sole = True

    @classmethod
    def belongs(cls, job: Job, study: Study) -> bool:
        """Whether a merge put it together from layers that were apart; this pass replaces it."""
        names = {*job.params["layers"]}
        if "apart" not in job.params or not {layer.name for layer in study.layers} >= names:
            return False
        told = {key: job.params[key] for key in ("layers", "apart")}
        return job.key == _key_of(cls, study, cls(study).params | told)

    @property
    def title(self) -> str:
        return f"looking at {self.study.data_name}"

    @property
    def params(self) -> dict[str, Any]:
        settings = self.study.settings
        layers = [layer.name for layer in self.study.layers]
        return {"layers": layers, "examples": settings.examples, "batch": settings.batch}

    def begun(self, atlas: Atlas) -> Gathering:
        every, parts = range(shard_count(self.study)), parts_of(atlas, self.key)
        return Gathering(self.study, self._kept(atlas), self.key, every, parts)

    def conclude(self, gathered: Gathering, writer: JobWriter) -> None:
        survey, study = gathered.tree.whole(), self.study
        if survey.count == 0:
            raise DataError(
                f"none of the {length(study.data)} pictures of {study.data_name} could be read"
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
        atlas.drop(job.key for job in atlas.jobs(PART) if job.params["pass"] == self.key)

    def foreseen(self, rehearsal: "Rehearsal") -> Cost:
        small = rehearsal.cost(replace(self, study=rehearsal.study), keep=True)
        seen = Cost(rehearsal.through(rehearsal.seen, rehearsal.looking))
        whole = Cost(rehearsal.through(rehearsal.count, rehearsal.looking))
        *_, deepest = self.study.network.layers
        memory = self.study.batch * drawing_memory(self.study.network, deepest) / 3
        return replace(small - seen + whole, memory=memory)

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

    @classmethod
    def belongs(cls, job: Job, study: Study) -> bool:
        """Whether a job kept pictures for fewer layers or units of this study: a merge brings it.

        What it is of is told by its key.
        """
        names, chosen = job.params["layers"], job.params.get("chosen", {})
        layers = {layer.name: layer for layer in study.layers}
        if job.params["examples"] != study.settings.examples or not layers.keys() >= {*names}:
            return False
        if job.key != _key_of(cls, study, job.params):
            return False
        every = {name: range(layers[name].units) for name in names}
        return all({*(every | chosen)[name]} <= {*study.units(layers[name])} for name in names)

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
        told = members_of(self.study, ordered), files_of(self.study, ordered)
        for name, found in zip(OF_PICTURES, told, strict=True):
            if found:
                writer.document(name, found)

    def foreseen(self, rehearsal: "Rehearsal") -> Cost:
        small = rehearsal.cost(replace(self, study=rehearsal.study), keep=True)
        each = small.times(1 / max(1, len(rehearsal.atlas.kept())))
        study, examples = self.study, self.study.settings.examples
        picked = sum(len(study.units(layer)) * examples for layer in study.layers)
        return each.times(distinct(picked, rehearsal.count))


MOST_WAVES = 2**14
"""Pictures that a spectrum is measured on at most: each wave is known to a hundredth by them, and
to go through millions a second time would take as long as the pass."""


@dataclass(frozen=True)
class MeasureSpectrum(StudyJob):
    """The spectrum of the data, on which canvases stand; of very many pictures it is that of some.

    These are spread evenly over the data.
    """

    kind = "spectrum"

    @property
    def title(self) -> str:
        return "measuring the spectrum of the data"

    @property
    def params(self) -> dict[str, Any]:
        return {"pictures": MOST_WAVES} if length(self.study.data) > MOST_WAVES else {}

    @property
    def reads(self) -> Reads:
        return Reads()

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        settings, data = self.study.settings, self.study.data
        if (count := length(data)) > MOST_WAVES:
            data = Subset(data, [i * count // MOST_WAVES for i in range(MOST_WAVES)])
        found = batches(data, self.study.batch, settings.workers)
        spectrum = Spectrum.measure(batch.pictures for batch in found if len(batch.indices))
        writer.arrays("spectrum", spectrum.arrays())
        yield 1.0

    def foreseen(self, rehearsal: "Rehearsal") -> Cost:
        small = rehearsal.cost(replace(self, study=rehearsal.study), keep=True)
        each = max(0.0, small.seconds / rehearsal.seen - rehearsal.reading)
        pictures = min(MOST_WAVES, rehearsal.count)
        return Cost(rehearsal.through(pictures, each), small.size)


def _key_of(kind: type[StudyJob], study: Study, params: Mapping[str, Any]) -> str:
    """The key that a job of other parameters has in a study."""
    fingerprints = study.network.fingerprint, study.data_fingerprint
    return job_key(kind.kind, params, study.settings.seed, *fingerprints)


def _chosen(study: Study) -> dict[str, dict[str, list[int]]]:
    """The units that were chosen, as a job's parameter and a document; nothing where all are."""
    return {"chosen": {k: list(v) for k, v in study.chosen.items()}} if study.chosen else {}
