"""A command line as a person gives it, run here and now, and a small model to give it."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import save_file

from phosphene.cli import main
from phosphene.training import seeded
from phosphene.zoo import hvass

MODEL = """
from phosphene.zoo import hvass

def make():
    return hvass(widths=(2, 3), dense=(8,))
"""


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run a command line; its exit status, and all it printed in one line."""

    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["phosphene", *map(str, words)])
        status: str | int | None = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        gc.unfreeze()  # what there is by now is the tests'
        printed = capsys.readouterr()
        return int(status or 0), " ".join((printed.out + printed.err).split())

    return call


@pytest.fixture
def small_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A small network's file and weights in the folder where commands run; what names them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODEL)
    module = seeded(lambda: hvass(widths=(2, 3), dense=(8,)), 0)
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    return ["model.py:make", "--weights", "w.safetensors"]
