"""Run the jobs of a study into an atlas; what is there already is not done again.

Any number of builds may work on one atlas at once, each with an engine that computes for it. Each
takes the next jobs that nobody has claimed and that need nothing unfinished, so that together they
do what one would have done. One with other layers widens the study for all: see docs/decisions.md.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path

from phosphene.atlas import Atlas, Job, claimed
from phosphene.errors import AtlasError, AtlasMismatchError, WorkerError
from phosphene.progress import tell, telling
from phosphene.study.agreement import require_same, require_same_settings, wider
from phosphene.study.engines import Engine, engine_of
from phosphene.study.engines.engine import OF_ONE_LAYER, Failed, Found, News, Told
from phosphene.study.job import BESIDE, EVERYTHING, KINDS, StudyJob, UnitsJob
from phosphene.study.order import plan
from phosphene.study.parts import PartOfPass
from phosphene.study.plan import Study
from phosphene.study.pricing import Price
from phosphene.study.probing import POLL_SECONDS
from phosphene.study.promise import Promise
from phosphene.study.running import Running, Runs
from phosphene.study.whole import Describe, Pass
from phosphene.words import plural

LOOK_SECONDS = 1.0
"""How long to hear one's own jobs before looking whether others have made more jobs possible."""


@dataclass(frozen=True)
class BuildStep:
    """`done` of `total` jobs, and what is being worked on. `resumed` jobs were done before.

    `failed` jobs could not be done for what the network is; the atlas says which and why.
    """

    done: float
    total: int
    title: str
    resumed: int
    failed: int = 0


def build(
    study: Study,
    path: str | Path,
    *,
    replace: bool = False,
    part: tuple[int, int] | None = None,
    on: str | Engine = "here",
    price: Price | None = None,
    seconds: float = inf,
) -> Iterator[BuildStep]:
    """Build the atlas of `study` at `path`, or go on with one that was begun; yields its steps.

    Each job is kept as it ends. Stop the iteration, or kill the process, and the next build goes
    on from there; the outcome is the same. Layers that the atlas already has are kept, and several
    builds may work on it at once. With `replace`, what other settings made is dropped.
    What cannot be done for one layer (its units have no gradient, say) is noted as a failed job
    with the reason, told among the findings and tried again by the next build; the rest is done.

    With `part` such as (2, 3), only the second of three parts of the pass over the data is done, so
    that other machines do the others: merge their atlases, and build the whole study on that.

    `on` says who computes: "here", this process; "processes:N", so many processes of this machine;
    "ray" or "ray://HOST:PORT", a Ray cluster. This process alone writes. On machines alike, with as
    many threads, the outcome is the same, byte for byte. What a worker dies of is tried elsewhere.

    A `price` that was told is kept in the atlas, and beside it how long it took: see `Promise`. No
    job is begun that by its price would end more than so many `seconds` from now; a study that was
    cut off so is gone on with by the next build.

    Raises:
        AtlasMismatchError: the file holds the study of another network, of other data, or, unless
            `replace` is set, one with other settings; or it is set while another build is at work
            with such settings.
        NotAnAtlasError, NewerAtlasError, TruncatedAtlasError, StorageError: see `Atlas.build`.
        SettingError: there is no such engine.
        SpecError: it needs what is not installed, or the network cannot be sent to processes.
        WorkerError: nobody could be found who does what the rest of the study needs.
    """
    engine = engine_of(on) if isinstance(on, str) else on
    with Atlas.build(path) as atlas:
        require_same(atlas, study)
        if replace:
            _drop_others(atlas, study)
        promise = Promise.noted(atlas, study, price)
        try:
            yield from _Build(atlas, study, engine, part, promise.until(seconds)).run()
        finally:
            promise.kept(atlas)


class _Build:
    """One caller's part in building an atlas."""

    def __init__(
        self,
        atlas: Atlas,
        study: Study,
        engine: Engine,
        part: tuple[int, int] | None,
        in_time: Callable[[str], bool],
    ) -> None:
        self.atlas, self.engine, self.part, self.in_time = atlas, engine, part, in_time
        self.runs = Runs(atlas, engine)
        self._plan(study)
        for key, job in self.jobs.items():
            if atlas.done(key):  # one may have been killed before it could
                job.tidy(atlas)
        atlas.drop({*self._replaced()})
        before = [job for job in atlas.jobs() if job.kind not in BESIDE]
        self.resumed = sum(job.state == "done" and job.key in self.jobs for job in before)
        failed = {job.key for job in before if job.state == "failed"}
        if failed & self.jobs.keys():  # they are tried again, and the findings tell of them
            failed |= {key for key, job in self.jobs.items() if job.needs == EVERYTHING}
        atlas.drop(failed)
        self.given_up: dict[str, str] = {}

    def _replaced(self) -> Iterator[str]:
        """What a merge has brought although another that is done takes its place."""
        done = [job for job in self.jobs.values() if job.sole and self.atlas.done(job.key)]
        left = (other for other in self.atlas.jobs() if other.key not in self.jobs)
        for other in left:
            if any(job.kind == other.kind and job.replaces(other) for job in done):
                yield other.key

    def run(self) -> Iterator[BuildStep]:
        """Work until the atlas has all that is planned."""
        with telling(""):
            for step in self._steps():
                there = f"  ({step.resumed} of {step.total} jobs were there)" * bool(step.resumed)
                tell(step.done, step.total, step.title + there)
                yield step

    def _steps(self) -> Iterator[BuildStep]:
        with ExitStack() as ends:
            if self._pending():
                ends.enter_context(self.engine)
                self.engine.about(self.study)
            ends.enter_context(self.runs)
            while pending := self._pending():
                for run in self._begun(pending):
                    yield self._step(run.job.title)
                if not self.runs.under_way:
                    if self._out_of_time(pending):
                        yield self._step(f"the time is up; {plural(len(pending), 'job')} left")
                        return
                    self._require_possible(pending)
                    yield self._step(next(iter(pending.values())).title)
                    time.sleep(POLL_SECONDS)
                yield from self._news()
        yield self._step("done")

    def _news(self) -> Iterator[BuildStep]:
        """Hear how the jobs go until one has ended, or there is room for one more to try."""
        until = time.monotonic() + LOOK_SECONDS
        while self.runs.under_way:
            ended = False
            for news in self.runs.news(POLL_SECONDS):
                run = self.runs.of(news)
                if run is None:
                    continue
                if self._heard(run, news):
                    ended = True
                else:
                    yield self._step(self.runs.title)
            if ended or (self.runs.room and time.monotonic() > until):
                return

    def _heard(self, run: Running, news: News) -> bool:
        """Take in how a job goes; whether it has ended."""
        try:
            match news:
                case Found():
                    ended = self.runs.found(run, news)
                    self.pending -= ended
                    return ended
                case Failed():
                    self.runs.failed(run, news.error)
                    return True
                case Told():
                    self.runs.told(run, news)
        except OF_ONE_LAYER:
            if not isinstance(run.job, UnitsJob):
                raise
            return True
        except WorkerError as error:
            self.given_up[run.job.key] = f"{run.job.title}: {error}"
            return True
        except AtlasError:
            self._refuse_others()  # they may be why
            raise
        return False

    def _plan(self, study: Study) -> None:
        """Plan what the atlas and this study ask for together."""
        self.study = wider(self.atlas, study)
        planned = plan(self.study)
        wanted = planned if self.part is None else [*_alone(self.atlas, self.study, self.part)]
        self.jobs = {job.key: job for job in wanted}
        self.welcome = self.jobs.keys() | {job.key for job in planned}
        self.known: frozenset[str] = frozenset()
        self._refuse_others()

    def _refuse_others(self) -> None:
        """Refuse what another build has made with other settings since this last looked."""
        states = self.atlas.states()
        if states.keys() - self.known - self.welcome:
            require_same(self.atlas, self.study)
            require_same_settings(self.atlas, self.study, self.welcome)
        self.known = frozenset(states)

    def _pending(self) -> dict[str, StudyJob]:
        """The jobs that are left by their keys, once the plan is as wide as the atlas."""
        if wider(self.atlas, self.study) is not self.study:
            self._plan(self.study)
        self._refuse_others()
        states = self.atlas.states()
        self.left = 0
        pending = {}
        for key, job in self.jobs.items():
            state = states.get(key)
            impossible = state == "failed" and isinstance(job, UnitsJob)
            self.left += impossible
            if state != "done" and not impossible:
                pending[key] = job
        self.pending = len(pending)
        return pending

    def _begun(self, pending: dict[str, StudyJob]) -> Iterator[Running]:
        """Begin the first jobs that nobody is at, as many as there is room for."""
        kinds = {job.kind for job in pending.values()}
        taken = claimed(self.atlas)
        for key, job in pending.items():
            if not self.runs.room:
                return
            if key in taken or key in self.given_up or job.waits_for(kinds):
                continue
            if not self.runs.takes(job) or not self.in_time(key):
                continue
            try:
                run = self.runs.begun(job)
            except AtlasError:
                self._refuse_others()  # they may be why
                raise
            if run is not None:
                yield run

    def _out_of_time(self, pending: dict[str, StudyJob]) -> bool:
        """Whether nothing that could be begun now would end in time."""
        kinds = {job.kind for job in pending.values()}
        return not any(self.in_time(key) for key in pending if not pending[key].waits_for(kinds))

    def _require_possible(self, pending: dict[str, StudyJob]) -> None:
        """Raise `WorkerError` where all that is left waits for what nobody could do."""
        told = "; ".join(why for key, why in self.given_up.items() if key in pending)
        if told and not claimed(self.atlas).keys() & pending.keys():
            raise WorkerError(
                f"{plural(len(pending), 'job')} of {self.atlas.path} cannot be done: {told}. What "
                "was finished is kept; build again to go on, or with --on here"
            )

    def _step(self, title: str) -> BuildStep:
        total = len(self.jobs)
        done = min(total, total - self.pending + self.runs.done)
        return BuildStep(done, total, title, self.resumed, self.left)


def _alone(atlas: Atlas, study: Study, part: tuple[int, int]) -> Iterator[StudyJob]:
    """The jobs of a part of the pass; where that is done as a whole there are none."""
    yield Describe(study)
    if not atlas.done(Pass(study).key):
        yield PartOfPass(study, *part)


def _drop_others(atlas: Atlas, study: Study) -> None:
    """Drop what other settings made; raises `AtlasMismatchError` while a build makes more of it."""
    planned = {job.key for job in plan(study)}
    if any(kind not in BESIDE for key, kind in claimed(atlas).items() if key not in planned):
        raise AtlasMismatchError(
            f"another build of {atlas.path} is at work with other settings; wait until it is done, "
            "or give another --out"
        )
    others = {
        job.key for job in atlas.jobs() if job.kind not in BESIDE and not _belongs(job, study)
    }
    atlas.drop(others - planned)


def _belongs(job: Job, study: Study) -> bool:
    return job.kind in KINDS and KINDS[job.kind].belongs(job, study)
