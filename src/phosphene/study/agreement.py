"""Whether a study and an atlas are of the same things, and what both ask for together."""

from collections.abc import Collection, Iterator

from phosphene.atlas import Atlas, Job
from phosphene.errors import AtlasMismatchError
from phosphene.study.differences import differing
from phosphene.study.job import BESIDE, KINDS
from phosphene.study.plan import Study
from phosphene.words import plural


def wider(atlas: Atlas, study: Study) -> Study:
    """The study with the layers that the atlas has besides; itself where it has no others."""
    names = {layer.name for layer in study.layers}
    described = {name for job in atlas.jobs("describe") for name in job.params["layers"]}
    return study if described <= names else study.over(names | described)


def require_same(atlas: Atlas, study: Study) -> None:
    """Raise `AtlasMismatchError` if the atlas is about another network or other data."""
    for name, fingerprint, what, why in (
        (
            "network",
            study.network.fingerprint,
            "another network (or other weights)",
            ". A model without --weights is another network each time",
        ),
        (
            "data",
            study.data_fingerprint,
            "other data",
            ". Data are told by what they hold and how they are read, not by where they lie",
        ),
    ):
        found = atlas.document(name, None)
        if found is not None and found["fingerprint"] != fingerprint:
            raise AtlasMismatchError(
                f"{atlas.path} holds the study of {what}: {found['name']}. "
                f"Give another --out, or delete the file to start anew{why}"
            )


def require_same_settings(atlas: Atlas, study: Study, planned: Collection[str]) -> None:
    """Raise `AtlasMismatchError` if other settings made what the atlas has besides `planned`."""
    other = [*_of_others(atlas, study, planned)]
    if other:
        raise AtlasMismatchError(
            f"{atlas.path} was built with other settings: {differing(atlas, study)}. This "
            f"study would drop {plural(len(other), 'finished job')}. Give the settings it was "
            "built with, another --out, or --replace"
        )


def _of_others(atlas: Atlas, study: Study, planned: Collection[str]) -> Iterator[Job]:
    for job in atlas.jobs():
        if job.state == "done" and job.kind not in BESIDE and job.key not in planned:
            kind = KINDS.get(job.kind)
            if kind is None or not (
                kind.belongs(job, study) or (kind.sole and _same_but_for_layers(job, study))
            ):
                yield job


def _same_but_for_layers(job: Job, study: Study) -> bool:
    """Whether this study would have done the job, had it been asked for that job's layers."""
    kind = KINDS[job.kind]
    if "layers" not in job.params:  # made of the other jobs, which are looked at themselves
        return True
    narrow = study.over(job.params["layers"])
    return any(planned.key == job.key for planned in kind.planned(narrow, ()))
