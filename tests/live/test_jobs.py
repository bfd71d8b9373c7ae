"""Long work: put once, watched, cancelled; nobody at the bench waits for it."""

import copy
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch

from live.asked import FOOL, Serve, Slow, put, until
from phosphene.atlas import Atlas
from phosphene.live.asking import refused
from phosphene.live.exhibits import Exhibit
from phosphene.network import Network
from phosphene.network.turns import turn
from phosphene.probes.fooling import Fooling
from phosphene.probes.question import forms

pytestmark = pytest.mark.later


def test_a_question_is_answered_kept_and_read_when_it_is_asked_again(
    asking: Exhibit, serve: Serve
) -> None:
    client = serve(asking)
    job = put(client, FOOL)
    assert job["title"]
    assert job["key"] == job["id"]
    found = until(client, job, "finished", "failed")
    assert found["state"] == "finished", found["error"]
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


def test_nobody_at_the_bench_waits_for_a_pass_of_a_job(
    asking: Exhibit, serve: Serve, link: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, inside, go = serve(asking), Event(), Event()

    def ask(self: Fooling, subject: Any) -> Any:
        with turn(subject.network.module):
            inside.set()
            go.wait(20)
        return kept(self, subject)

    kept = Fooling.ask
    monkeypatch.setattr(Fooling, "ask", ask)
    job = put(client, FOOL)
    assert inside.wait(10)
    assert client.post("/api/net/read", json={"picture": link()}).status_code == 200
    assert client.get(f"/api/net/jobs/{job['id']}").json()["state"] == "running"
    go.set()
    assert until(client, job, "finished", "failed")["state"] == "finished"


def test_jobs_are_about_the_weights_of_the_network(tmp_path: Path, network: Network) -> None:
    module = copy.deepcopy(network.module)
    own = Network(module, network.input, network.labels)
    exhibit = Exhibit("net", tmp_path / "net.atlas", own)
    first = exhibit.apart
    assert first.module is not module
    assert first.fingerprint == own.fingerprint
    assert exhibit.apart is first
    with torch.no_grad():
        module[0].weight.mul_(2)
    assert exhibit.apart is not first
    assert exhibit.apart.fingerprint == own.fingerprint
    pictures = torch.rand(2, 3, 9, 9)
    assert torch.equal(exhibit.apart.class_scores(pictures), own.class_scores(pictures))


def test_a_network_that_cannot_be_copied_is_shared(
    tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise TypeError("no copies")

    own = Network(copy.deepcopy(network.module), network.input, network.labels)
    monkeypatch.setattr(type(own.module), "__deepcopy__", refuse, raising=False)
    assert Exhibit("net", tmp_path / "net.atlas", own).apart is own


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


def test_openapi_describes_jobs(asking: Exhibit, serve: Serve) -> None:
    paths = serve(asking).get("/openapi.json").json()["paths"]
    assert set(paths["/api/{name}/jobs"]) == {"get", "post"}
    assert set(paths["/api/{name}/jobs/{id}"]) == {"get", "delete"}
    assert set(paths["/api/{name}/jobs/{id}/files/{file}"]) == {"get"}
