"""A command line as a person gives it, run here and now."""

from collections.abc import Callable

import pytest

from phosphene.cli import main


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
        printed = capsys.readouterr()
        return int(status or 0), " ".join((printed.out + printed.err).split())

    return call
