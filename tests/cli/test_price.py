"""A price before the start, on the command line."""

from pathlib import Path

import pytest

from phosphene.atlas import Atlas
from phosphene.cli import pricing
from phosphene.study import Price, Promise

pytestmark = pytest.mark.slow  # builds studies


@pytest.fixture
def words(small_model: list[str]) -> list[str]:
    """A small build on the digits."""
    said = "--data digits --layers conv1,conv2 --steps 2 --out a.atlas"
    return ["build", *small_model, *said.split()]


def test_a_plan_tells_the_price_and_writes_nothing(run, words: list[str], tmp_path: Path) -> None:
    status, printed = run(*words, "--plan")
    assert status == 0, printed
    for told in ("conv1", "pictures", "patches", "looking at digits", "About", "of memory"):
        assert told in printed
    assert not (tmp_path / "a.atlas").exists()


def test_a_budget_is_kept_and_the_promise_told(run, words: list[str], tmp_path: Path) -> None:
    status, printed = run(*words, "--budget", "1h")
    assert status == 0, printed
    assert "Chosen to fit: 2 steps." in printed
    assert "were promised." in printed
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert [promise.chosen for promise in Promise.all_of(atlas)] != [None]
    status, printed = run(*words, "--budget", "1h", "--plan")
    assert (status, "Nothing is left to be done." in printed) == (0, True), printed


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--budget", "soon"], "--budget 'soon' is no time, such as 90s, 10m or 1h30m"),
        (["--budget", "0s"], "one unit of each layer, with everything that comes before, takes"),
        (["--part", "1/2", "--plan"], "--part is a part of the pass alone"),
    ],
)
def test_what_cannot_be_promised_is_refused(
    run, words: list[str], tmp_path: Path, more: list[str], said: str
) -> None:
    status, printed = run(*words, *more)
    assert (status, said in printed) == (2, True), printed
    assert not (tmp_path / "a.atlas").exists()


def test_whoever_is_there_is_asked_where_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(pricing.typer, "confirm", lambda text, **how: asked.append(text) or False)
    monkeypatch.setattr(Price, "seconds", 599.0)
    assert pricing.confirmed(Price(()))
    monkeypatch.setattr(Price, "seconds", 601.0)
    assert not pricing.confirmed(Price(()))
    assert asked == ["Go on?"]
