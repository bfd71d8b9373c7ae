"""Run the jobs of a study into an atlas; what is there already is not done again.

Any number of builds may work on one atlas at once. Each takes the next job that nobody has claimed
and that needs nothing unfinished, so that together they do what one would have done. One with other
layers widens the study for all: see docs/decisions.md.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phosphene.atlas import Atlas, claim, claimed
from phosphene.errors import (
    AtlasError,
    AtlasMismatchError,
    InputError,
    NetworkError,
    ObjectiveError,
)
from phosphene.progress import tell, telling
from phosphene.study.agreement import require_same, require_same_settings, wider
from phosphene.study.job import EVERYTHING, StudyJob, UnitsJob
from phosphene.study.order import plan
from phosphene.study.plan import Study
from phosphene.study.probing import POLL_SECONDS, PROBE


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


def build(study: Study, path: str | Path, *, replace: bool = False) -> Iterator[BuildStep]:
    """Build the atlas of `study` at `path`, or go on with one that was begun; yields its steps.

    Each job is kept as it ends. Stop the iteration, or kill the process, and the next build goes
    on from there; the outcome is the same. Layers that the atlas already has are kept, and several
    builds may work on it at once. With `replace`, what other settings made is dropped.
    What cannot be done for one layer (its units have no gradient, say) is noted as a failed job
    with the reason, told among the findings and tried again by the next build; the rest is done.

    Raises:
        AtlasMismatchError: the file holds the study of another network, of other data, or, unless
            `replace` is set, one with other settings; or it is set while another build is at work
            with such settings.
        NotAnAtlasError, NewerAtlasError, TruncatedAtlasError, StorageError: see `Atlas.build`.
    """
    with Atlas.build(path) as atlas:
        require_same(atlas, study)
        if replace:
            _drop_others(atlas, study)
        yield from _Build(atlas, study).run()


_OF_ONE_LAYER = (NetworkError, ObjectiveError, InputError)
"""What a layer may be unfit for; a full disk or data that cannot be read end the build."""


class _Build:
    """One caller's part in building an atlas."""

    def __init__(self, atlas: Atlas, study: Study) -> None:
        self.atlas = atlas
        self._plan(study)
        before = [job for job in atlas.jobs() if job.kind != PROBE]
        self.resumed = sum(job.state == "done" and job.key in self.jobs for job in before)
        failed = {job.key for job in before if job.state == "failed"}
        if failed & self.jobs.keys():  # they are tried again, and the findings tell of them
            failed |= {key for key, job in self.jobs.items() if job.needs == EVERYTHING}
        atlas.drop(failed)

    def run(self) -> Iterator[BuildStep]:
        """Work until the atlas has all that is planned."""
        with telling(""):
            for step in self._steps():
                there = f"  ({step.resumed} of {step.total} jobs were there)" * bool(step.resumed)
                tell(step.done, step.total, step.title + there)
                yield step

    def _steps(self) -> Iterator[BuildStep]:
        while pending := self._pending():
            yield from self._some(pending)
        yield self._step(0, "done")

    def _plan(self, study: Study) -> None:
        """Plan what the atlas and this study ask for together."""
        self.study = wider(self.atlas, study)
        self.jobs = {job.key: job for job in plan(self.study)}
        self.known: frozenset[str] = frozenset()
        self._refuse_others()

    def _refuse_others(self) -> None:
        """Refuse what another build has made with other settings since this last looked."""
        states = self.atlas.states()
        if states.keys() - self.known - self.jobs.keys():
            require_same(self.atlas, self.study)
            require_same_settings(self.atlas, self.study, self.jobs)
        self.known = frozenset(states)

    def _pending(self) -> list[StudyJob]:
        """The jobs that are left, once the plan is as wide as the atlas."""
        if wider(self.atlas, self.study) is not self.study:
            self._plan(self.study)
        self._refuse_others()
        states = self.atlas.states()
        self.left = 0
        pending = []
        for key, job in self.jobs.items():
            state = states.get(key)
            impossible = state == "failed" and isinstance(job, UnitsJob)
            self.left += impossible
            if state != "done" and not impossible:
                pending.append(job)
        return pending

    def _some(self, pending: list[StudyJob]) -> Iterator[BuildStep]:
        """Do the first job that nobody is at, or wait for those who are."""
        kinds = {job.kind for job in pending}
        taken = claimed(self.atlas)
        for job in pending:
            if job.key in taken or job.waits_for(kinds):
                continue
            with claim(self.atlas, job.key, job.kind) as ours:
                if ours and not self.atlas.done(job.key):
                    yield from self._do(job, len(pending))
                    return
        yield self._step(len(pending), pending[0].title)
        time.sleep(POLL_SECONDS)

    def _do(self, job: StudyJob, pending: int) -> Iterator[BuildStep]:
        yield self._step(pending, job.title)
        try:
            for share in self._run(job):
                yield self._step(pending - min(share, 1.0), job.title)
        except _OF_ONE_LAYER:
            if not isinstance(job, UnitsJob):
                raise
        except AtlasError:
            self._refuse_others()  # they may be why
            raise

    def _run(self, job: StudyJob) -> Iterator[float]:
        seed, replaces = job.study.settings.seed, job.replaces if job.sole else None
        with self.atlas.job(
            job.key, job.kind, job.title, job.told, seed, replaces=replaces
        ) as writer:
            yield from job.run(self.atlas, writer)
        job.tidy(self.atlas)

    def _step(self, pending: float, title: str) -> BuildStep:
        total = len(self.jobs)
        return BuildStep(total - pending, total, title, self.resumed, self.left)


def _drop_others(atlas: Atlas, study: Study) -> None:
    """Drop what other settings made; raises `AtlasMismatchError` while a build makes more of it."""
    planned = {job.key for job in plan(study)}
    if any(kind != PROBE for key, kind in claimed(atlas).items() if key not in planned):
        raise AtlasMismatchError(
            f"another build of {atlas.path} is at work with other settings; wait until it is done, "
            "or give another --out"
        )
    atlas.drop({job.key for job in atlas.jobs() if job.kind != PROBE} - planned)
