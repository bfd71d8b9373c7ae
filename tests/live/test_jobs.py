"""Long work: put once, watched, cancelled, taken up again; no request names a file."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from fuzz import small_atlas
from phosphene.atlas import Atlas
from phosphene.live.application import live_app
from phosphene.live.asking import OPEN, asked, refused
from phosphene.live.exhibits import Exhibit
from phosphene.live.guard import Guard
from phosphene.network import Network
from phosphene.probes.fooling import Fooling
from phosphene.probes.question import forms
from phosphene.probes.subject import InMemory
from phosphene.progress import tell

pytestmark = pytest.mark.later

FOOL = {"kind": "fool", "options": {"towards": "cat", "start": "grey", "steps": 2}}


class Few(torch.utils.data.Dataset[Any]):
    """Four pictures."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        made = torch.Generator().manual_seed(index)
        return torch.rand(3, 9, 9, generator=made), index % 3


@pytest.fixture
def asking(tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch) -> Exhibit:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = small_atlas(tmp_path / "net.atlas", network.fingerprint)
    return Exhibit("net", path, network, source=InMemory(network, Few()))


Serve = Callable[[Exhibit], TestClient]


@pytest.fixture
def serve() -> Serve:
    def served(exhibit: Exhibit) -> TestClient:
        return TestClient(Guard(live_app([exhibit])), base_url="http://localhost")

    return served


@dataclass
class Slow:
    """Holds questions until they are let go; counts how many began."""

    go: Event
    began: int = 0


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    kept, at = Fooling.ask, Slow(Event())

    def ask(self: Fooling, subject: Any) -> Any:
        at.began += 1
        while not at.go.wait(0.01):
            tell(3, 10, "slowly")
        return kept(self, subject)

    monkeypatch.setattr(Fooling, "ask", ask)
    yield at
    at.go.set()


def until(client: TestClient, job: dict[str, Any], *states: str) -> dict[str, Any]:
    """The job once it is in one of the states."""
    for _ in range(1500):
        told = client.get(f"/api/net/jobs/{job['id']}").json()
        if told["state"] in states:
            return dict(told)
        time.sleep(0.01)
    raise AssertionError(told)


def put(client: TestClient, asked: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/api/net/jobs", json=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_question_is_answered_kept_and_read_when_it_is_asked_again(
    asking: Exhibit, serve: Serve
) -> None:
    client = serve(asking)
    job = put(client, FOOL)
    assert job["title"]
    assert job["key"] == job["id"]
    found = until(client, job, "finished", "failed")
    assert found["state"] == "finished", found
    assert client.get(found["address"]).status_code == 200
    assert put(client, FOOL)["state"] == "finished"
    again = put(serve(asking), FOOL)  # another server
    assert (again["state"], again["address"]) == ("finished", found["address"])
    assert [each["id"] for each in client.get("/api/net/jobs").json()] == [job["id"]]


def test_a_job_tells_how_far_it_is_and_is_the_same_job_while_it_runs(
    asking: Exhibit, serve: Serve, slow: Slow
) -> None:
    client = serve(asking)
    job = put(client, FOOL)
    until(client, job, "running")
    for _ in range(500):
        told = client.get(f"/api/net/jobs/{job['id']}").json()
        if told["total"]:
            break
        time.sleep(0.01)
    assert (told["done"], told["total"], told["words"]) == (3, 10, "slowly")
    assert put(client, FOOL)["state"] == "running"
    slow.go.set()
    assert until(client, job, "finished", "failed")["state"] == "finished"
    assert slow.began == 1


def test_a_cancelled_job_leaves_the_atlas_whole_and_can_be_put_again(
    asking: Exhibit, serve: Serve, slow: Slow
) -> None:
    client = serve(asking)
    job = put(client, FOOL)
    other = put(client, {"kind": "fool", "options": {"towards": "dog", "steps": 2}})
    until(client, job, "running")
    assert client.delete(f"/api/net/jobs/{other['id']}").json()["state"] == "cancelled"
    client.delete(f"/api/net/jobs/{job['id']}")
    assert until(client, job, "cancelled")["address"] == ""
    with Atlas.open(asking.path) as atlas:
        assert not atlas.done(job["key"])
        assert not list(atlas.damaged())
    slow.go.set()
    put(client, FOOL)
    assert until(client, job, "finished", "failed")["state"] == "finished"
    assert slow.began == 2  # the one that waited never began


def test_what_is_unfinished_is_taken_up_by_the_next_server(
    asking: Exhibit, serve: Serve, slow: Slow
) -> None:
    with serve(asking) as client:
        job = put(client, FOOL)
        until(client, job, "running")
    slow.go.set()
    with serve(asking) as client:
        assert until(client, job, "finished", "failed")["state"] == "finished"
    with serve(asking) as client:
        assert client.get("/api/net/jobs").json() == []  # it is in the atlas


def test_what_is_cancelled_is_not_taken_up(asking: Exhibit, serve: Serve, slow: Slow) -> None:
    with serve(asking) as client:
        job = put(client, FOOL)
        until(client, job, "running")
        client.delete(f"/api/net/jobs/{job['id']}")
    with serve(asking) as client:
        assert client.get("/api/net/jobs").json() == []


def test_notes_that_name_files_or_nonsense_are_dropped(
    asking: Exhibit, serve: Serve, tmp_path: Path
) -> None:
    with serve(asking) as client:
        until(client, put(client, FOOL), "finished")
    (note,) = (tmp_path / "state/phosphene/jobs").iterdir()
    hostile = {"kind": "why", "options": {"image": "/etc/passwd"}}
    note.write_text(json.dumps([hostile, 3, {"kind": []}, {"kind": "fool", "options": 3}]))
    with serve(asking) as client:
        assert client.get("/api/net/jobs").json() == []


def _files(tmp_path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every option of every question, with files in it; what else is required is given."""
    given = {"unit": "cat", "layer": "0", "layers": ["0"], "image": "0", "text": "hi"}
    picture = tmp_path / "picture.png"
    for name, form in forms().items():
        needed = {f["name"]: given[f["kind"]] for f in form["fields"] if f["required"]}
        for field in form["fields"]:
            if field["kind"] not in OPEN or field["kind"] == "image":
                for path in ("/etc/passwd", str(picture), picture.name, "file:///etc/passwd", "٣"):
                    for value in (path, [path]):
                        yield name, needed | {field["name"]: value}


def test_no_option_names_a_file(
    asking: Exhibit, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 9)).save("picture.png")
    client, seen = serve(asking), 0
    for kind, options in _files(tmp_path):
        answer = client.post("/api/net/jobs", json={"kind": kind, "options": options})
        assert answer.status_code == 422, (kind, options)
        told = answer.json()["detail"]
        assert any(
            words in told for words in ("no picture here", "command line alone", "phosphene probe")
        ), (kind, options, told)
        seen += 1
    assert seen > 100
    assert client.get("/api/net/jobs").json() == []


def test_questions_that_write_files_are_for_the_command_line() -> None:
    closed = {name for name, form in forms().items() if refused(form)}
    assert closed == {"hide", "imagine", "transfer", "variants"}


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("fol", {}, "no probe 'fol'"),
        ("fool", {"stps": 3}, "no option 'stps'"),
        ("fool", {"steps": 0}, "at least 1"),
        ("fool", {"steps": 10**9}, "more than 100,000"),
        ("fool", {"towards": "horse"}, "horse"),
        ("fool", {"towards": "x" * 2000}, "1000 characters"),
        ("parts", {"unit": "cat"}, "missing"),
        ("parts", {"unit": "nowhere:1", "image": "0"}, "nowhere"),
    ],
)
def test_what_is_no_question_is_refused_with_a_sentence(
    asking: Exhibit, serve: Serve, kind: str, options: dict[str, Any], words: str
) -> None:
    answer = serve(asking).post("/api/net/jobs", json={"kind": kind, "options": options})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_without_data_only_questions_that_rest_on_them_are_refused(
    asking: Exhibit, serve: Serve
) -> None:
    bare = Exhibit("net", asking.path, asking.network)
    client = serve(bare)
    about = {"kind": "parts", "options": {"unit": "cat", "image": "0"}}
    answer = client.post("/api/net/jobs", json=about)
    assert answer.status_code == 422
    assert "needs pictures" in answer.json()["detail"]
    assert until(client, put(client, FOOL), "finished", "failed")["state"] == "finished"


def test_at_most_a_hundred_wait(asking: Exhibit, serve: Serve, slow: Slow) -> None:
    client = serve(asking)
    first = put(client, {"kind": "fool", "options": {"steps": 1}})
    until(client, first, "running")
    for steps in range(2, 102):
        put(client, {"kind": "fool", "options": {"steps": steps}})
    one = {"kind": "fool", "options": {"steps": 102}}
    assert client.post("/api/net/jobs", json=one).status_code == 503
    for job in client.get("/api/net/jobs").json():
        client.delete(f"/api/net/jobs/{job['id']}")
    until(client, first, "cancelled")


def test_the_page_has_a_form_for_every_question(asking: Exhibit, serve: Serve) -> None:
    page = serve(asking).get("/net/ask").text
    for name, form in forms().items():
        assert f'data-kind="{name}"' in page or refused(form) in page
    assert "/assets/ask.js" in page
    absent = serve(Exhibit("net", asking.path, missing="give --model FILE"))
    assert "give --model FILE" in absent.get("/net/ask").text
    assert absent.post("/api/net/jobs", json=FOOL).status_code == 503


def test_questions_of_a_request_are_those_of_the_library() -> None:
    assert asked("fool", FOOL["options"]) == Fooling(towards="cat", start="grey", steps=2)  # type: ignore[arg-type]
    assert asked("strokes", {"drawing": None}).to_json()["drawing"] is None


def test_openapi_describes_jobs(asking: Exhibit, serve: Serve) -> None:
    paths = serve(asking).get("/openapi.json").json()["paths"]
    assert set(paths["/api/{name}/jobs"]) == {"get", "post"}
    assert set(paths["/api/{name}/jobs/{id}"]) == {"get", "delete"}
