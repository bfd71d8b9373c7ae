"""The job that measures what the units of a layer are made of, in general."""

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from phosphene.atlas import Atlas, Excerpt, Job, JobWriter, Reads
from phosphene.atlas.made import kept_as
from phosphene.circuits.asked import Asked
from phosphene.circuits.facts import COLUMNS, Facts
from phosphene.circuits.general import RANDOM, GeneralEdges, chosen_at_random, contradicts, gathered
from phosphene.network import Layer
from phosphene.study.cost import Cost, distinct
from phosphene.study.images import picture
from phosphene.study.job import StudyJob, UnitsJob
from phosphene.study.plan import Study
from phosphene.study.units import named

if TYPE_CHECKING:
    from phosphene.study.rehearsal import Rehearsal

_LONG, _PART, _MANY, _FEW = 0.5, 5, 64, 16
"""Seconds that scoring the edges of one unit takes, from which on a part of the pictures tells what
scoring costs; what part; units of which pairs are measured where that is quick, and how many pairs
of one unit elsewhere."""


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
        beside, variant = rehearsal.once((self.alike, "pair"), lambda: self._paired(rehearsal))
        sources, targets = self.source.units, len(self.units)
        variants = self._variants(self._pairs(), rehearsal.count)
        memory = max(first.memory, variant.memory)
        rows = Cost(beside.seconds * targets, beside.size * (sources + targets))
        return replace(first + each.times(targets) + rows + variant.times(variants), memory=memory)

    def _pairs(self) -> int:
        """How many pairs are measured at most, the strongest of each target and of each source."""
        sources, targets = self.source.units, len(self.units)
        return min(sources * targets, self.study.settings.edges * (sources + targets))

    def _variants(self, pairs: int, count: int) -> float:
        """How often a unit is replaced to measure so many pairs, on `count` pictures of the data.

        Three times on each strong picture and once on each random one; where a variant of a picture
        goes through the network as a whole, it tells of all targets that are looked at on it.
        """
        examples, sources = self.study.settings.examples, self.source.units
        if self.study.network.between(self.source.name, self.layer.name) is not None:
            return pairs * (3 * examples + self.random)
        strong = distinct(pairs * examples, count * sources)
        return 3 * strong + self.random * distinct(pairs, sources)

    def _scored(self, rehearsal: "Rehearsal") -> tuple[Cost, Cost]:
        """What scoring costs at first, and for each unit."""
        job, more = self._of_few(rehearsal)
        first, each = replace(job, study=job._with(edges=0).study)._measured(rehearsal)
        memory = max(first.memory, each.memory) * more
        return Cost(first.seconds * more, memory=memory), Cost(each.seconds * more)

    def _paired(self, rehearsal: "Rehearsal") -> tuple[Cost, Cost]:
        """What measuring costs for each target and takes in the file for each row; each variant."""
        _, more = self._of_few(rehearsal)
        sources, k = self.source.units, self.study.settings.edges
        units = rehearsal.units(self.layer, 1 if more > 1 else _MANY)
        usual = _FEW if more > 1 else self._pairs() // len(self.units)  # of a target
        fewer, many = min(_FEW // 4, k, sources), min(max(2 * k, usual), sources)

        def measuring(each: int) -> Cost:
            some = replace(self._with(edges=each), above=0).small(rehearsal, units)
            return rehearsal.cost(some) - scored

        scored = rehearsal.cost(self._with(edges=0).small(rehearsal, units))
        some, found = measuring(fewer), measuring(many)
        one, other = (self._variants(each * len(units), rehearsal.seen) for each in (fewer, many))
        variant = (found - some).times(1 / (other - one)) if other > one else found.times(1 / other)
        beside = max(0.0, some.seconds - one * variant.seconds) / len(units)
        size = found.size / many * k / len(units)
        return Cost(beside, size), Cost(variant.seconds, memory=found.memory)

    def _of_few(self, rehearsal: "Rehearsal") -> tuple["MeasureEdges", float]:
        """The same on a part of the pictures where these take long, and how many times as many."""
        one = self._with(edges=0).small(rehearsal, rehearsal.units(self.layer, 1))
        _, alone = rehearsal.once((self.alike, "one"), lambda: (Cost(), rehearsal.cost(one)))
        if alone.seconds < _LONG:
            return self, 1.0
        examples = self.study.settings.examples
        few, random = -(-examples // _PART), -(-self.random // _PART)
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
