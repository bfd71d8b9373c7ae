"""A study in small, done before the whole one to tell what that will cost.

The network, the layers and the code are the real ones; the pictures are the first few of the data.
What is measured is the machine as it is now, with everything that counting multiply-adds leaves
out: reading pictures, memory, packing files.
"""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from torch.utils.data import Subset

from phosphene.atlas import Atlas, JobWriter
from phosphene.atlas.records import table_of
from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.errors import DataError
from phosphene.network import Layer
from phosphene.study.cost import Cost
from phosphene.study.gathering import empty
from phosphene.study.job import StudyJob
from phosphene.study.plan import Study

R = TypeVar("R")

PICTURES = 48
"""So many pictures of the data are looked at: enough for the random ones of edges."""

_WARM = 2
"""Pictures that go first, since the first ones take longer."""


class Rehearsal:
    """What small jobs of a study cost. `study` is the small one, `whole` that which is foreseen."""

    def __init__(self, whole: Study, atlas: Atlas) -> None:
        self.whole, self.atlas = whole, atlas
        self.count = length(whole.data)
        self.study = _first(whole, min(PICTURES, self.count))
        self.seen = length(self.study.data)
        self.resident = _resident()
        self._known: dict[Hashable, tuple[Cost, Cost]] = {}
        self._kept: dict[str, Cost] = {}

    def units(self, layer: Layer, most: int = 4) -> Sequence[int]:
        """Some of the units of a layer that are shown."""
        shown = self.whole.units(layer)
        return [shown[i * len(shown) // most] for i in range(most)] if most < len(shown) else shown

    def once(self, name: Hashable, measure: Callable[[], tuple[Cost, Cost]]) -> tuple[Cost, Cost]:
        """What `measure` found when it was first asked for by that name."""
        if name not in self._known:
            self._known[name] = measure()
        return self._known[name]

    def cost(self, job: StudyJob, *, keep: bool = False) -> Cost:
        """Do a job of the small study.

        With `keep` it is done once, and those that need it may read what it found.
        """
        if keep and job.kind in self._kept:
            return self._kept[job.kind]
        cost, writer = self._done(job)
        if keep:
            with self.atlas.job(job.key, job.kind, job.title, job.told) as kept:
                kept.rows.update(writer.rows)
            self._kept[job.kind] = cost
        return cost

    def records(self, job: StudyJob, kind: type[R]) -> list[R]:
        """What a job of the small study finds, of one kind of record."""
        _, writer = self._done(job)
        owner, checksum = 1, 1
        rows = writer.rows[table_of(kind).insert()]
        return [table_of(kind).read(row[owner:-checksum]) for row in rows]

    def _done(self, job: StudyJob) -> tuple[Cost, JobWriter]:
        writer = JobWriter(job.key)
        _forget_most()
        begun = time.perf_counter()
        deque(job.run(self.atlas, writer), maxlen=0)
        took = time.perf_counter() - begun
        return Cost(took, _size(writer), max(0.0, _most_resident() - self.resident)), writer

    @cached_property
    def reading(self) -> float:
        """Seconds for one picture of the data to be read."""
        return self._looked[0]

    @cached_property
    def looking(self) -> float:
        """Seconds for what a pass does with one picture that was read."""
        return self._looked[1]

    def through(self, pictures: int, each: float) -> float:
        """Seconds for going through so many pictures, with `each` of work on one.

        Readers read ahead while the others work.
        """
        readers = self.whole.settings.workers
        if not readers:
            return pictures * (self.reading + each)
        return pictures * max(self.reading / readers, each)

    @cached_property
    def _looked(self) -> tuple[float, float]:
        made = empty(self.study)
        for batch in batches(self.study.data, _WARM, stop=min(_WARM, self.seen)):
            made().add(batch)
        begun = time.perf_counter()
        found = [*batches(self.study.data, self.study.batch)]
        read = time.perf_counter()
        survey = made()
        for batch in found:
            survey.add(batch)
        ended = time.perf_counter()
        if not survey.count:
            raise DataError(f"none of the first {self.seen} pictures of the data could be read")
        return (read - begun) / self.seen, (ended - read) / self.seen


@contextmanager
def rehearsing(whole: Study) -> Iterator[Rehearsal]:
    """A rehearsal of a study, in a folder that is gone afterwards."""
    with (
        TemporaryDirectory(prefix="phosphene-") as folder,
        Atlas.build(Path(folder, "rehearsal.atlas")) as atlas,
    ):
        yield Rehearsal(whole, atlas)


def _first(study: Study, count: int) -> Study:
    """The same study of the first pictures of its data."""
    small = copy(study)
    object.__setattr__(small, "settings", replace(study.settings, workers=0))
    object.__setattr__(small, "data", Subset(study.data, range(count)))
    object.__setattr__(small, "data_fingerprint", f"the first {count} of {study.data_fingerprint}")
    return small


def _resident() -> float:
    """Bytes that this process takes, or has taken at most; 0 where the system does not tell."""
    told = Path("/proc/self/statm")
    if told.exists():
        return float(told.read_text("ascii").split()[1]) * os.sysconf("SC_PAGESIZE")
    return _most_resident()


def _forget_most() -> None:
    """Let the most that this process takes count from now on, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def _most_resident() -> float:
    """The most bytes that this process has taken; 0 where the system does not tell."""
    if find_spec("resource") is None:
        return 0.0
    resource = import_module("resource")
    peak: float = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on a Mac alone
    return peak if sys.platform == "darwin" else 1024 * peak


def _size(writer: JobWriter) -> int:
    cells = (cell for rows in writer.rows.values() for row in rows for cell in row)
    return sum(len(cell) if isinstance(cell, bytes | str) else 8 for cell in cells)
