"""Pictures that are sent with a question, files that it leaves; no request names one."""

import base64
import copy
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from live.asked import FOOL, Serve, Slow, note_of, put, until
from live.test_api import bomb
from phosphene.atlas import Atlas
from phosphene.circuits import parts
from phosphene.live import uploads
from phosphene.live.application import live_app
from phosphene.live.asking import OPEN, Desired, refused
from phosphene.live.exhibits import Exhibit
from phosphene.live.guard import Guard
from phosphene.live.uploads import keep_picture, kept_picture
from phosphene.network import Network
from phosphene.probes.fooling import Fooling
from phosphene.probes.messages import load_message, reveal
from phosphene.probes.question import Question, forms
from phosphene.probes.strokes import read_drawing

pytestmark = pytest.mark.later


class TestDrawings:
    """Pictures that are sent with a question."""

    def asked(self, link: str, **more: Any) -> dict[str, Any]:
        options = {"unit": "cat", "image": link, "most": 2, "depth": 1, **more}
        return {"kind": "parts", "options": options}

    def test_a_picture_that_is_sent_is_asked_about_and_its_key_goes_by_what_it_holds(
        self, asking: Exhibit, serve: Serve, link: Callable[..., str]
    ) -> None:
        client = serve(asking)
        job = put(client, self.asked(link()))
        assert until(client, job, "finished", "failed")["state"] == "finished"
        assert put(client, self.asked(link()))["id"] == job["id"]
        other = put(client, self.asked(link(seed=1)))
        assert other["id"] != job["id"]
        until(client, other, "finished")
        pixels = link().partition(",")[2]
        image = Image.open(io.BytesIO(base64.b64decode(pixels)))
        found = parts(asking.here, image, "cat", k=2, depth=1, data=None)
        with Atlas.open(asking.path) as atlas:
            probe = next(each for each in atlas.probes() if each.name.endswith(job["id"][:8]))
            told = json.dumps([each.params for each in atlas.jobs()])
        assert probe.figures["root"]["value"] == pytest.approx(found.root.value, rel=1e-5)
        assert "state/phosphene" not in json.dumps(probe.figures) + told + probe.title

    def test_it_is_there_for_the_next_server(
        self, asking: Exhibit, serve: Serve, slow: Slow, link: Callable[..., str], tmp_path: Path
    ) -> None:
        with serve(asking) as client:
            until(client, put(client, FOOL), "running")
            job = put(client, self.asked(link()))
            assert job["state"] == "waiting"
            assert len(note_of(tmp_path).read_text()) < 1000
        slow.go.set()
        with serve(asking) as client:
            assert until(client, job, "finished", "failed")["state"] == "finished"
            again = put(client, {"kind": job["kind"], "options": job["options"]})
            assert again["id"] == job["id"]

    @pytest.mark.parametrize(
        "picture",
        [
            "data:text/html;base64,AAAA",
            "data:image/png;base64,****",
            "data:image/png;base64,AAAA",
            "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode(),
            "drawing-0123456789abcdef.png",
            "drawing-../../../etc/passwd",
            "../pictures/drawing-0123456789abcdef.png",
        ],
    )
    def test_what_is_none_is_refused_and_nothing_is_kept(
        self, asking: Exhibit, serve: Serve, tmp_path: Path, picture: str
    ) -> None:
        answer = serve(asking).post("/api/net/jobs", json=self.asked(picture))
        assert answer.status_code == 422
        assert "picture" in answer.text or "image" in answer.text
        assert not (tmp_path / "state/phosphene/jobs/pictures").exists()

    def test_a_bomb_is_refused(self, asking: Exhibit, serve: Serve) -> None:
        answer = serve(asking).post("/api/net/jobs", json=self.asked(bomb()))
        assert (answer.status_code, "image" in answer.text) == (422, True)

    def test_the_oldest_go_where_there_is_no_room(
        self, network: Network, link: Callable[..., str], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        names = [keep_picture(network, link(seed=i)) for i in range(3)]
        for age, name in enumerate(names):
            path = kept_picture(name)
            assert path is not None
            os.utime(path, (age, age))
        monkeypatch.setattr(uploads, "MOST_BYTES", 3 * path.stat().st_size)
        newest = keep_picture(network, link(seed=9))
        left = [kept_picture(name) is not None for name in (*names, newest)]
        assert left == [False, True, True, True]

    def test_a_drawing_is_read_as_from_a_file(
        self, asking: Exhibit, serve: Serve, link: Callable[..., str], tmp_path: Path
    ) -> None:
        client = serve(asking)
        job = put(client, {"kind": "strokes", "options": {"drawing": link((40, 30))}})
        assert until(client, job, "finished", "failed")["state"] == "finished"
        with Atlas.open(asking.path) as atlas:
            *_, probe = atlas.probes()
        (tmp_path / "drawn.png").write_bytes(base64.b64decode(link((40, 30)).partition(",")[2]))
        expected = read_drawing(tmp_path / "drawn.png", asking.here).to_json()
        assert probe.figures["probabilities"] == pytest.approx(expected["probabilities"])


class TestFilesOfOurs:
    """Questions that leave files leave them where the server says."""

    def test_a_message_is_hidden_and_its_file_given_out(
        self, asking: Exhibit, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        client = serve(asking)
        job = put(
            client, {"kind": "hide", "options": {"text": "hi", "confidence": 0.4, "steps": 2000}}
        )
        found = until(client, job, "finished", "failed")
        assert found["state"] == "finished", found["error"]
        (address,) = found["files"]
        assert found["remarks"] == ["The message itself: message.png"]
        answer = client.get(address)
        assert "attachment" in answer.headers["content-disposition"]
        (tmp_path / "got.png").write_bytes(answer.content)
        pictures = load_message(tmp_path / "got.png", asking.here.input)
        assert reveal(asking.here, pictures) == "hi"
        assert not (tmp_path / "message.png").exists()
        for wrong in ("other.png", "..%2f..%2fnotes", "%2e%2e"):
            assert client.get(f"{address.rpartition('/')[0]}/{wrong}").status_code == 404
        with serve(asking) as later:
            assert later.get(address).content == answer.content

    def test_pictures_are_carried_over_to_another_atlas_that_is_shown(
        self, asking: Exhibit, network: Network
    ) -> None:
        module = copy.deepcopy(network.module)
        torch.nn.init.normal_(module[3].weight)
        other = Network(module, network.input, network.labels, name="Other")
        exhibits = [asking, Exhibit("beside", asking.path, other)]
        client = TestClient(Guard(live_app(exhibits)), base_url="http://localhost")
        options = {"also": ["beside"], "images": 2, "confidence": 0.6, "rate": 0.1}
        job = put(client, {"kind": "transfer", "options": options})
        found = until(client, job, "finished", "failed")
        assert found["state"] == "finished", found["error"]
        with Atlas.open(asking.path) as atlas:
            *_, probe = atlas.probes()
        assert probe.figures["networks"] == ["Net", "Other"]
        options = {"also": ["nobody"]}
        answer = client.post("/api/net/jobs", json={"kind": "transfer", "options": options})
        assert (answer.status_code, "beside" in answer.text) == (422, True)

    def test_networks_are_trained_by_the_job_and_not_by_who_asks(
        self, asking: Exhibit, serve: Serve, slow: Slow, tmp_path: Path
    ) -> None:
        client = serve(asking)
        first = put(client, FOOL)
        until(client, first, "running")
        options = {"train_on": "digits", "training_steps": 2, "steps": 1, "per_class": 1}
        job = put(client, {"kind": "imagine", "options": options})
        made = tmp_path / "state/phosphene/jobs/made"
        assert (job["state"], made.exists()) == ("waiting", False)
        assert put(client, {"kind": "imagine", "options": options})["id"] == job["id"]
        slow.go.set()
        until(client, job, "finished", "failed")
        assert list(made.rglob("*.safetensors"))

    @pytest.mark.parametrize("data", ["mnist:/etc", "/etc", "os:getcwd", "its own", ["digits"]])
    def test_nothing_is_trained_on_what_a_request_names(
        self, asking: Exhibit, serve: Serve, data: object
    ) -> None:
        options = {"train_on": data, "seeds": 1}
        answer = serve(asking).post("/api/net/jobs", json={"kind": "transfer", "options": options})
        assert answer.status_code == 422
        assert "digits" in answer.json()["detail"]


def _files(tmp_path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every option of every question, with files in it; what else is required is given."""
    given = {"unit": "cat", "layer": "0", "layers": ["0"], "image": "0", "text": "hi"}
    picture = tmp_path / "picture.png"
    for name, form in forms().items():
        needed = {f["name"]: given[f["kind"]] for f in form["fields"] if f["required"]}
        for field in form["fields"]:
            if field["kind"] not in OPEN or field["kind"] in ("image", "files", "data"):
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
            words in told for words in ("no picture here", "command line alone", "is shown here")
        ), (kind, options, told)
        seen += 1
    assert seen > 100
    assert client.get("/api/net/jobs").json() == []


def test_every_question_is_put_from_here() -> None:
    assert not {name for name, form in forms().items() if refused(form)}


def test_a_question_that_reads_files_is_for_the_command_line() -> None:
    needed = {"name": "x", "kind": "file", "default": None, "required": True}
    new = {"name": "x", "kind": "socket", "default": "/tmp", "required": False}
    for field in (needed, new):
        assert "phosphene probe odd" in refused({"name": "odd", "fields": [field]})


def test_questions_of_a_request_are_those_of_the_library(asking: Exhibit, tmp_path: Path) -> None:
    def question(kind: str, options: dict[str, Any]) -> Question:
        return Desired(asking, kind, options).question(tmp_path, tmp_path / "trained")

    found = question("fool", FOOL["options"])  # type: ignore[arg-type]
    assert found == Fooling(towards="cat", start="grey", steps=2)
    assert question("strokes", {"drawing": None}).to_json()["drawing"] is None
    assert question("hide", {"text": "x"}).to_json()["into"] == str(tmp_path / "message.png")
