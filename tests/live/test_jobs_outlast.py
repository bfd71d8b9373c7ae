"""Jobs outlast a server: taken up, listed, and given up after two attempts."""

import json
from pathlib import Path

import pytest

from live.asked import FOOL, Serve, Slow, note_of, put, until
from phosphene.live.exhibits import Exhibit
from phosphene.probes.fooling import Fooling

pytestmark = pytest.mark.later


def test_what_is_unfinished_is_taken_up_by_the_next_server(
    asking: Exhibit, serve: Serve, slow: Slow
) -> None:
    with serve(asking) as client:
        job = put(client, FOOL)
        until(client, job, "running")
    slow.go.set()
    with serve(asking) as client:
        found = until(client, job, "finished", "failed")
        assert found["state"] == "finished", found["error"]
    with serve(asking) as client:
        (listed,) = client.get("/api/net/jobs").json()
    same = ("id", "kind", "title", "state", "address", "options")
    assert [listed[key] for key in same] == [found[key] for key in same]
    assert slow.began == 2


def test_what_is_cancelled_is_not_taken_up(asking: Exhibit, serve: Serve, slow: Slow) -> None:
    with serve(asking) as client:
        job = put(client, FOOL)
        until(client, job, "running")
        client.delete(f"/api/net/jobs/{job['id']}")
        until(client, job, "cancelled")
    with serve(asking) as client:
        (listed,) = client.get("/api/net/jobs").json()
    assert (listed["state"], listed["title"], slow.began) == ("cancelled", job["title"], 1)


def test_a_job_that_failed_is_listed_later_and_asked_again(
    asking: Exhibit, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("on purpose")

    with monkeypatch.context() as patched, serve(asking) as client:
        patched.setattr(Fooling, "ask", fail)
        until(client, put(client, FOOL), "failed")
    with serve(asking) as client:
        (listed,) = client.get("/api/net/jobs").json()
        assert listed["error"] == "ValueError: on purpose"
        again = put(client, {"kind": listed["kind"], "options": listed["options"]})
        assert until(client, again, "finished", "failed")["state"] == "finished"
        assert len(client.get("/api/net/jobs").json()) == 1


def test_what_ends_the_server_twice_is_given_up_until_it_is_asked_again(
    asking: Exhibit, serve: Serve, slow: Slow, tmp_path: Path
) -> None:
    """As by a kill: the note says what was at work, and no later one follows."""
    with serve(asking) as client:
        until(client, put(client, FOOL), "running")
        killed = note_of(tmp_path).read_text()
    for begun in (1, 2):
        assert json.loads(killed)["left"][0]["begun"] == begun
        note_of(tmp_path).write_text(killed)
        with serve(asking) as client:
            if begun == 1:
                (job,) = client.get("/api/net/jobs").json()
                until(client, job, "running")
                killed = note_of(tmp_path).read_text()
            else:
                (job,) = client.get("/api/net/jobs").json()
                assert job["state"] == "failed"
                assert "at work 2 times when the server ended" in job["error"]
                slow.go.set()
                again = put(client, FOOL)
                assert until(client, again, "finished", "failed")["state"] == "finished"
                assert [each["id"] for each in client.get("/api/net/jobs").json()] == [again["id"]]


def test_a_server_that_is_ended_properly_counts_for_nothing(
    asking: Exhibit, serve: Serve, slow: Slow, tmp_path: Path
) -> None:
    for _ in range(4):
        with serve(asking) as client:
            job = put(client, FOOL)
            until(client, job, "running")
        assert json.loads(note_of(tmp_path).read_text())["left"][0]["begun"] == 0
    slow.go.set()


def test_notes_that_name_files_or_nonsense_are_dropped(
    asking: Exhibit, serve: Serve, tmp_path: Path
) -> None:
    with serve(asking) as client:
        until(client, put(client, FOOL), "finished")
    note = note_of(tmp_path)
    hostile = {"kind": "why", "options": {"image": "/etc/passwd"}}
    ended = {"kind": "fool", "options": {}, "id": "0", "title": "t", "state": "finished"}
    pages = [["probe", "../../secret"], ["file", "/etc/passwd"], ["probe"], 3]
    told = {
        "left": [hostile, 3, {"kind": []}, {"kind": "fool", "options": 3}],
        "ended": [3, {"kind": "fool"}, *({**ended, "error": "", "page": page} for page in pages)],
    }
    note.write_text(json.dumps(told))
    with serve(asking) as client:
        (refused_,) = client.get("/api/net/jobs").json()
        assert (refused_["state"], refused_["kind"]) == ("failed", "why")
        assert "no picture here" in refused_["error"]
    for nonsense in ("[]", "3", "{", "null", '{"left": 3, "ended": {}}', "[" * 100_000):
        note.write_text(nonsense)
        with serve(asking) as client:
            assert client.get("/api/net/jobs").json() == []
