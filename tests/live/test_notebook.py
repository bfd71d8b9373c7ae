"""The page in a frame of a notebook: what a cell shows, who may frame it, how it ends."""

import json
import os
import re
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

import phosphene
from chromium import CHROMIUM, NEEDS_CHROMIUM, SWITCHES
from fuzz import small_atlas
from phosphene import Atlas, LivePage, Network, view
from phosphene.errors import AtlasMismatchError, InputError

pytestmark = pytest.mark.later


@pytest.fixture
def page(tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch) -> Iterator[LivePage]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = small_atlas(tmp_path / "net.atlas", network.fingerprint)
    with view(path, network=network, height=500) as found:
        yield found


def got(address: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    asked = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def test_a_cell_shows_a_frame_whose_address_answers(page: LivePage) -> None:
    shown = page._repr_html_()
    (address,) = re.findall(r'<iframe src="([^"]+)"', shown)
    assert address == page.address
    assert 'height="500"' in shown
    status, text, headers = got(address)
    assert (status, "phosphene" in text) == (200, True)
    policy = headers["content-security-policy"]
    (frames,) = re.findall(r"frame-ancestors ([^;]+)", policy)
    assert frames.split() == [
        *("http://localhost:*", "http://127.0.0.1:*"),
        *("https://localhost:*", "https://127.0.0.1:*"),
    ]
    assert "x-frame-options" not in {name.lower() for name in headers}
    assert got(f"{address}net/bench")[0] == 200
    assert json.loads(got(f"{address}api/atlases")[1])[0]["answers"] is True


def test_other_names_and_other_pages_are_refused_as_ever(page: LivePage) -> None:
    assert got(page.address, Host="evil.example")[0] == 421
    asked = urllib.request.Request(
        f"{page.address}api/net/jobs", b"{}", {"origin": "http://localhost:8888"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)
    with refused.value as error:
        assert error.code == 403


def test_it_ends_when_it_is_closed(page: LivePage) -> None:
    address = page.address
    assert not page.closed
    page.close()
    page.close()
    assert page.closed
    assert page.address == ""
    assert "iframe" not in page._repr_html_()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=2)


def test_an_open_atlas_is_shown_and_several_are(
    tmp_path: Path, network: Network, page: LivePage
) -> None:
    path = small_atlas(tmp_path / "other.atlas", network.fingerprint)
    with (
        Atlas.open(path) as atlas,
        pytest.warns(UserWarning, match="without its network"),
        view(tmp_path / "net.atlas", atlas, network=network) as both,
    ):
        told = json.loads(got(f"{both.address}api/atlases")[1])
    assert [(each["name"], each["answers"]) for each in told] == [("net", True), ("other", False)]


def test_what_cannot_be_shown_is_refused(tmp_path: Path, network: Network) -> None:
    with pytest.raises(InputError, match="no atlas"):
        view()
    path = small_atlas(tmp_path / "net.atlas", "another")
    with pytest.raises(AtlasMismatchError):
        view(path, network=network)
    with pytest.raises(InputError, match="go with a network"):
        view(path, data=phosphene.digits("test"))
    with pytest.raises(phosphene.PhospheneError):
        view(tmp_path / "none.atlas")


@pytest.mark.slow
def test_it_ends_with_the_process_also_while_a_job_runs(tmp_path: Path) -> None:
    code = f"""
        import json, time, urllib.request
        import torch
        from torch import nn
        from phosphene import Input, Network, view
        from phosphene.atlas import Atlas
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(324, 3)
        module = nn.Sequential(*layers)
        network = Network(module, Input(3, (9, 9)), ("a", "b", "c"))
        from fuzz import small_atlas
        from pathlib import Path
        path = small_atlas(Path({str(tmp_path)!r}) / "net.atlas", network.fingerprint)
        page = view(path, network=network)
        asked = {{"kind": "restarts", "options": {{"unit": "a", "starts": 500, "steps": 90000}}}}
        head = {{"content-type": "application/json"}}
        jobs = page.address + "api/net/jobs"
        urllib.request.urlopen(urllib.request.Request(jobs, json.dumps(asked).encode(), head))
        while json.load(urllib.request.urlopen(jobs))[0]["state"] != "running":
            time.sleep(0.05)
        print("running", flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path),
             "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "running\n"
    started = time.monotonic()
    assert process.wait(30) == 0
    assert time.monotonic() - started < 15


@pytest.mark.browser
@pytest.mark.slow
@NEEDS_CHROMIUM
def test_a_browser_shows_it_in_a_page_of_this_machine_and_in_no_other(page: LivePage) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

    class Notebook(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            shown = page._repr_html_().replace(page.address, f"{page.address}net/bench")
            self.wfile.write(shown.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Notebook)
    Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    with sync_api.sync_playwright() as playwright:
        switches = [*SWITCHES, "--host-resolver-rules=MAP evil.example 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=switches)
        for host, works in (("localhost", True), ("127.0.0.1", True), ("evil.example", False)):
            tab = browser.new_page()
            tab.goto(f"http://{host}:{port}/")
            frame = tab.frame_locator("iframe")
            if works:
                frame.locator("#bars li").first.wait_for()  # it asks from within
                frame.locator("[data-how=remove]").first.click()
                frame.locator("#changes li").wait_for()
            else:
                tab.wait_for_timeout(1000)
                assert frame.locator("#bars").count() == 0
            tab.close()
        browser.close()
    server.shutdown()
    server.server_close()
