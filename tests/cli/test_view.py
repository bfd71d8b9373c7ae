"""`phosphene view`: where it listens, what it tells, what is shown without its network."""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuzz import small_atlas

Run = Callable[..., tuple[int, str]]


@contextmanager
def viewing(*words: object) -> Iterator[tuple[str, str]]:
    """The command as a process; its address, and all that it said before."""
    command = [sys.executable, "-m", "phosphene", "view", *map(str, words), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = ""
    try:
        while not (found := re.search(r"Open\s+(http://\S+);", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        yield found[1], said
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def got(address: str) -> tuple[int, str]:
    """The status and text of an address, asked again until somebody listens."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nobody listens at {address}")


@pytest.mark.slow
def test_an_atlas_whose_model_is_not_here_is_shown_without_it(tmp_path: Path) -> None:
    path = small_atlas(tmp_path / "net.atlas")
    with viewing(path, "--port", 0) as (address, said):
        assert "is shown without its network" in " ".join(said.split())
        assert got(address)[0] == 200
        status, page = got(f"{address}net/bench")
    assert status == 200
    assert "The network of this atlas is not here" in page


@pytest.mark.slow
def test_beyond_this_machine_a_token_is_asked_for(tmp_path: Path) -> None:
    path = small_atlas(tmp_path / "net.atlas")
    with viewing(path, "--port", 0, "--host", "0.0.0.0") as (address, _):
        bare, _, token = address.replace("0.0.0.0", "127.0.0.1").partition("?token=")
        assert len(token) >= 32
        assert got(f"{bare}net/")[0] == 401
        assert got(f"{bare}net/?token={token}")[0] == 200


@pytest.mark.slow
def test_a_notebook_of_this_machine_may_show_it_in_a_frame(tmp_path: Path) -> None:
    path = small_atlas(tmp_path / "net.atlas")
    frames = {}
    for flag in ("--notebook", "--no-notebook"):
        with viewing(path, "--port", 0, *([flag] if flag == "--notebook" else [])) as (address, _):
            got(address)
            with urllib.request.urlopen(f"{address}net/") as answer:
                policy = answer.headers["content-security-policy"]
        frames[flag] = re.search(r"frame-ancestors ([^;]+)", policy)[1]  # type: ignore[index]
    assert frames["--no-notebook"] == "'none'"
    assert "http://localhost:*" in frames["--notebook"].split()


def test_beyond_this_machine_no_notebook_shows_it(run: Run, tmp_path: Path) -> None:
    path = small_atlas(tmp_path / "net.atlas")
    status, said = run("view", path, "--notebook", "--host", "0.0.0.0")
    assert (status, "this machine alone" in said) == (2, True)


@pytest.mark.later
def test_a_port_that_is_taken_is_told(run: Run, tmp_path: Path) -> None:
    path = small_atlas(tmp_path / "net.atlas")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = run("view", path, "--port", port, "--no-browser")
    assert (status, f"port {port}" in said, "leave out --port" in said) == (2, True, True)


def test_what_is_no_atlas_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "no.atlas").write_bytes(b"no")
    status, said = run("view", tmp_path / "no.atlas", "--no-browser")
    assert (status, "is not an atlas" in said) == (2, True)
