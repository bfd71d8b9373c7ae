"""Shapes in signatures are checked while tests run; shared data is found or its absence said.

`PHOSPHENE_CHECK_TYPES=0` leaves the checks out, where a test takes long or time is short: they
double the time of most tests.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import packed
import typechecker

if os.environ.get("PHOSPHENE_CHECK_TYPES", "1") != "0":
    typechecker.install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that none is left for one process alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where commands note what was trusted and is kept: never the home of whoever runs tests."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright; see chromium.py."""
    from chromium import CHROMIUM, SWITCHES  # what it imports has to be checked first

    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield running
        running.close()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As workers have, so that what is computed here is the same."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data and weights, or a skip that says where it was looked for."""
    named = os.environ.get("PHOSPHENE_TEST_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set PHOSPHENE_TEST_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a store of objects on this machine, which data at `s3://` are in meanwhile."""
    with packed.store() as address, pytest.MonkeyPatch.context() as patch:
        for name, value in (packed.CREDENTIALS | {"AWS_ENDPOINT_URL": address}).items():
            patch.setenv(name, value)
        yield address
