"""Whoever computes a study, the atlas is the same; who is lost costs a job, and that is redone."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import killed
from killed import LEASE_SECONDS
from mischief import WAYS, Dimmed, Mischief, MischiefOfUnits, make_mischief
from phosphene.atlas import Atlas, PartRecord, claims
from phosphene.errors import WorkerError
from phosphene.study import Study, build
from phosphene.study.engines import Processes, crew
from phosphene.study.job import KINDS, StudyJob

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]  # processes for each

TESTS = Path(__file__).parents[1]
KILLS = int(os.environ.get("PHOSPHENE_TEST_KILLS", "4"))


@pytest.fixture(scope="module")
def path_of_whole(
    make_study: Callable[..., Study], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The study of twelve steps, done here."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("here") / "a.atlas"
    finished(make_study(steps=12), path)
    return path


@pytest.fixture(scope="module")
def whole(path_of_whole: Path) -> str:
    """What the study of twelve steps comes to."""
    return fingerprint(path_of_whole)


@pytest.fixture(scope="module")
def seconds(path_of_whole: Path) -> float:
    """How long its jobs take here, one after another."""
    with Atlas.open(path_of_whole) as atlas:
        return sum(job.seconds for job in atlas.jobs())


def finished(study: Study, path: Path, on: Any = "here") -> str:
    for _ in build(study, path, on=on):
        pass
    return fingerprint(path)


def fingerprint(path: Path) -> str:
    with Atlas.open(path) as atlas:
        return atlas.fingerprint()


def lives(pid: int) -> bool:
    """Whether a process is there and no mere remnant."""
    return stat(pid)[0] not in "ZX"


def stat(pid: int) -> list[str]:
    """What Linux tells of a process: its state, and who began it, in which group and session."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return list("X000")
    return told.rpartition(")")[2].split()


def of_session(leader: int) -> set[int]:
    """The processes that one has begun, and those that these have begun."""
    every = {int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    return {pid for pid in every if stat(pid)[3] == str(leader)}


def gone(pids: set[int], seconds: float = 20.0) -> bool:
    until = time.monotonic() + seconds
    while any(map(lives, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(lives, pids))


def test_two_processes_build_what_one_does(
    whole: str, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    engine, pids, path = Processes(2), set[int](), tmp_path / "a.atlas"
    done = []
    for step in build(make_study(steps=12), path, on=engine):
        pids.update(engine.pids)
        done.append(step.done)
    assert done == sorted(done)
    assert len(pids) == 2
    assert gone(pids)
    assert finished(make_study(steps=12), path) == whole  # which finds nothing to do
    assert [p.name for p in tmp_path.iterdir()] == ["a.atlas"]


def test_a_job_is_told_by_a_key_that_is_not_worked_out_at_every_look(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[tuple[str, str]] = Counter()
    key = StudyJob.key

    def counted(job: StudyJob) -> str:
        asked[job.title, str(job.params)] += 1
        return str(key.fget(job))  # type: ignore[attr-defined]

    monkeypatch.setattr(StudyJob, "key", property(counted))
    finished(study, tmp_path / "a.atlas", on=Processes(1))
    assert max(asked.values()) <= 12


def test_shards_of_a_pass_are_gathered_apart_and_one_that_is_cut_short_is_gone_on_with(
    make_study: Callable[..., Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = of_25_shards(make_study, monkeypatch)
    alone = finished(study, tmp_path / "alone.atlas")
    path, engine = tmp_path / "a.atlas", Processes(2)
    steps = build(study, path, on=engine)
    while not (tmp_path / "a.atlas.pass").exists():
        next(steps)
    pids = set(engine.pids)
    steps.close()
    assert gone(pids)
    assert finished(study, path, Processes(2)) == alone
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.atlas", "alone.atlas"]


def of_25_shards(make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study whose pass is merged on two levels of a tree."""
    monkeypatch.setattr("phosphene.data.batching.SHARD", 4)
    small = make_study(pictures=100)
    return replace(small, settings=replace(small.settings, recipes=(), batch=4, edges=0))


def test_parts_of_a_pass_are_gathered_by_processes_and_so_is_what_they_leave(
    make_study: Callable[..., Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = of_25_shards(make_study, monkeypatch)
    alone = finished(study, tmp_path / "alone.atlas")
    here, there = tmp_path / "here.atlas", tmp_path / "there.atlas"
    [*_] = build(study, here, part=(2, 3))
    [*_] = build(study, there, part=(2, 3), on=Processes(2))
    with Atlas.open(here) as one, Atlas.open(there) as other:
        assert one.fingerprint() == other.fingerprint()
        told, again = (
            [(p.shard, p.level, p.count, p.about, p.tensors) for p in atlas.records(PartRecord)]
            for atlas in (one, other)
        )
        assert told == again
        assert told
    assert finished(study, there, Processes(2)) == alone
    assert finished(study, here) == alone
    assert {p.name for p in tmp_path.iterdir()} == {"alone.atlas", "here.atlas", "there.atlas"}


def test_what_a_worker_dies_of_hangs_at_or_answers_nonsense_to_is_done_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "mischief", Mischief)
    monkeypatch.setattr(crew, "BEAT", 0.2)
    monkeypatch.setattr(crew, "SILENCE", 6.0)
    monkeypatch.setattr(crew, "STILL", 6.0)
    alone = finished(make_mischief(tmp_path, WAYS, times=0), tmp_path / "alone.atlas")
    engine, pids = Processes(2), set[int]()
    for _ in build(make_mischief(tmp_path / "notes", WAYS), tmp_path / "a.atlas", on=engine):
        pids.update(engine.pids)
    assert len(list((tmp_path / "notes").iterdir())) == len(WAYS)
    assert gone(pids)
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert atlas.fingerprint() == alone
        assert {job.state for job in atlas.jobs()} == {"done"}
        assert [atlas.document(f"mischief: {way}") for way in WAYS] == ["managed"] * len(WAYS)


def test_what_every_worker_dies_of_is_told_as_failed_and_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, MischiefOfUnits.kind, MischiefOfUnits)
    monkeypatch.setattr(crew, "ATTEMPTS", 2)
    *_, last = build(make_mischief(tmp_path, ()), tmp_path / "a.atlas", on=Processes(2))
    assert (last.title, last.failed) == ("done", 1)
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        (failed,) = (job for job in atlas.jobs() if job.state == "failed")
        assert failed.title == "units that kill"
        assert "2 workers in turn could not do it: its process was ended by SIGKILL" in str(
            failed.error
        )
        (said,) = (found.text for found in atlas.findings() if found.topic == "left out")
        assert said.startswith("Not done: units that kill: 2 workers in turn could not do it")


def test_what_all_else_waits_for_ends_the_build_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "mischief", Mischief)
    monkeypatch.setattr(crew, "ATTEMPTS", 2)
    path = tmp_path / "a.atlas"
    with pytest.raises(WorkerError, match=r"raise: 2 workers in turn .* a worker's own trouble"):
        finished(make_mischief(tmp_path / "a", ["raise"], times=2), path, Processes(1))
    with Atlas.open(path) as atlas:
        assert [job.kind for job in atlas.jobs() if job.state == "failed"] == ["mischief"]
        assert {"pass", "shown", "examples"} < {j.kind for j in atlas.jobs() if j.state == "done"}
    alone = finished(make_mischief(tmp_path, ["raise"], times=0), tmp_path / "alone.atlas")
    assert finished(make_mischief(tmp_path / "a", ["raise"], times=2), path) == alone


def test_a_worker_may_join_late(
    whole: str, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    engine, most, path = Processes(1), 0, tmp_path / "a.atlas"
    for step in build(make_study(steps=12), path, on=engine):
        most = max(most, len(engine.pids))
        if step.done > 2:
            engine.count = 2
    assert most == 2
    assert fingerprint(path) == whole


def test_workers_have_the_environment_that_their_builder_has_by_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, found = make_mischief(tmp_path / "notes", ()), set[str]()
    data = Dimmed(*study.data.tensors)  # type: ignore[attr-defined]
    for brightness in ("1", "0.5"):
        monkeypatch.setenv("PHOSPHENE_TEST_BRIGHTNESS", brightness)
        path = tmp_path / f"{brightness}.atlas"
        found.add(finished(replace(study, data=data), path, Processes(1)))
    assert len(found) == 2


def test_workers_that_are_killed_at_random_moments_cost_time_alone(
    whole: str, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    moments, kills = random.Random(KILLS), 0
    while kills < KILLS:
        engine, path = Processes(2), tmp_path / f"{kills}.atlas"
        when = sorted((moments.random() if kills else 0.0, moments.random()))
        for step in build(make_study(steps=12), path, on=engine):
            if engine.pids and when and step.done >= when[0] * step.total:
                time.sleep(moments.uniform(0, 0.1))
                os.kill(moments.choice(engine.pids), signal.SIGKILL)
                kills, when = kills + 1, when[1:]
        assert fingerprint(path) == whole
        assert [p.name for p in tmp_path.iterdir()] == [path.name]
        path.unlink()


def test_what_workers_are_copied_from_may_be_killed_as_well(
    whole: str, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    engine, pids, killed = Processes(2), set[int](), 0
    for step in build(make_study(steps=12), tmp_path / "a.atlas", on=engine):
        pids.update(engine.pids)
        if not killed and step.done >= step.total / 2:
            killed = int(stat(engine.pids[0])[1])
            assert killed != os.getpid()
            os.kill(killed, signal.SIGKILL)
    assert gone({killed, *pids})
    assert len(pids) == 4
    assert fingerprint(tmp_path / "a.atlas") == whole


BUILDER = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background, too
sys.path.insert(0, sys.argv[2])
import killed
from killed import LEASE_SECONDS
from phosphene.atlas import claims
from phosphene.study import build
from phosphene.study.engines import Processes
from small_study import make_study
claims.LEASE_SECONDS = LEASE_SECONDS
engine = Processes(2)
for step in build(make_study(steps=12), sys.argv[1], on=engine):
    print(step.done / step.total, *engine.pids, flush=True)
"""


def builder(path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(path), str(TESTS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def pids_of(process: "subprocess.Popen[str]") -> set[int]:
    """The workers that a builder begins with, and whatever else it has begun."""
    assert process.stdout is not None
    _, *workers = process.stdout.readline().split()
    every = of_session(process.pid)
    assert set(map(int, workers)) < every
    return every - {process.pid}


def as_people_do(path: Path) -> tuple[Callable[[], object], set[int]]:
    """Begin to build in a process of its own; what kills it, and what else it has begun."""
    process = builder(path)
    pids = pids_of(process)

    def kill() -> None:
        process.kill()
        process.communicate()

    return kill, pids


def at_once(path: Path) -> tuple[Callable[[], object], set[int]]:
    """The same of a process that is a copy."""
    process, pids = killed.builder(path, workers=2)
    return partial(killed.ended, process), set(pids)


def test_a_builder_that_is_killed_takes_its_workers_along_and_the_next_one_goes_on(
    whole: str,
    seconds: float,
    make_study: Callable[..., Study],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "LEASE_SECONDS", LEASE_SECONDS)
    moments, path = random.Random(KILLS), tmp_path / "a.atlas"
    for number, begin in enumerate([as_people_do] + [at_once] * (KILLS - 1)):
        kill, pids = begin(path)
        time.sleep(moments.uniform(0, seconds))
        kill()
        assert gone(pids)
        if number % 3 == 2 and path.exists():
            assert finished(make_study(steps=12), path) == whole
            path.unlink()
    assert finished(make_study(steps=12), path, "processes:2") == whole
    assert [p.name for p in tmp_path.iterdir()] == ["a.atlas"]


def test_an_interruption_leaves_no_process_and_an_atlas_to_go_on_with(
    whole: str, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    path = tmp_path / "a.atlas"
    process = builder(path)
    pids = pids_of(process)
    assert process.stdout is not None
    while float(process.stdout.readline().split()[0]) < 0.2:
        pass
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of them
    _, told = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in told
    assert "Traceback" not in told.partition("KeyboardInterrupt")[2]
    assert gone(pids, 2)
    with Atlas.open(path) as atlas:
        assert "failed" not in atlas.states().values()
        assert atlas._query("SELECT * FROM claims") == []
    assert {p.name for p in tmp_path.iterdir()} <= {"a.atlas", "a.atlas.pass"}
    assert finished(make_study(steps=12), path) == whole
