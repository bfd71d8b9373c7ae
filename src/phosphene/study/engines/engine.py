"""What an engine is: it takes pieces of a study's work and says how they went.

It is told nothing of the atlas, where the process that was started alone writes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from phosphene.atlas import Atlas, Excerpt, JobWriter
from phosphene.errors import InputError, NetworkError, ObjectiveError
from phosphene.study.job import ShardedJob, StudyJob
from phosphene.study.plan import Study

OF_ONE_LAYER = (NetworkError, ObjectiveError, InputError)
"""What a layer may be unfit for, wherever it is tried; a full disk or bad data end the build."""


@dataclass(frozen=True)
class Task:
    """A job, or a shard of one, with what it reads of the atlas.

    `check` makes what another process found into what is meant, or raises where nobody can have
    found it. It stays here.
    """

    number: int
    job: StudyJob
    given: Atlas | Excerpt | None
    shard: range | None = None
    check: Callable[[Any], Any] = lambda found: found

    def steps(self) -> Iterator[float | Mapping[str, Any]]:
        """Do it: yields the share that is done, and at last what was found."""
        if self.shard is not None:
            assert isinstance(self.job, ShardedJob)
            yield from self.job.gather(self.shard)
            return
        assert self.given is not None
        writer = JobWriter(self.job.key)
        yield from self.job.run(self.given, writer)
        yield dict(writer.rows)


@dataclass(frozen=True)
class Told:
    """How much of a task is done."""

    number: int
    share: float


@dataclass(frozen=True)
class Found:
    """What a task found, and how long that took."""

    number: int
    value: Any
    seconds: float


@dataclass(frozen=True)
class Failed:
    """Why a task cannot be done.

    A `WorkerError` says that those who tried were lost, any other error what the work itself met.
    """

    number: int
    error: Exception


News = Told | Found | Failed


@runtime_checkable
class Engine(Protocol):
    """Computes tasks while it is entered; left, it stops whatever is under way."""

    remote: bool
    """Whether tasks are done by other processes, which have no atlas."""

    def __enter__(self) -> "Engine":
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, and leave nothing running."""

    def about(self, study: Study) -> None:
        """Told once, before the first task: whose network and data all tasks are about."""

    @property
    def free(self) -> int:
        """How many more tasks it would take now."""

    def submit(self, task: Task) -> None:
        """Take a task on."""

    def news(self, seconds: float) -> Sequence[News]:
        """What has happened, after waiting so long for something to happen.

        Raises:
            WorkerError: there is nobody who could do any of the work.
        """
