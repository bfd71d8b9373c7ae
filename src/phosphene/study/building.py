"""Run the jobs of a study into an atlas; what is there already is not done again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phosphene.atlas import Atlas
from phosphene.errors import AtlasMismatchError, InputError, NetworkError, ObjectiveError
from phosphene.maximize import batch_size
from phosphene.study.differences import differing
from phosphene.study.findings import Conclude
from phosphene.study.job import StudyJob
from phosphene.study.plan import Study
from phosphene.study.probing import PROBE
from phosphene.study.units import OF_LAYERS, Examples, Pictures
from phosphene.study.usual import MeasureUsual
from phosphene.study.whole import Describe, MeasureSpectrum, Pass, Shown
from phosphene.words import plural

UNITS_PER_JOB = 64
"""The most units a job takes on: what a kill can cost at worst."""


@dataclass(frozen=True)
class Progress:
    """`done` of `total` jobs, and what is being worked on. `resumed` jobs were done before.

    `failed` jobs could not be done for what the network is; the atlas says which and why.
    """

    done: float
    total: int
    title: str
    resumed: int
    failed: int = 0


def plan(study: Study) -> list[StudyJob]:
    """The jobs of a study, in the order in which they can be done."""
    whole = (Describe, Pass, Shown, MeasureSpectrum, MeasureUsual)
    jobs: list[StudyJob] = [kind(study) for kind in whole]
    for layer in study.layers:
        size = min(UNITS_PER_JOB, batch_size(study.network, layer.name))
        recipes = study.recipes(layer)
        shown = study.units(layer)
        for start in range(0, len(shown), size):
            units = shown[start : start + size]
            jobs.append(Examples(study, layer, units))
            jobs.extend(Pictures(study, layer, units, recipe) for recipe in recipes)
    return [*jobs, Conclude(study, tuple(job.key for job in jobs))]


def build(study: Study, path: str | Path, *, replace: bool = False) -> Iterator[Progress]:
    """Build the atlas of `study` at `path`, or go on with one that was begun; yields progress.

    Each job is kept as it ends. Stop the iteration, or kill the process, and the next build goes
    on from there; the outcome is the same. With `replace`, what other settings made is dropped.
    What cannot be done for one layer (its units have no gradient, say) is noted as a failed job
    with the reason, told among the findings and tried again by the next build; the rest is done.

    Raises:
        AtlasMismatchError: the file holds the study of another network, of other data, or, unless
            `replace` is set, one with other settings.
        NotAnAtlasError, NewerAtlasError, TruncatedAtlasError, StorageError: see `Atlas.build`.
    """
    with Atlas.build(path) as atlas:
        _require_same(atlas, study)
        jobs = plan(study)
        if not replace:
            _refuse_to_drop(atlas, study, jobs)
        studied = {job.key for job in atlas.jobs() if job.kind != PROBE}
        atlas.drop(studied - {job.key for job in jobs})
        resumed = sum(atlas.done(job.key) for job in jobs)
        failed = {job.key for job in atlas.jobs() if job.state == "failed"}
        tried_again, left = bool(failed & {job.key for job in jobs}), 0
        for finished, job in enumerate(jobs):
            yield Progress(finished, len(jobs), job.title, resumed, left)
            again = isinstance(job, Conclude) and tried_again  # it tells of what failed
            if again or not atlas.done(job.key):
                try:
                    for share in _run(job, atlas):
                        done = finished + min(share, 1.0)
                        yield Progress(done, len(jobs), job.title, resumed, left)
                except _OF_ONE_LAYER:
                    if not isinstance(job, OF_LAYERS):
                        raise
                    left += 1
        yield Progress(len(jobs), len(jobs), "done", resumed, left)


_OF_ONE_LAYER = (NetworkError, ObjectiveError, InputError)
"""What a layer may be unfit for; a full disk or data that cannot be read end the build."""


def _run(job: StudyJob, atlas: Atlas) -> Iterator[float]:
    seed = job.study.settings.seed
    with atlas.job(job.key, job.kind, job.title, job.params, seed) as writer:
        yield from job.run(atlas, writer)


def _refuse_to_drop(atlas: Atlas, study: Study, jobs: list[StudyJob]) -> None:
    planned = {job.key for job in jobs}
    other = [
        job
        for job in atlas.jobs()
        if job.state == "done" and job.kind != PROBE and job.key not in planned
    ]
    if other:
        raise AtlasMismatchError(
            f"{atlas.path} was built with other settings: {differing(atlas, study)}. This "
            f"study would drop {plural(len(other), 'finished job')}. Give the settings it was "
            "built with, another --out, or --replace"
        )


def _require_same(atlas: Atlas, study: Study) -> None:
    for name, fingerprint, what in (
        ("network", study.network.fingerprint, "another network (or other weights)"),
        ("data", study.data_fingerprint, "other data"),
    ):
        found = atlas.documents().get(name)
        if found is not None and found["fingerprint"] != fingerprint:
            raise AtlasMismatchError(
                f"{atlas.path} holds the study of {what}: {found['name']}. "
                "Give another --out, or delete the file to start anew. A model without --weights "
                "is another network each time"
            )
