"""What all pieces of work of a study have in common.

Each job reads the study and what the jobs it needs left in the atlas, and adds its records. What
it does follows from its parameters, the seed, the network and the data alone, so a job that was
done need not be done again, and one that was cut short starts afresh.

A kind of job is a class that names its `kind`; that is all it takes to be part of every study.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from phosphene.atlas import Atlas, Excerpt, Job, JobWriter, Reads, job_key
from phosphene.atlas.reader import CLOCK
from phosphene.network import Layer
from phosphene.study.cost import Cost
from phosphene.study.plan import Study

if TYPE_CHECKING:
    from phosphene.study.rehearsal import Rehearsal

KINDS: dict[str, type["StudyJob"]] = {}
"""The kinds of jobs that a study is made of, by name."""

EVERYTHING = frozenset({"*"})
"""The needs of a job that comes after all others."""

PROBE, PRICE = "probe", CLOCK
"""Kinds of jobs that are part of no study's plan: what probes found, what a build was to cost."""

BESIDE = frozenset({PROBE, PRICE})

_SHORT, _LONG, _MANY = 0.2, 2.0, 64
"""Seconds that one unit takes of which it is told again, or of which it is enough; units."""


@dataclass(frozen=True)
class StudyJob(ABC):
    """One piece of work; `run` yields the share done so far."""

    study: Study
    kind: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset({"describe"})
    """The kinds of jobs whose results it reads, or `EVERYTHING`."""
    sole: ClassVar[bool] = False
    """Whether a study of more layers replaces it, by one of its kind: see `replaces`."""
    revision: ClassVar[int] = 0
    """Counted up when the method changes, so that its results are not mixed with earlier ones."""

    def __init_subclass__(cls) -> None:
        if "kind" in vars(cls):
            KINDS[cls.kind] = cls

    @classmethod
    def planned(cls, study: Study, earlier: Sequence["StudyJob"]) -> Iterator["StudyJob"]:
        """The jobs of this kind in a study, given those of the kinds it needs."""
        yield cls(study)

    @classmethod
    def belongs(cls, job: Job, study: Study) -> bool:
        """Whether a job of this kind that is planned for no study is of this one nevertheless."""
        return False

    @property
    @abstractmethod
    def title(self) -> str:
        """What the progress bar says."""

    @property
    def params(self) -> dict[str, Any]:
        """What its outcome depends on, besides seed, network and data."""
        return {}

    @property
    def told(self) -> dict[str, Any]:
        """The parameters as the atlas keeps them, with the revision where there is one."""
        return self.params | ({"revision": self.revision} if self.revision else {})

    @property
    def key(self) -> str:
        """Names the job; the same work has the same key."""
        return job_key(
            self.kind,
            self.told,
            self.study.settings.seed,
            self.study.network.fingerprint,
            self.study.data_fingerprint,
        )

    @classmethod
    def waits_for(cls, left: Collection[str]) -> bool:
        """Whether one of the kinds of jobs that are `left` has to be done before."""
        before = {*left} - {cls.kind}
        return bool(before if cls.needs == EVERYTHING else before & cls.needs)

    def replaces(self, other: Job) -> bool | None:
        """Whether it takes the place of another of its kind, which has no more layers.

        None where the two are no rivals and both stand.
        """
        names = {layer.name for layer in self.study.layers}
        return names.issuperset(other.params.get("layers", ()))

    @property
    def place(self) -> tuple[int, int]:
        """Where in the study it is at work: jobs on one place stand together in a plan."""
        return -1, 0

    @property
    def reads(self) -> Reads | None:
        """What it reads of the atlas, by name, so that another process can do it without the file.

        None for a job that is given the whole atlas, and so is done by the process that has it.
        """
        return None

    @abstractmethod
    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        """Do the work and add what it found; the atlas is what `reads` names of it."""

    def tidy(self, atlas: Atlas) -> None:  # noqa: B027 - most put nothing there
        """Remove what it put beside the atlas to go on from, now that what it found is kept."""

    def foreseen(self, rehearsal: "Rehearsal") -> Cost:
        """What it will cost. Who does not say otherwise goes through all of the data."""
        small = rehearsal.cost(replace(self, study=rehearsal.study), keep=True)
        return small.times(rehearsal.count / rehearsal.seen)


@dataclass(frozen=True)
class UnitsJob(StudyJob):
    """A piece of work on some units of one layer; for some layers it may be impossible."""

    layer: Layer
    units: Sequence[int]

    @property
    def place(self) -> tuple[int, int]:
        return self.study.layers.index(self.layer), self.units[0]

    @property
    def alike(self) -> Hashable:
        """What it has in common with the jobs on other units of the layer."""
        return self.kind, self.layer.name

    def foreseen(self, rehearsal: "Rehearsal") -> Cost:
        """What it will cost: something at first, and as much again for each unit."""
        first, each = rehearsal.once(self.alike, lambda: self._measured(rehearsal))
        return first + each.times(len(self.units))

    def small(self, rehearsal: "Rehearsal", units: Sequence[int]) -> "UnitsJob":
        """The same on some units of the small study."""
        return replace(self, study=rehearsal.study, units=units)

    def _measured(self, rehearsal: "Rehearsal") -> tuple[Cost, Cost]:
        """What it costs at first, and for each unit: as few are tried as tell it."""

        def cost(count: int) -> Cost:
            return rehearsal.cost(self.small(rehearsal, rehearsal.units(self.layer, count)))

        alone = cost(1)
        if alone.seconds > _LONG:
            return Cost(), alone
        count = len(rehearsal.units(self.layer, max(2, min(_MANY, int(1 / alone.seconds)))))
        if alone.seconds < _SHORT:  # whatever runs first takes longer
            alone = cost(1)
        together = cost(count)
        if count == 1 or together.seconds <= alone.seconds:
            return Cost(), together.times(1 / count)
        each = (together - alone).times(1 / (count - 1))
        return alone - each, each


class ShardedJob(StudyJob):
    """A job that can be cut: its shards are gathered apart and taken in in their order.

    `run` does all of it in one process, with the same outcome.
    """

    @abstractmethod
    def begun(self, atlas: Atlas) -> Any:
        """What all shards are taken into, with what an earlier run of this job left of them."""

    @abstractmethod
    def shards(self, gathered: Any) -> Sequence[range]:
        """The shards that are left, as spans of the data, in their order."""

    @abstractmethod
    def gather(self, shard: range) -> Iterator[float | Mapping[str, Any]]:
        """Yield the share of a shard that is done, and at last what was found in it."""

    @abstractmethod
    def parsed(self, gathered: Any, shard: range, found: Any) -> Any:
        """What was found in a shard, as it can be taken in.

        Raises:
            DataError, LookupError, TypeError, ValueError, AttributeError: nobody can have found it.
        """

    @abstractmethod
    def take(self, gathered: Any, part: Any, atlas: Atlas) -> float:
        """Take in the next shard, as `parsed`; the share of the whole that is done now."""

    @abstractmethod
    def conclude(self, gathered: Any, writer: JobWriter) -> None:
        """Add what was found in all shards."""
