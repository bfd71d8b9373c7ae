"""The job that measures what the units of a layer are made of, in general."""

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from phosphene.atlas import Atlas, Excerpt, Job, JobWriter, Reads
from phosphene.atlas.made import kept_as
from phosphene.circuits.asked import TOGETHER, Asked
from phosphene.circuits.facts import COLUMNS, Facts
from phosphene.circuits.general import RANDOM, GeneralEdges, chosen_at_random, contradicts, gathered
from phosphene.maximize import drawing_memory
from phosphene.network import Layer
from phosphene.study.cost import Cost
from phosphene.study.images import picture
from phosphene.study.job import StudyJob, UnitsJob
from phosphene.study.plan import Study
from phosphene.study.units import named

if TYPE_CHECKING:
    from phosphene.study.rehearsal import Rehearsal

_LONG, _FEWER, _MANY = 0.5, 5, 64
"""Seconds that scoring the edges of one unit takes, from which on a part of the pictures tells what
they cost; what part; units of which pairs are measured."""


@dataclass(frozen=True)
class MeasureEdges(UnitsJob):
    """Edges from the nearest earlier layer that is studied; where several feed it, a job each.

    A study of more layers may have nearer ones; then its job takes the place of this one.
    """

    kind = "edges"
    needs = frozenset({"pass"})
    sole = True
    source: Layer
    random: int = RANDOM
    above: int | None = None
    """How many edges of each source are measured; as many as of each target unless given."""

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
            "random": self.random,
        }

    @property
    def alike(self) -> Hashable:
        return self.kind, self.layer.name, self.source.name

    def foreseen(self, rehearsal: "Rehearsal") -> Cost:
        """Scoring grows with the units, measuring with the pairs that are among the strongest."""
        first, each = rehearsal.once(self.alike, lambda: self._scored(rehearsal))
        row, pair = rehearsal.once((self.alike, "pair"), lambda: self._paired(rehearsal))
        sources, targets = self.source.units, len(self.units)
        pairs = min(sources * targets, self.study.settings.edges * (sources + targets))
        shown = min(TOGETHER, self.study.settings.examples + self.random)
        memory = shown * drawing_memory(self.study.network, self.layer.name) / 2
        found = first + each.times(targets) + pair.times(pairs) + row.times(sources + targets)
        return replace(found, memory=memory)

    def _scored(self, rehearsal: "Rehearsal") -> tuple[Cost, Cost]:
        """What scoring costs at first, and for each unit."""
        job, more = self._of_few(rehearsal)
        first, each = replace(job, study=job._with(edges=0).study)._measured(rehearsal)
        return Cost(first.seconds * more), Cost(each.seconds * more)

    def _paired(self, rehearsal: "Rehearsal") -> tuple[Cost, Cost]:
        """What a row of edges takes in the file, and what measuring costs for each pair."""
        job, more = self._of_few(rehearsal)
        slow, k = more > 1, self.study.settings.edges
        units = rehearsal.units(self.layer, 2 if slow else _MANY)
        if slow:  # of so few units all pairs are among the strongest of a source
            job = replace(job, above=0)
        sources, targets = self.source.units, len(units)
        pairs = min(sources * targets, k * (targets if slow else targets + sources))
        together = rehearsal.cost(job.small(rehearsal, units))
        scored = rehearsal.cost(job._with(edges=0).small(rehearsal, units))
        measuring = (together - scored).times(more / pairs)
        rows = targets if slow else targets + sources
        return Cost(0, together.size / rows), Cost(measuring.seconds)

    def _of_few(self, rehearsal: "Rehearsal") -> tuple["MeasureEdges", float]:
        """The same on a part of the pictures where these take long, and how many times as many."""
        one = self._with(edges=0).small(rehearsal, rehearsal.units(self.layer, 1))
        _, alone = rehearsal.once((self.alike, "one"), lambda: (Cost(), rehearsal.cost(one)))
        if alone.seconds < _LONG:
            return self, 1.0
        examples = self.study.settings.examples
        few, random = -(-examples // _FEWER), -(-self.random // _FEWER)
        job = replace(self._with(examples=few), random=random)
        return job, (examples + self.random) / (few + random)

    def _with(self, **settings: int) -> "MeasureEdges":
        return replace(self, study=self.study.under(replace(self.study.settings, **settings)))  # type: ignore[arg-type]

    def small(self, rehearsal: "Rehearsal", units: Sequence[int]) -> UnitsJob:
        return replace(self, study=rehearsal.study.under(self.study.settings), units=units)

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
            images=torch.tensor([top["images"][unit][: settings.examples] for unit in units]),
            places=torch.tensor([top["places"][unit][: settings.examples] for unit in units]),
            random=chosen_at_random(study.data, self.random, settings.seed),
            mean=torch.tensor([record.mean for record in atlas.units(self.source.name)]),
            look=lambda images: torch.stack([picture(study, index) for index in images]),
            k=settings.edges,
            above=self.above,
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
