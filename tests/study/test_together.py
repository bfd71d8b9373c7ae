"""Builds and probes that work on one atlas at once end as one build alone does."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from killed import LEASE_SECONDS, builder, ended
from phosphene.atlas import Atlas, claims
from phosphene.errors import AtlasMismatchError
from phosphene.probes import read_strokes
from phosphene.study import Study, build, keep_probe
from phosphene.study.job import KINDS, StudyJob

pytestmark = pytest.mark.slow  # builds studies

KILLS = int(os.environ.get("PHOSPHENE_TEST_KILLS", "6"))


def finished(study: Study, path: Path) -> str:
    for _ in build(study, path):
        pass
    return fingerprint(path)


def fingerprint(path: Path) -> str:
    with Atlas.open(path) as atlas:
        return atlas.fingerprint()


def of(study: Study, *layers: str) -> Study:
    """The study of some layers, with a network of its own as another process has."""
    return replace(study, settings=replace(study.settings, layers=layers))


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each job was run."""
    counted: Counter[str] = Counter()
    for kind in KINDS.values():

        def run(job: StudyJob, *args, was=kind.run):
            counted[job.key] += 1
            yield from was(job, *args)

        monkeypatch.setattr(kind, "run", run)
    return counted


def test_turns_of_two_builds_do_no_job_twice(
    tmp_path: Path, make_study: Callable[..., Study], done: Counter[str]
) -> None:
    alone = finished(make_study(), tmp_path / "alone.atlas")
    done.clear()
    path = tmp_path / "a.atlas"
    builds = [build(make_study(), path) for _ in range(2)]
    while builds:
        builds = [some for some in builds if next(some, None) is not None]
    assert fingerprint(path) == alone
    assert set(done.values()) == {1}
    assert list(tmp_path.glob("a.atlas*")) == [path]


def test_builds_of_different_layers_give_what_one_of_both_gives(
    tmp_path: Path, make_study: Callable[..., Study], done: Counter[str]
) -> None:
    alone = finished(of(make_study(), "0", "3"), tmp_path / "alone.atlas")
    for second in range(0, 12, 3):  # how far the first is when the second begins
        done.clear()
        path = tmp_path / f"{second}.atlas"
        one, two = build(of(make_study(), "3"), path), build(of(make_study(), "0"), path)
        for _ in range(second):
            next(one)
        builds = [one, two]
        while builds:
            builds = [some for some in builds if next(some, None) is not None]
        assert fingerprint(path) == alone
        assert max(done.values()) == 1


def test_a_later_build_of_other_layers_adds_them(
    tmp_path: Path, make_study: Callable[..., Study], done: Counter[str]
) -> None:
    both = finished(of(make_study(), "0", "3"), tmp_path / "both.atlas")
    path = tmp_path / "a.atlas"
    finished(of(make_study(), "3"), path)
    done.clear()
    assert finished(of(make_study(), "0"), path) == both
    with Atlas.open(path) as atlas:
        again = [job.kind for job in atlas.jobs() if done[job.key]]
    assert {"describe", "pass", "shown", "findings"} < set(again)
    assert again.count("pictures") == 2  # channels and neurons of the layer that came
    assert finished(of(make_study(), "3"), path) == both


def test_only_what_is_asked_for_is_left_where_the_rest_is_replaced(
    tmp_path: Path, make_study: Callable[..., Study]
) -> None:
    alone = finished(of(make_study(), "0"), tmp_path / "alone.atlas")
    finished(of(make_study(), "0", "3"), tmp_path / "a.atlas")
    for _ in build(of(make_study(), "0"), tmp_path / "a.atlas", replace=True):
        pass
    assert fingerprint(tmp_path / "a.atlas") == alone


def test_what_another_build_is_at_is_not_replaced(
    tmp_path: Path, make_study: Callable[..., Study]
) -> None:
    path = tmp_path / "a.atlas"
    begun = build(make_study(), path)
    while next(begun).title != "drawing channels of 0":
        pass
    with pytest.raises(
        AtlasMismatchError, match=r"another build .* is at work with other settings"
    ):
        next(build(make_study(steps=5), path, replace=True))
    for _ in begun:
        pass
    with Atlas.open(path) as atlas:
        assert {p.settings["steps"] for p in atlas.pictures("6")} == {4}


def test_of_two_builds_with_other_settings_the_second_is_told(
    tmp_path: Path, make_study: Callable[..., Study]
) -> None:
    path = tmp_path / "a.atlas"
    one, two = build(make_study(), path), build(make_study(steps=5), path)
    next(one), next(two)
    for _ in one:
        pass
    with pytest.raises(AtlasMismatchError, match="steps 5 where the atlas has 4"):
        for _ in two:
            pass


def test_threads_build_and_probe_at_once(
    tmp_path: Path, make_study: Callable[..., Study], done: Counter[str]
) -> None:
    alone = finished(make_study(), tmp_path / "alone.atlas")
    done.clear()
    path, start = tmp_path / "a.atlas", threading.Barrier(3)
    asked: list[int] = []
    subject, first, second = make_study(), of(make_study(), "0"), of(make_study(), "3", "6")

    def probe() -> str:
        start.wait()
        with Atlas.build(path) as atlas:
            for strength in range(5):
                keep_probe(
                    atlas,
                    subject.network,
                    "strokes",
                    "Strokes",
                    lambda: asked.append(0) or read_strokes(subject.network),  # type: ignore[func-returns-value]
                    params={"strength": strength},
                )
        return ""

    def work(study: Study) -> str:
        start.wait()
        return finished(study, path)

    with ThreadPoolExecutor(3) as threads:
        working = [threads.submit(work, first), threads.submit(work, second), threads.submit(probe)]
        for each in working:
            each.result()
    with Atlas.build(path) as atlas:
        assert len(asked) == len(atlas.probes()) == 5
        atlas.drop(atlas.provenance(found).key for found in atlas.probes())
    assert fingerprint(path) == alone
    assert max(done.values()) == 1
    assert list(tmp_path.glob("a.atlas*")) == [path]


def test_a_question_that_somebody_puts_is_waited_for(tmp_path: Path, study: Study) -> None:
    path = tmp_path / "a.atlas"
    with Atlas.build(path) as one, Atlas.build(path) as two:

        def keep(atlas: Atlas) -> str:
            return keep_probe(
                atlas,
                study.network,
                "strokes",
                "Strokes",
                lambda: asked.append(0) or read_strokes(study.network),  # type: ignore[func-returns-value]
                params={},
            ).name

        asked: list[int] = []
        with ThreadPoolExecutor(2) as threads:
            first, second = threads.map(keep, (one, two))
        assert first == second
        assert len(asked) == 1


def test_builds_of_two_that_are_killed_at_random_moments_end_as_one(
    tmp_path: Path, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LEASE_SECONDS", LEASE_SECONDS)
    whole = finished(make_study(steps=12), tmp_path / "whole.atlas")
    with Atlas.open(tmp_path / "whole.atlas") as atlas:
        seconds = sum(job.seconds for job in atlas.jobs())
    path, moments = tmp_path / "killed.atlas", random.Random(KILLS)
    killed = rounds = 0
    while killed < KILLS:
        rounds += 1
        if path.exists() and rounds % 4 == 0:
            assert finished(make_study(steps=12), path) == whole
            path.unlink()
        builds = [builder(path) for _ in range(2)]
        for process, _ in builds:
            time.sleep(moments.uniform(0, 0.3 * seconds))
            killed += ended(process)
    assert finished(make_study(steps=12), path) == whole
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed.atlas", "whole.atlas"]
