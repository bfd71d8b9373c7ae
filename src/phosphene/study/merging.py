"""Atlases of one study that were built apart, made one: `phosphene merge`.

What each has is copied as it was written. What both have must be the same. Of the jobs of which a
study has one, that of more layers stands; where neither has all, what describes the network and
the pass over the data are put together from both, and the rest is left to the next build.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from phosphene.atlas import Atlas, Job, PartRecord
from phosphene.atlas.copying import Rows, add_job, named, rows_of
from phosphene.errors import AtlasError, AtlasMismatchError, UnfinishedAtlasError
from phosphene.results import Result
from phosphene.study.differences import merging_differences
from phosphene.study.job import PRICE, PROBE
from phosphene.study.uniting import Held, about_pictures, described, moved, passed
from phosphene.study.whole import PART
from phosphene.words import differences, plural, printable


@dataclass(frozen=True)
class Merged(Result):
    """What came of a merge: how many jobs came from each atlas, and what is `missing`."""

    path: Path
    jobs: int
    taken: Mapping[str, int]
    missing: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One sentence or two."""
        taken = ", ".join(f"{plural(many, 'job')} of {name}" for name, many in self.taken.items())
        left = f" Missing: {'; '.join(self.missing)}." if self.missing else ""
        return f"{self.path} has {plural(self.jobs, 'job')}: {taken}.{left}"

    def to_json(self) -> dict[str, Any]:
        """The same as values."""
        return {
            "path": str(self.path),
            "jobs": self.jobs,
            "taken": dict(self.taken),
            "missing": list(self.missing),
        }


def merge(atlases: Sequence[str | Path], out: str | Path) -> Merged:
    """Make one atlas of several of the same network, data and settings; none of them is changed.

    They may have other layers, other units or other parts of the pass over the data. What the whole
    lacks, `build` adds: then it is what one build would have made.

    Raises:
        AtlasError: fewer than two atlases, or `out` is there already.
        AtlasMismatchError: they are of other networks, data or settings, or have different results
            of the same work; with what differs.
        UnfinishedAtlasError: one has not come as far as to say what it is about.
        DamagedError: something in one of them is not as it was written.
    """
    paths, path = [Path(each) for each in atlases], Path(out)
    if len(paths) < 2:
        raise AtlasError("a merge takes two atlases or more; give them one after another")
    if path.exists():
        raise AtlasError(f"there is {path} already; give another name with -o, or move it away")
    with ExitStack() as stack:
        opened = [stack.enter_context(Atlas.open(each)) for each in paths]
        _require_alike(opened)
        jobs = _Jobs(opened)
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = stack.enter_context(TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-"))
        draft = Path(folder, path.name)
        with Atlas.build(draft) as made:
            jobs.write(made, path)
            missing = tuple(_missing(made))
        draft.rename(path)
    return Merged(path, len(jobs.chosen), jobs.taken, missing)


def _require_alike(opened: Sequence[Atlas]) -> None:
    """Raise what keeps atlases from being parts of one study."""
    first, *others = opened
    for atlas in opened:
        if atlas.document("network", None) is None or atlas.document("data", None) is None:
            raise UnfinishedAtlasError(
                f"{atlas.path} does not say yet which network and data it is about; let its build "
                "begin, or leave it out"
            )
    for other in others:
        for name, what in (("network", "networks (or weights)"), ("data", "data")):
            one, another = first.document(name), other.document(name)
            if one["fingerprint"] != another["fingerprint"]:
                raise AtlasMismatchError(
                    f"{first.path} and {other.path} are of different {what}: "
                    f"{printable(one['name'])} and {printable(another['name'])}, with fingerprints "
                    f"{one['fingerprint'][:8]}… and {another['fingerprint'][:8]}…; merge what was "
                    "built of the same"
                )
        if told := merging_differences(first, other):
            raise AtlasMismatchError(
                f"{first.path} and {other.path} were built with different settings: {told}; build "
                "one of them again with those of the other"
            )


class _Jobs:
    """Which jobs the whole has, and what each added."""

    def __init__(self, opened: Sequence[Atlas]) -> None:
        self.opened = opened
        self.taken = {str(atlas.path): 0 for atlas in opened}
        self.made: list[tuple[Job, Rows]] = []
        self.of: dict[str, list[Held]] = {}
        for atlas in opened:
            for job in atlas.jobs():
                if job.state == "done" and job.kind != PRICE:
                    self.of.setdefault(job.key, []).append((atlas, job))
        self._unite("describe", described)
        self._unite("pass", passed)
        self._drop(*_covered([job for found in self.of.values() for _, job in found[:1]]))
        self._leave_out()

    @property
    def chosen(self) -> set[str]:
        """The keys of all that the whole has."""
        return {*self.of, *(job.key for job, _ in self.made)}

    def write(self, made: Atlas, path: Path) -> None:
        """Write all jobs; raises `AtlasMismatchError` where two are not the same."""
        for job, rows in self.made:
            add_job(made, job, moved(rows, self.opened[0].path, path))
        ended = sorted(self.of.values(), key=lambda found: found[0][1].finished)
        pictured = about_pictures([atlas for atlas, _ in self._of_kind("shown")])
        for (atlas, job), *again in ended:
            rows = rows_of(atlas, job.key)
            for other, twin in again:
                _require_same_rows(atlas, other, twin, rows)
            if job.kind == "shown":  # several may stand, and a document is there once
                rows["documents"], pictured = pictured, []
            add_job(made, job, moved(rows, atlas.path, path))
            self.taken[str(atlas.path)] += 1

    def _of_kind(self, *kinds: str) -> list[Held]:
        return [found[0] for found in self.of.values() if found[0][1].kind in kinds]

    def _drop(self, *keys: str) -> None:
        for key in keys:
            self.of.pop(key, None)

    def _unite(self, kind: str, unite: Callable[[Sequence[Held]], Any]) -> None:
        """Let one job of a kind stand for several of it."""
        held = self._of_kind(kind)
        if len(held) < 2:
            return
        first, second = unite(held)
        kept = second.key if isinstance(second, Job) else None
        if kept is None:
            self.made.append((first, second))
        self._drop(*(job.key for _, job in held if job.key != kept))

    def _leave_out(self) -> None:
        """Leave out what a whole pass covers, what two measured apart, and what rests on all."""
        kinds = {job.kind for job, _ in self.made}
        passes = {job.key for _, job in self._of_kind("pass")} | {job.key for job, _ in self.made}
        self._drop(*(job.key for _, job in self._of_kind(PART) if job.params["pass"] in passes))
        edges: dict[str, list[str]] = {}
        for _, job in self._of_kind("edges"):
            edges.setdefault(str(job.params["layers"]), []).append(job.key)
        self._drop(*(key for keys in edges.values() if len(keys) > 1 for key in keys))
        if "describe" not in kinds:
            for _, whole in self._of_kind("describe"):
                about = [whole.params["layers"], whole.params.get("chosen", {})]
                for _, job in self._of_kind("shown"):
                    if [job.params["layers"], job.params.get("chosen", {})] != about:
                        self._drop(job.key)
        there = self.chosen - {job.key for _, job in self._of_kind(PROBE, "findings")}
        for _, job in self._of_kind("findings"):
            if not there <= {*job.params["jobs"]}:
                self._drop(job.key)


def _covered(jobs: Sequence[Job]) -> Iterator[str]:
    """The keys of jobs on units that another did as well, on all of them and in the same way.

    Raises:
        AtlasMismatchError: two did the same units in different ways, or only some of them.
    """
    done: dict[str, list[tuple[set[int], Job]]] = {}
    for job in jobs:
        if job.kind in {"examples", "pictures"}:
            units = {*range(*job.params.get("units", (0,))), *job.params.get("chosen", ())}
            aim = job.params.get("recipe", {}).get("aim", "")
            done.setdefault(f"{job.kind} {aim} {job.params['layer']}", []).append((units, job))
    for several in done.values():
        for i, (units, job) in enumerate(several):
            for others, other in several[:i]:
                if not units & others:
                    continue
                if _how(job) != _how(other) or not (units <= others or others <= units):
                    raise AtlasMismatchError(
                        f"“{job.title}” was done in two ways, or for some of the same units: "
                        f"{differences(job.params, other.params, 'the other')}; build one of the "
                        "atlases again, with the settings and the units of the other or with "
                        "units of its own"
                    )
                yield job.key if units <= others else other.key


def _how(job: Job) -> dict[str, Any]:
    return {name: v for name, v in job.params.items() if name not in {"units", "chosen"}}


def _require_same_rows(one: Atlas, other: Atlas, job: Job, rows: Rows) -> None:
    """Raise `AtlasMismatchError` where a job that two atlases have did not find the same."""
    another = rows_of(other, job.key)
    for table in sorted({*rows, *another}):
        mine, theirs = rows.get(table, []), another.get(table, [])
        if _told(table, mine) != _told(table, theirs):
            differing = [row for row in mine if row not in theirs] or theirs
            what = named(table, differing[0])
            raise AtlasMismatchError(
                f"{one.path} and {other.path} both have “{job.title}” (job {job.key[:8]}…), but "
                f"not the same: {printable(what)} differs, and {len(differing) - 1:,} more. "
                "They were made on other hardware or by other versions; drop one by building it "
                "again, or merge without it"
            )


def _told(table: str, rows: Any) -> list[Any]:
    if table != "documents":
        return list(rows)
    return [row for row in rows if row[0] not in {"source", "data"}]


def _missing(atlas: Atlas) -> list[str]:
    """What a build would have to add, as far as can be told without the network."""
    said = []
    kinds = {job.kind for job in atlas.jobs()}
    if "pass" not in kinds:
        parts = sorted((part.shard, part.level, part.count) for part in atlas.records(PartRecord))
        told = ", ".join(f"{start} and {count} × 16^{level}" for start, level, count in parts)
        said.append(f"the pass over the data (parts from shard {told})" if parts else "the pass")
    for job in atlas.jobs("pass"):
        if apart := job.params.get("apart"):
            pairs = ", ".join(" and ".join(dict.fromkeys(pair)) for pair in apart)
            said.append(f"which units correlate: {pairs}")
    shown = atlas.document("chosen", {})
    for layer in atlas.layers():
        wanted = set(shown.get(layer.name, range(layer.units)))
        without = wanted - atlas.examined(layer.name)
        if without and "pass" in kinds:
            said.append(f"{layer.name}: {len(without):,} of {plural(len(wanted), 'unit')}")
    if "findings" not in kinds:
        said.append("findings")
    return said
