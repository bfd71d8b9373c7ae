"""The job that measures what the units of a layer are made of, in general."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from phosphene.atlas import Atlas, Excerpt, Job, JobWriter, Reads
from phosphene.atlas.made import kept_as
from phosphene.circuits.asked import Asked
from phosphene.circuits.facts import COLUMNS, Facts
from phosphene.circuits.general import RANDOM, GeneralEdges, chosen_at_random, contradicts, gathered
from phosphene.network import Layer
from phosphene.study.images import picture
from phosphene.study.job import StudyJob, UnitsJob
from phosphene.study.plan import Study
from phosphene.study.units import named


@dataclass(frozen=True)
class MeasureEdges(UnitsJob):
    """Edges from the nearest earlier layer that is studied; where several feed it, a job each.

    A study of more layers may have nearer ones; then its job takes the place of this one.
    """

    kind = "edges"
    needs = frozenset({"pass"})
    sole = True
    source: Layer

    @classmethod
    def planned(cls, study: Study, earlier: Sequence[StudyJob]) -> Iterator[StudyJob]:
        if not study.settings.edges:
            return
        names = {layer.name: layer for layer in study.layers}
        for layer in study.layers:
            for source in nearest_fed(study, layer.name, names):
                yield cls(study, layer, study.units(layer), names[source])

    @property
    def title(self) -> str:
        return f"measuring what {self.layer.name} is made of in {self.source.name}"

    @property
    def params(self) -> dict[str, Any]:
        settings = self.study.settings
        return {
            "layers": [self.source.name, self.layer.name],
            **named(self.units),
            "edges": settings.edges,
            "examples": settings.examples,
            "random": RANDOM,
        }

    def replaces(self, other: Job) -> bool | None:
        """Whether it takes the other's place, for being nearer; None where both stand."""
        source, target = other.params["layers"]
        if target != self.layer.name:
            return None
        known = {layer.name for layer in self.study.layers} | {source}
        near = nearest_fed(self.study, target, known)
        if self.source.name not in near:
            return False
        return None if source in near else True

    @property
    def reads(self) -> Reads:
        return Reads((f"top {self.layer.name}",), units=(self.source.name,))

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        study, settings = self.study, self.study.settings
        top, units = atlas.document(f"top {self.layer.name}"), list(self.units)
        asked = Asked(
            network=study.network,
            source=self.source.name,
            target=self.layer.name,
            units=torch.tensor(units),
            images=torch.tensor([top["images"][unit] for unit in units]),
            places=torch.tensor([top["places"][unit] for unit in units]),
            random=chosen_at_random(study.data, RANDOM, settings.seed),
            mean=torch.tensor([record.mean for record in atlas.units(self.source.name)]),
            look=lambda images: torch.stack([picture(study, index) for index in images]),
            k=settings.edges,
        )
        for step in gathered(asked):
            if isinstance(step, GeneralEdges):
                _keep(step, writer)
            else:
                yield step
        yield 1.0


def nearest_fed(study: Study, target: str, names: Collection[str]) -> tuple[str, ...]:
    """Of the layers called `names` those that feed `target` with none of the others between."""
    feeds, found, seen = study.network.feeds, list[str](), set[str]()
    todo = list(feeds[target])
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in names:
            found.append(name)
        else:
            todo.extend(feeds[name])
    return tuple(sorted(found, key=list(study.network.layers).index))


def _keep(found: GeneralEdges, writer: JobWriter) -> None:
    """Add the edges as a document and arrays."""
    name = kept_as(found.source, found.target)
    told = found.to_json()
    writer.document(name, {key: told[key] for key in told if key not in {"made_of", "part_of"}})
    arrays: dict[str, Any] = {}
    for way, facts in (("made_of", found.made_of), ("part_of", found.part_of)):
        arrays |= {f"{way} {column}": values for column, values in _columns(facts).items()}
    writer.arrays(name, arrays)


def _columns(facts: Facts) -> dict[str, Any]:
    columns = {column: getattr(facts, column).float().numpy() for column in COLUMNS}
    return columns | {"contradicted": contradicts(facts).float().numpy()}
