"""What a crew makes of what its workers say, whatever that is."""

import pickle
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset

from mischief import Mischief, make_mischief
from phosphene.atlas import JobWriter, accepted
from phosphene.errors import (
    AtlasError,
    DataError,
    NetworkError,
    SettingError,
    SpecError,
    WorkerError,
)
from phosphene.network import Input, load_network
from phosphene.study import Study
from phosphene.study.engines import Engine, Here, Processes, crew, engine_of, processes
from phosphene.study.engines.crew import Crew
from phosphene.study.engines.engine import Failed, Found, Task, Told
from phosphene.study.engines.hand import Gone, Message, Up
from phosphene.study.engines.likeness import Likeness
from phosphene.study.engines.travel import packed_parts, packed_task, parts, sent_task
from phosphene.study.engines.worker import Answer, Joined, Pulse, Worker

LIKE = Likeness.here(torch.device("cpu"))


@dataclass(eq=False)
class Puppet:
    """A worker that says what it is told to say."""

    says: deque[Message] = field(default_factory=deque)
    got: list[Any] = field(default_factory=list)
    ended: bool = False

    def join(self, parts: bytes) -> None:
        self.got.append(parts)

    def start(self, number: int, packed: bytes) -> None:
        self.got.append(number)

    def heard(self) -> Sequence[Message]:
        said = list(self.says)
        self.says.clear()
        return said

    def end(self) -> None:
        self.ended = True


class Puppets(Crew):
    wanted = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(torch.get_num_threads())
        self.all: list[Puppet] = []

    def hire(self) -> Puppet:
        self.all.append(Puppet())
        return self.all[-1]

    def wait(self, hands: Sequence[Any], seconds: float) -> None:
        """They have said all they say."""

    @property
    def last(self) -> Puppet:
        return self.all[-1]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_mischief(tmp_path, ())


@pytest.fixture
def puppets(study: Study, monkeypatch: pytest.MonkeyPatch) -> Puppets:
    """A crew with a task and a worker that has joined."""
    monkeypatch.setattr(crew.time, "sleep", lambda seconds: None)
    found = Puppets()
    found.about(study)
    found.submit(Task(7, Mischief(study, "none"), None, check=str.upper))
    join(found, study)
    return found


def join(crew: Puppets, study: Study, **other: Any) -> None:
    crew._not_before = 0.0
    crew.news(0)  # which hires
    known = {"network": study.network.fingerprint, "data": crew._looked, "like": LIKE}
    crew.last.says += [Up(), Joined(**known | other)]
    crew.news(0)
    crew.news(0)


def test_a_worker_gets_the_network_once_and_then_its_task(puppets: Puppets) -> None:
    assert [type(got) for got in puppets.last.got] == [bytes, int]
    puppets.last.says.append(Pulse(1.0, 0.25))
    assert puppets.news(0) == [Told(7, 0.25)]
    puppets.last.says += [Pulse(2.0, 0.25), Answer(7, "found", 3.0)]
    assert puppets.news(0) == [Found(7, "FOUND", 3.0)]
    assert puppets.free == 2  # one to do, and one to wait


@pytest.mark.parametrize(
    "said",
    [Gone("it died"), Answer(7, 13), Answer(8, "of another"), Answer(7, error=ValueError("own"))],
    ids=["gone", "nonsense", "another's", "error"],
)
def test_who_is_lost_is_replaced_and_the_task_is_tried_so_often(
    puppets: Puppets, study: Study, said: Message
) -> None:
    for attempt in range(1, crew.ATTEMPTS + 1):
        worker = puppets.last
        worker.says.append(said)
        news = puppets.news(0)
        assert worker.ended
        if attempt < crew.ATTEMPTS:
            assert news == []
            puppets.news(0)
            join(puppets, study)
            assert puppets.last is not worker
            assert puppets.last.got[-1] == 7
    (failed,) = news
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, WorkerError)
    assert str(failed.error).startswith(f"{crew.ATTEMPTS} workers in turn could not do it: ")


def test_what_a_layer_is_unfit_for_is_not_tried_again(puppets: Puppets) -> None:
    error = NetworkError("no gradient")
    puppets.last.says.append(Answer(7, error=error))
    assert puppets.news(0) == [Failed(7, error)]
    assert not puppets.last.ended


def test_an_error_of_ours_that_all_meet_is_told_as_it_is(puppets: Puppets, study: Study) -> None:
    for _ in range(crew.ATTEMPTS):
        puppets.last.says.append(Answer(7, error=DataError("cannot be read")))
        news = puppets.news(0)
        puppets.news(0)
        join(puppets, study)
    assert [type(failed.error) for failed in news] == [DataError]


def test_silence_and_stillness_are_told_from_work(
    puppets: Puppets, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(crew.time, "monotonic", lambda: now)
    worker = puppets.last
    for second in range(1, 400):
        now += 1.0
        worker.says.append(Pulse(second / 2))
        assert puppets.news(0) == []
    for _ in range(int(crew.STILL) + 1):
        assert not worker.ended
        now += 1.0
        worker.says.append(Pulse(second / 2))
        puppets.news(0)
    assert worker.ended


@pytest.mark.parametrize("asks", [True, False])
def test_nobody_is_to_blame_while_nobody_asks(
    puppets: Puppets, monkeypatch: pytest.MonkeyPatch, asks: bool
) -> None:
    now, worker = time.monotonic(), puppets.last
    monkeypatch.setattr(crew.time, "monotonic", lambda: now)
    for _ in range(int(crew.SILENCE) + 2 if asks else 1):
        now += 1.0 if asks else 10 * crew.SILENCE
        puppets.news(0)
    assert worker.ended is asks


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"network": "x"}, "its network has other weights"),
        ({"data": "x"}, "it does not find the same pictures"),
        ({"refused": "no such file"}, "no such file"),
        ({"like": replace(LIKE, phosphene="0.0")}, "it has phosphene 0.0, not"),
    ],
)
def test_who_would_compute_something_else_does_not_join(
    study: Study, other: dict[str, Any], words: str
) -> None:
    puppets = Puppets()
    puppets.about(study)
    puppets.submit(Task(1, Mischief(study, "none"), None))
    for _ in range(crew.BEGINNINGS - 1):
        join(puppets, study, **other)
    with pytest.raises(WorkerError, match=f"3 workers in turn did not begin.*{words}"):
        join(puppets, study, **other)


def test_hardware_that_differs_is_told_once(study: Study) -> None:
    puppets = Puppets()
    puppets.about(study)
    puppets.submit(Task(1, Mischief(study, "none"), None))
    other = {"like": replace(LIKE, pytorch="1.0")}
    with pytest.warns(UserWarning, match=r"differs .*\(pytorch 1.0 for .*last digits"):
        join(puppets, study, **other)
    puppets.last.says.append(Gone("left"))
    puppets.news(0)
    join(puppets, study, **other)  # a warning would be an error here
    assert puppets.last.got[-1] == 1


def test_what_an_earlier_build_left_is_not_the_next_ones(puppets: Puppets, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        other = make_mischief(tmp_path / "other", ())
    with torch.no_grad():
        other.network.module[0].weight += 1.0  # type: ignore[index]
    first = puppets.last.got[0]
    puppets.submit(Task(8, Mischief(puppets._study or other, "none"), None))
    puppets.__exit__(None, None, None)
    puppets.about(other)
    puppets.submit(Task(9, Mischief(other, "none"), None))
    join(puppets, other)
    parts_of_other, number = puppets.last.got
    assert number == 9
    assert parts_of_other != first
    assert parts(parts_of_other)[0].fingerprint == other.network.fingerprint


def test_here_and_crews_are_engines() -> None:
    assert isinstance(Here(), Engine)
    assert isinstance(Processes(2), Engine)
    assert engine_of("processes:3").wanted == 3  # type: ignore[attr-defined]
    for text in ("processes", "processes:0", "processes:x", "there", "ray:7", "processes:1025"):
        with pytest.raises(SettingError, match="write here, processes:N"):
            engine_of(text)


@pytest.mark.parametrize(("system", "way"), [("linux", "forkserver"), ("darwin", "spawn")])
def test_processes_are_copies_where_the_system_bears_them(
    system: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert processes._context().get_start_method() == way


def test_threads_of_this_process_are_those_of_the_workers_meanwhile() -> None:
    before = torch.get_num_threads()
    with Processes(1, threads=before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (None, "rows were expected"),
        ({"DELETE FROM jobs": []}, "adds to no table"),
        ({"documents": 3}, "adds to no table"),
        ({"documents": [(1, 2)]}, "is no row of the table documents"),
        ({"documents": [("other", "a", "1", 0)]}, "is of another job"),
        ({"documents": [("key", "a", "1", 0)]}, "not what its checksum says"),
        ({"documents": [("key", object(), "1", 0)]}, "not what its checksum says"),
    ],
)
def test_rows_that_no_job_has_found_are_refused(rows: Any, words: str) -> None:
    writer = JobWriter("key")
    writer.document("a", 1)
    (statement,) = writer.rows
    assert accepted(dict(writer.rows), "key") == writer.rows
    if isinstance(rows, dict):
        rows = {statement if name == "documents" else name: some for name, some in rows.items()}
    with pytest.raises(AtlasError, match=words):
        accepted(rows, "key")


MODEL = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))
        self.own = lambda: None
"""


def test_what_cannot_be_pickled_is_made_again_where_it_is_known_how(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    network = load_network(f"{tmp_path / 'model.py'}:Net", input=Input(1, (8, 8)))
    with torch.no_grad():
        network.module[0].weight += 1.0  # type: ignore[index]
    with pytest.raises(Exception, match=r"lambda|pickle"):
        pickle.dumps(network)
    data = TensorDataset(torch.rand(3, 1, 8, 8))
    there, pictures = parts(packed_parts(Study(network, data)))
    assert there.fingerprint == network.fingerprint
    assert torch.equal(pictures[1][0], data[1][0])
    network.spec = None
    with pytest.raises(SpecError, match=r"cannot be sent to another process .*model.py:make"):
        packed_parts(Study(network, data))


def test_data_that_cannot_be_pickled_are_found_by_their_name(tmp_path: Path) -> None:
    study = make_mischief(tmp_path, ())
    study.data.own = lambda: None  # type: ignore[attr-defined]
    with pytest.raises(SpecError, match="data cannot be sent to another process"):
        packed_parts(study)
    named = replace(study, source={"data": "digits"})
    _, data = parts(packed_parts(named))
    assert getattr(data, "name", "").startswith("digits")


def test_a_task_travels_without_its_network_and_data(study: Study) -> None:
    job = Mischief(study, "none")
    packed = packed_task(Task(3, job, None, range(2, 4)))
    network, data = parts(packed_parts(study))
    there = sent_task(packed, network, data)
    assert (there.number, there.shard, there.job.key) == (3, range(2, 4), job.key)
    assert there.job.study.network is network
    assert there.job.study.data is data
    assert len(packed) < 8000


def test_a_worker_answers_with_what_went_wrong(study: Study) -> None:
    threads = torch.get_num_threads()
    worker = Worker(threads)
    assert "EOFError" in worker.join(b"").refused or worker.join(b"").refused
    joined = worker.join(packed_parts(study))
    assert (joined.refused, joined.network) == ("", study.network.fingerprint)
    answer = worker.run(4, b"rubbish")
    assert isinstance(answer.error, WorkerError)
    assert answer.number == 4
    assert worker.pulse().worked > 0
