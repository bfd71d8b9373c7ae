"""A kind of job is one class: it names what it needs, and takes part in every build."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from phosphene.atlas import Atlas, JobWriter
from phosphene.errors import AtlasMismatchError
from phosphene.study import Study, build, plan
from phosphene.study.job import EVERYTHING, KINDS, StudyJob, UnitsJob
from phosphene.study.units import Pictures


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> type[StudyJob]:
    """A kind of job that the library knows nothing of."""

    @dataclass(frozen=True)
    class Loudest(StudyJob):
        kind = "loudest"
        needs = frozenset({"pass", "pictures"})

        @property
        def title(self) -> str:
            return "looking for the loudest unit"

        def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
            drawn = [p.activation for la in atlas.layers() for p in atlas.pictures(la.name)]
            writer.document("loudest", max(drawn))
            yield 1.0

    monkeypatch.setitem(KINDS, "loudest", KINDS.pop("loudest"))  # for this test alone
    return Loudest


@pytest.mark.slow
def test_a_kind_from_outside_takes_part_in_a_build(
    outside: type[StudyJob], study: Study, tmp_path: Path
) -> None:
    *_, last = build(study, tmp_path / "a.atlas")
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        kinds = [job.kind for job in atlas.jobs()]
        assert last.total == len(kinds)
        assert kinds[-2:] == ["loudest", "findings"]
        assert atlas.document("loudest") > 0
        assert atlas.provenance("loudest").title == "looking for the loudest unit"


def test_every_job_stands_after_those_it_needs(outside: type[StudyJob], study: Study) -> None:
    jobs = plan(study)
    for number, job in enumerate(jobs):
        assert not job.waits_for({later.kind for later in jobs[number + 1 :]})
    assert {job.kind for job in jobs} == KINDS.keys() - {"part"}, "a part is asked for by itself"


def test_kinds_that_wait_for_one_another_are_refused(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KINDS["pass"], "needs", frozenset({"shown"}))
    with pytest.raises(ValueError, match=r"the jobs .*pass.* wait for one another"):
        plan(study)


def test_a_need_that_no_kind_has_is_refused(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KINDS["shown"], "needs", frozenset({"pas"}))
    with pytest.raises(ValueError, match=r"shown needs pas.*nearest: pass"):
        plan(study)


def test_a_revision_is_part_of_the_key_where_there_is_one(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {job.key: job.kind for job in plan(study)}
    monkeypatch.setattr(Pictures, "revision", 1)
    jobs = plan(study)
    changed = {job.kind for job in jobs if job.key not in before}
    assert changed == {"pictures", "findings"}  # these rest on all the others
    assert all(job.told["revision"] == 1 for job in jobs if job.kind == "pictures")
    assert all("revision" not in job.told for job in jobs if job.kind != "pictures")


@pytest.mark.slow
def test_results_of_an_earlier_revision_are_not_mixed_with_later_ones(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.atlas"
    for _ in build(study, path):
        pass
    monkeypatch.setattr(Pictures, "revision", 1)
    with pytest.raises(AtlasMismatchError, match="an earlier version of this program"):
        next(build(study, path))
    *_, last = build(study, path, replace=True)
    with Atlas.open(path) as atlas:
        drawn = [job for job in atlas.jobs() if job.kind == "pictures"]
        assert last.resumed == last.total - len(drawn) - 1
        assert {job.params["revision"] for job in drawn} == {1}


def test_jobs_about_units_may_be_impossible_and_others_may_not() -> None:
    assert {name for name, kind in KINDS.items() if issubclass(kind, UnitsJob)} == {
        "edges", "examples", "pictures"
    }  # fmt: skip
    assert [name for name, kind in KINDS.items() if kind.needs == EVERYTHING] == ["findings"]
