"""Run the jobs of a study into an atlas; what is there already is not done again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phosphene.atlas import Atlas
from phosphene.errors import AtlasMismatchError
from phosphene.maximize import batch_size
from phosphene.study.findings import Conclude
from phosphene.study.job import StudyJob
from phosphene.study.plan import Study
from phosphene.study.probing import PROBE
from phosphene.study.units import Examples, Pictures
from phosphene.study.usual import MeasureUsual
from phosphene.study.whole import Describe, MeasureSpectrum, Pass, Shown

UNITS_PER_JOB = 64
"""The most units a job takes on: what a kill can cost at worst."""


@dataclass(frozen=True)
class Progress:
    """`done` of `total` jobs, and what is being worked on. `resumed` jobs were done before."""

    done: float
    total: int
    title: str
    resumed: int


def plan(study: Study) -> list[StudyJob]:
    """The jobs of a study, in the order in which they can be done."""
    whole = (Describe, Pass, Shown, MeasureSpectrum, MeasureUsual)
    jobs: list[StudyJob] = [kind(study) for kind in whole]
    for layer in study.layers:
        size = min(UNITS_PER_JOB, batch_size(study.network, layer.name))
        recipes = study.recipes(layer)
        for start in range(0, layer.units, size):
            units = range(start, min(start + size, layer.units))
            jobs.append(Examples(study, layer, units))
            jobs.extend(Pictures(study, layer, units, recipe) for recipe in recipes)
    return [*jobs, Conclude(study, tuple(job.key for job in jobs))]


def build(study: Study, path: str | Path, *, replace: bool = False) -> Iterator[Progress]:
    """Build the atlas of `study` at `path`, or go on with one that was begun; yields progress.

    Each job is kept as it ends. Stop the iteration, or kill the process, and the next build goes
    on from there; the outcome is the same. With `replace`, what other settings made is dropped.

    Raises:
        AtlasMismatchError: the file holds the study of another network, of other data, or, unless
            `replace` is set, one with other settings.
        NotAnAtlasError, NewerAtlasError, TruncatedAtlasError, StorageError: see `Atlas.build`.
    """
    with Atlas.build(path) as atlas:
        _require_same(atlas, study)
        jobs = plan(study)
        if not replace:
            _refuse_to_drop(atlas, jobs)
        probes = [job.key for job in atlas.jobs() if job.kind == PROBE]
        atlas.prune([*probes, *(job.key for job in jobs)])
        resumed = sum(atlas.done(job.key) for job in jobs)
        finished = 0
        for job in jobs:
            yield Progress(finished, len(jobs), job.title, resumed)
            if not atlas.done(job.key):
                with atlas.job(
                    job.key, job.kind, job.title, job.params, study.settings.seed
                ) as writer:
                    for share in job.run(atlas, writer):
                        yield Progress(finished + min(share, 1.0), len(jobs), job.title, resumed)
            finished += 1
        yield Progress(finished, len(jobs), "done", resumed)


def _refuse_to_drop(atlas: Atlas, jobs: list[StudyJob]) -> None:
    planned = {job.key for job in jobs}
    other = [
        job
        for job in atlas.jobs()
        if job.state == "done" and job.kind != PROBE and job.key not in planned
    ]
    if other:
        raise AtlasMismatchError(
            f"{atlas.path} holds {len(other)} jobs of other settings (layers, steps, examples, "
            "seed), which this study would drop. Give the settings it was built with, another "
            "--out, or --replace"
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
