"""Layers that an atlas does not have yet are added from the page, and what is done is kept."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from phosphene.atlas import Atlas
from phosphene.data import digits
from phosphene.live.application import live_app
from phosphene.live.exhibits import Exhibit
from phosphene.live.guard import Guard
from phosphene.maximize import Recipe
from phosphene.probes.subject import InMemory
from phosphene.progress import follow
from phosphene.study import Settings, Study, build
from phosphene.study import building as building_module
from small_study import make_network

pytestmark = pytest.mark.slow

SETTINGS = Settings(("0", "6"), (Recipe(steps=2), Recipe("neuron", steps=2)), examples=2, batch=8)


@pytest.fixture
def exhibit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exhibit:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    network, data = make_network(), digits("test").take(slice(0, 16))
    follow(build(Study(network, data, SETTINGS), tmp_path / "net.atlas"))
    return Exhibit("net", tmp_path / "net.atlas", network, source=InMemory(network, data))


@pytest.fixture
def client(exhibit: Exhibit) -> Iterator[TestClient]:
    with TestClient(Guard(live_app([exhibit])), base_url="http://localhost") as found:
        yield found


def put(client: TestClient, **options: Any) -> Any:
    return client.post("/api/net/jobs", json={"kind": "layers", "options": options})


def until(client: TestClient, job: dict[str, Any], *states: str) -> dict[str, Any]:
    for _ in range(3000):
        told = client.get(f"/api/net/jobs/{job['id']}").json()
        if told["state"] in states:
            return dict(told)
        time.sleep(0.01)
    raise AssertionError(told)


def test_a_layer_is_added_and_its_pages_are_there(client: TestClient, exhibit: Exhibit) -> None:
    assert exhibit.absent_layers == ["1", "2", "3", "4", "5", "output"]
    for path in ("/net/layer/3", "/net/unit/3/1"):
        missing = client.get(path)
        assert missing.status_code == 404
        assert 'href="/net/ask#layers=3"' in missing.text
    job = put(client, layers=["3"]).json()
    assert job["title"] == "1 more layer: 3"
    found = until(client, job, "finished", "failed")
    assert (found["state"], found["address"]) == ("finished", "/net/layer/3"), found["error"]
    assert found["total"] > 5
    assert client.get("/net/layer/3").status_code == 200
    assert client.get("/net/unit/3/1").status_code == 200
    assert exhibit.absent_layers == ["1", "2", "4", "5", "output"]
    with Atlas.open(exhibit.path) as atlas:
        assert atlas.pictures("3")
        assert {len(atlas.examples("3", unit)) for unit in (0, 1)} == {2}
    assert put(client, layers=["3"]).json()["state"] == "finished"


def test_it_is_cancelled_between_two_steps_and_gone_on_with(
    client: TestClient, exhibit: Exhibit, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = building_module._Build._step

    def slowly(*args: Any) -> Any:
        time.sleep(0.05)
        return kept(*args)

    monkeypatch.setattr(building_module._Build, "_step", slowly)
    job = put(client, layers=["3"]).json()
    while not client.get(f"/api/net/jobs/{job['id']}").json()["done"]:
        time.sleep(0.01)
    client.delete(f"/api/net/jobs/{job['id']}")
    until(client, job, "cancelled")
    with Atlas.open(exhibit.path) as atlas:
        assert not list(atlas.damaged())
        before = {each.key for each in atlas.jobs()}
    assert before
    assert until(client, put(client, layers=["3"]).json(), "finished", "failed")["error"] == ""
    with Atlas.open(exhibit.path) as atlas:
        assert any(each.key in before for each in atlas.jobs())


def test_some_units_of_a_layer_are_shown(client: TestClient, exhibit: Exhibit) -> None:
    found = until(client, put(client, layers=["3"], units=["3:0-1"]).json(), "finished", "failed")
    assert found["state"] == "finished", found["error"]
    assert client.get("/net/unit/3/1").status_code == 200
    with Atlas.open(exhibit.path) as atlas:
        assert [bool(atlas.examples("3", unit)) for unit in range(3)] == [True, True, False]
    unshown = client.get("/net/unit/3/2")
    assert unshown.status_code == 404
    assert 'href="/net/ask#unit=3%3A2"' in unshown.text


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({}, 422, "missing"),
        ({"layers": []}, 422, "missing"),
        ({"layers": ["conv9"]}, 422, "conv9"),
        ({"layers": ["*"]}, 422, "*"),
        ({"layers": ["3"], "units": ["0:1"]}, 422, "3:0-9"),
        ({"layers": ["3"], "units": ["3:99"]}, 422, "units 0 to 5"),
        ({"layers": ["3"], "units": ["3:../x"]}, 422, "chooses no units"),
        ({"layers": ["3"], "out": "/tmp/x"}, 422, "no option 'out'"),
        ({"layers": ["3"], "replace": True}, 422, "no option 'replace'"),
    ],
)
def test_what_cannot_be_added_is_told(
    client: TestClient, options: dict[str, Any], status: int, words: str
) -> None:
    answer = put(client, **options)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert client.get("/api/net/jobs").json() == []


def test_without_data_no_layer_is_added(exhibit: Exhibit) -> None:
    bare = Exhibit("net", exhibit.path, exhibit.network)
    client = TestClient(Guard(live_app([bare])), base_url="http://localhost")
    answer = put(client, layers=["3"])
    assert (answer.status_code, "needs pictures" in answer.text) == (422, True)


def test_the_page_offers_the_layers_that_are_not_there(client: TestClient) -> None:
    page = client.get("/net/ask").text
    assert 'data-kind="layers"' in page
    assert all(f'<option value="{name}">' in page for name in ("1", "2", "3", "4"))
