"""Who may ask: the right host, our own page, a token, few enough bytes."""

import json

import pytest
from fastapi.testclient import TestClient

from phosphene.live.application import live_app
from phosphene.live.exhibits import Exhibit
from phosphene.live.guard import MOST_BODY, Guard


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("localhost", True),
        ("localhost:8710", True),
        ("127.0.0.1:1", True),
        ("[::1]:8710", True),
        ("LOCALHOST", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:8710", False),
        ("evil.example@localhost.", False),
        ("[", False),
        ("", False),
    ],
)
def test_only_names_of_this_machine_are_answered(
    client: TestClient, host: str, passes: bool
) -> None:
    answer = client.get("/api/atlases", headers={"host": host})
    assert answer.status_code == (200 if passes else 421)
    assert ("open the address" in answer.text) is not passes


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"origin": "http://localhost"}, True),
        ({"origin": "http://localhost", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://localhost:99"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://localhost", "sec-fetch-site": "same-site"}, False),
    ],
)
def test_nothing_is_taken_from_another_page(
    client: TestClient, link, headers: dict[str, str], passes: bool
) -> None:
    answer = client.post("/api/net/read", json={"picture": link()}, headers=headers)
    assert answer.status_code == (200 if passes else 403), answer.text


def test_every_answer_keeps_scripts_of_others_out(client: TestClient) -> None:
    for path in ("/net/", "/net/bench", "/assets/bench.js", "/nowhere/", "/api/atlases"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


class TestToken:
    @pytest.fixture
    def guarded(self, exhibit: Exhibit) -> TestClient:
        return TestClient(Guard(live_app([exhibit]), None, "secret"), base_url="http://far:1")

    def test_it_is_asked_for(self, guarded: TestClient) -> None:
        for given in ({}, {"token": "wrong"}, {"token": ""}, {"token": "secret2"}):
            assert guarded.get("/net/", params=given).status_code == 401

    def test_it_is_kept(self, guarded: TestClient) -> None:
        first = guarded.get("/net/", params={"token": "secret"})
        assert first.status_code == 200
        assert "HttpOnly; SameSite=Strict" in first.headers["set-cookie"]
        assert guarded.get("/net/bench").status_code == 200

    def test_scripts_give_it_in_a_header(self, guarded: TestClient) -> None:
        told = {"authorization": "Bearer secret"}
        assert guarded.get("/api/atlases", headers=told).status_code == 200
        assert guarded.get("/api/atlases", headers={"cookie": '="'}).status_code == 401


def test_too_many_bytes_are_refused_whatever_was_promised(client: TestClient) -> None:
    body = json.dumps({"picture": "x" * MOST_BODY}).encode()
    promised = client.post("/api/net/read", content=body)

    def in_parts():
        yield from (body[i : i + 2**20] for i in range(0, len(body), 2**20))

    unpromised = client.post("/api/net/read", content=in_parts())
    assert (promised.status_code, unpromised.status_code) == (413, 413)
    odd = client.post("/api/net/read", content=b"{}", headers={"content-length": "-1"})
    assert odd.status_code == 400
