"""Shapes in signatures are checked while tests run; shared data is found or its absence said."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("phosphene", "typechecker.check")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data and weights, or a skip that says where it was looked for."""
    named = os.environ.get("PHOSPHENE_TEST_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set PHOSPHENE_TEST_DATA to its folder")
    return folder
