"""What a study will cost, told before it starts."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from phosphene.atlas import Atlas
from phosphene.progress import counted, telling
from phosphene.results import html_table
from phosphene.study.agreement import require_same, wider
from phosphene.study.cost import Cost
from phosphene.study.engines import Engine, engine_of
from phosphene.study.engines.engine import OF_ONE_LAYER
from phosphene.study.job import EVERYTHING, KINDS, ShardedJob, StudyJob, UnitsJob
from phosphene.study.order import plan
from phosphene.study.plan import Study
from phosphene.study.rehearsal import Rehearsal, rehearsing
from phosphene.words import duration, file_size, plural


@dataclass(frozen=True)
class Priced:
    """A job of a study and what it will cost: on units of a `layer`, or on the whole (None).

    A `divisible` job is shared among workers.
    """

    key: str
    kind: str
    title: str
    layer: str | None
    units: tuple[int, ...]
    divisible: bool
    cost: Cost


@dataclass(frozen=True)
class Price:
    """What the rest of a study will cost: its `jobs`, done by so many `workers`.

    Of `workers` 0 nobody knows how many there will be.
    `resident` is the memory that a process has before it does any of them, in bytes.
    `spent` are the seconds of it that finding this out has taken off the work, and `rehearsed` all
    that it took. `chosen` are the settings that a budget led to.
    """

    jobs: tuple[Priced, ...]
    workers: int = 1
    resident: float = 0.0
    spent: float = 0.0
    rehearsed: float = 0.0
    chosen: Mapping[str, Any] | None = None

    @cached_property
    def cost(self) -> Cost:
        """Of all jobs, one after another."""
        return sum((job.cost for job in self.jobs), Cost())

    @property
    def memory(self) -> float:
        """Bytes that a process takes at most."""
        return self.resident + self.cost.memory

    @property
    def seconds(self) -> float:
        """How long all workers together will take, or one where nobody knows how many there are.

        What others need is done before them, and what cannot be divided is done by one worker.
        """
        stages: dict[int, list[Priced]] = {}
        for job in self.jobs:
            stages.setdefault(_stage(job.kind), []).append(job)
        return sum(_together(stage, max(1, self.workers)) for stage in stages.values())

    @property
    def summary(self) -> str:
        """Time, room and memory, in a sentence."""
        if not self.jobs:
            return "Nothing is left to be done."
        by = f" with {plural(self.workers, 'worker')}" if self.workers > 1 else ""
        by = by or " for one worker" * (self.workers == 0)
        each = " each" if self.workers != 1 else ""
        return (
            f"About {duration(self.seconds)}{by}; the atlas grows by {file_size(self.cost.size)}, "
            f"and up to {file_size(self.memory)} of memory are taken{each}."
        )

    @property
    def rows(self) -> list[tuple[str, str, dict[str, Cost]]]:
        """What it is made of: layer or title, how many units, and the costs by kind."""
        found: dict[str, tuple[set[int], dict[str, Cost]]] = {}
        for job in self.jobs:
            name = job.title if job.layer is None else job.layer
            units, kinds = found.setdefault(name, (set(), {}))
            units.update(job.units)
            kinds[job.kind] = kinds.get(job.kind, Cost()) + job.cost
        return [(name, str(len(units) or ""), kinds) for name, (units, kinds) in found.items()]

    def to_json(self) -> dict[str, Any]:
        """The same as plain values; the seconds of each job by its key."""
        return {
            "seconds": self.seconds,
            "size": round(self.cost.size),
            "memory": round(self.memory),
            "workers": self.workers,
            "spent": self.spent,
            "rehearsed": self.rehearsed,
            "jobs": {job.key: job.cost.seconds for job in self.jobs},
        }

    def __repr__(self) -> str:
        return self.summary

    def _repr_html_(self) -> str:
        rows = [
            (name, units, duration(sum(cost.seconds for cost in kinds.values())))
            for name, units, kinds in self.rows
        ]
        return html_table(self.summary, ("", "units", "time"), rows)


@telling("rehearsing")
def price(study: Study, path: str | Path | None = None, *, on: str | Engine = "here") -> Price:
    """What `build(study, path, on=on)` will cost: each job is done once in small, and is measured.

    What the atlas at `path` has already costs nothing. Nothing is written there. It takes from
    under a second for small networks to minutes for large ones.

    Of a Ray cluster the number of workers is not known before it is asked: the time is that of one.

    Raises:
        AtlasMismatchError: the file holds the study of another network or other data.
        SettingError: there is no such engine.
        DataError: none of the first pictures could be read.
    """
    with appraising(study, path, on) as appraiser:
        return appraiser.price(study)


class Appraiser:
    """Tells the prices of studies that differ in settings alone, by one rehearsal."""

    def __init__(self, rehearsal: Rehearsal, atlas: Atlas | None, workers: int) -> None:
        self.rehearsal, self.atlas, self.workers = rehearsal, atlas, workers
        self.began = time.perf_counter()
        self._spent = 0.0

    def price(self, study: Study) -> Price:
        """What is left to be done of a study."""
        done: set[str] = set()
        if self.atlas is not None:
            study = wider(self.atlas, study)
            done = {key for key, state in self.atlas.states().items() if state == "done"}
        knew = "fields" in vars(study.network)
        found = [_priced(job, self.rehearsal, job.key in done) for job in counted(plan(study))]
        left = tuple(each for each in found if each.key not in done)
        if not knew:
            self._spent = sum(each.cost.seconds for each in left if each.kind == "describe")
        took = time.perf_counter() - self.began
        return Price(left, self.workers, self.rehearsal.resident, self._spent, took)


@contextmanager
def appraising(
    study: Study, path: str | Path | None, on: str | Engine = "here"
) -> Iterator[Appraiser]:
    """What tells the price of a study, and of the same with other settings; see `price`."""
    engine = engine_of(on) if isinstance(on, str) else on
    with ExitStack() as stack:
        atlas = None
        if path is not None and Path(path).exists():
            atlas = stack.enter_context(Atlas.open(path))
            require_same(atlas, study)
            study = wider(atlas, study)
        stack.enter_context(_threads(getattr(engine, "threads", torch.get_num_threads())))
        rehearsal = stack.enter_context(rehearsing(study))
        yield Appraiser(rehearsal, atlas, getattr(engine, "workers", 1))


def _priced(job: StudyJob, rehearsal: Rehearsal, done: bool) -> Priced:
    of_units = isinstance(job, UnitsJob)
    cost = Cost()
    if not (done and of_units):  # what is about the whole is read by others of the rehearsal
        try:
            cost = job.foreseen(rehearsal)
        except OF_ONE_LAYER:
            if not of_units:
                raise
    return Priced(
        job.key,
        job.kind,
        job.title,
        job.layer.name if isinstance(job, UnitsJob) else None,
        tuple(job.units) if isinstance(job, UnitsJob) else (),
        isinstance(job, ShardedJob),
        cost,
    )


def _stage(kind: str) -> int:
    """How many kinds of jobs are done before one, each after the other."""
    needs = KINDS[kind].needs
    if needs == EVERYTHING:
        return 1 + max(_stage(other) for other in KINDS if KINDS[other].needs != EVERYTHING)
    return max((1 + _stage(need) for need in needs), default=0)


def _together(jobs: Sequence[Priced], workers: int) -> float:
    """How long so many workers take for jobs of which none needs another."""
    longest = max((job.cost.seconds for job in jobs if not job.divisible), default=0.0)
    return max(longest, sum(job.cost.seconds for job in jobs) / workers)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """As workers will have them."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
