"""The plan of a study: which jobs there are, and in which order they can be done."""

from collections.abc import Iterable

from phosphene.errors import nearest
from phosphene.study import edges, findings, parts, units, usual, whole  # noqa: F401 - kinds
from phosphene.study.job import EVERYTHING, KINDS, StudyJob
from phosphene.study.plan import Study


def plan(study: Study) -> list[StudyJob]:
    """The jobs of a study, in an order in which they can be done.

    Where needs leave a choice, what is about the whole study stands first, then each layer's, and
    kinds stand by name.
    """
    jobs: list[StudyJob] = []
    for kind in _kinds():
        jobs.extend(kind.planned(study, jobs))
    return _in_order(sorted(jobs, key=lambda job: (job.place, job.kind)))


def _kinds() -> list[type[StudyJob]]:
    """All kinds, each after those that it needs."""
    left, found = dict(sorted(KINDS.items())), []
    for kind in left.values():
        for need in sorted(kind.needs - KINDS.keys() - EVERYTHING):
            raise ValueError(f"{kind.kind} needs {need}, which is no kind; {nearest(need, KINDS)}")
    while left:
        ready = (kind for kind in left.values() if not kind.waits_for(left.keys()))
        first = next(ready, None)
        if first is None:
            raise ValueError(f"the jobs {', '.join(left)} wait for one another; see their `needs`")
        found.append(left.pop(first.kind))
    return found


def _in_order(jobs: Iterable[StudyJob]) -> list[StudyJob]:
    """The jobs as they stand, but those that need a later one after it."""
    left, found = list(jobs), []
    while left:
        kinds = {job.kind for job in left}
        first = next(job for job in left if not job.waits_for(kinds))
        left.remove(first)
        found.append(first)
    return found
