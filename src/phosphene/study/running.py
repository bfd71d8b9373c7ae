"""The jobs under way: claimed in the atlas, given to an engine, kept when they are done."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType

from phosphene.atlas import Atlas, Excerpt, JobWriter, accepted, claim
from phosphene.study.cut import Cut
from phosphene.study.engines import Engine, Here
from phosphene.study.engines.engine import Found, News, Task, Told
from phosphene.study.job import ShardedJob, StudyJob
from phosphene.words import plural


class _Dropped(BaseException):
    """Ends the block of a job of which nothing is to be kept, as if the process had been killed."""


@dataclass(eq=False)
class Running:
    """A job under way: `held` ends its block in the atlas and its claim."""

    job: StudyJob
    writer: JobWriter
    held: ExitStack
    engine: Engine
    cut: Cut | None = None
    share: float = 0.0
    seconds: float = 0.0
    shards: dict[int, range] = field(default_factory=dict)

    def drop(self) -> None:
        """Let go of it."""
        with suppress(_Dropped), self.held:
            raise _Dropped


class Runs:
    """What one build has under way."""

    def __init__(self, atlas: Atlas, engine: Engine) -> None:
        self.atlas, self.engine = atlas, engine
        self._here = engine if not engine.remote else Here()
        self._tasks: dict[int, Running] = {}
        self._runs: list[Running] = []
        self._number = 0

    def __enter__(self) -> "Runs":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop what is still under way."""
        self._here.__exit__(kind, error, trace)
        for run in self._runs:
            run.drop()
        self._runs.clear()

    @property
    def under_way(self) -> bool:
        """Whether there is anything."""
        return bool(self._runs)

    @property
    def room(self) -> bool:
        """Whether another job could be begun."""
        return bool(self.engine.free) or bool(self._here.free)

    @property
    def done(self) -> float:
        """How many jobs that which is done of these is as much as."""
        return sum(min(1.0, run.share) for run in self._runs)

    @property
    def title(self) -> str:
        """What is being worked on, in words."""
        first, more = self._runs[0].job.title, len(self._runs) - 1
        return first + f", and {plural(more, 'more job')}" * bool(more)

    def takes(self, job: StudyJob) -> bool:
        """Whether there is room for this job."""
        return bool(self._engine_for(job).free)

    def begun(self, job: StudyJob) -> Running | None:
        """Begin a job; None where another has it or has done it.

        Raises:
            AtlasError: what the job needs cannot be read.
        """
        engine, atlas, seed = self._engine_for(job), self.atlas, job.study.settings.seed
        replaces = job.replaces if job.sole else None
        with ExitStack() as stack:
            ours = stack.enter_context(claim(atlas, job.key, job.kind))
            if not ours or atlas.done(job.key):
                return None
            stack.enter_context(_Tidy(job, atlas))
            writer = stack.enter_context(
                atlas.job(job.key, job.kind, job.title, job.told, seed, replaces=replaces)
            )
            run = Running(job, writer, stack, engine)
            if engine.remote and isinstance(job, ShardedJob):
                run.cut = Cut(job, atlas)
            else:
                given = atlas if job.reads is None else Excerpt(atlas, job.reads)
                self._submit(run, Task(0, job, given, check=partial(accepted, key=job.key)))
            run.held = stack.pop_all()
        self._runs.append(run)
        if run.cut is not None and run.cut.done:  # all was found by an earlier build
            self._conclude(run)
        return run

    def news(self, seconds: float) -> Sequence[News]:
        """What has happened to the tasks of what is under way, after waiting a while for it.

        Raises:
            WorkerError: the engine has nobody who could do any of them.
        """
        self._hand_out_shards()
        found: list[News] = []
        if self._here is not self.engine and not self._here.free:
            found, seconds = [*self._here.news(0)], 0
        return [news for news in (*found, *self.engine.news(seconds)) if news.number in self._tasks]

    def of(self, news: News) -> Running | None:
        """The job that news are of; None where it has ended."""
        return self._tasks.get(news.number)

    def told(self, run: Running, news: Told) -> None:
        """Note how far a job is."""
        if run.cut is None:
            run.share = news.share
        else:
            run.cut.shares[run.shards[news.number]] = news.share
            run.share = run.cut.share

    def found(self, run: Running, news: Found) -> bool:
        """Take in what was found for a job, and keep it in the atlas where that is all of it.

        Raises:
            PhospheneError: it cannot be kept, or is not what a study can go on from.
        """
        run.seconds += news.seconds
        if run.cut is None:
            run.writer.rows.update(news.value)
        else:
            run.cut.found(run.shards.pop(news.number), news.value)
            del self._tasks[news.number]
            run.share = run.cut.share
            if not run.cut.done:
                return False
        self._conclude(run)
        return True

    def failed(self, run: Running, error: Exception) -> None:
        """Note in the atlas that a job failed, and why; raises the error."""
        self._ended(run)
        with run.held:
            raise error

    def _conclude(self, run: Running) -> None:
        self._ended(run)
        with run.held:
            if run.cut is not None:
                run.cut.job.conclude(run.cut.gathered, run.writer)
            if run.engine.remote:
                run.writer.seconds = run.seconds

    def _ended(self, run: Running) -> None:
        self._runs.remove(run)
        self._tasks = {number: other for number, other in self._tasks.items() if other is not run}

    def _engine_for(self, job: StudyJob) -> Engine:
        """Who reads all of the atlas works where it is."""
        apart = isinstance(job, ShardedJob) or job.reads is not None
        return self.engine if apart else self._here

    def _hand_out_shards(self) -> None:
        """Where there is room, more shards of the jobs that are cut."""
        for run in self._runs:
            while run.cut is not None and run.engine.free and (shard := run.cut.next()):
                check = run.cut.check(shard)
                self._submit(run, Task(0, run.job, None, shard, check))

    def _submit(self, run: Running, task: Task) -> None:
        self._number += 1
        self._tasks[self._number] = run
        if task.shard is not None:
            run.shards[self._number] = task.shard
        run.engine.submit(replace(task, number=self._number))


class _Tidy:
    """Tidies up after a job that was kept."""

    def __init__(self, job: StudyJob, atlas: Atlas) -> None:
        self.job, self.atlas = job, atlas

    def __enter__(self) -> "_Tidy":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.job.tidy(self.atlas)
