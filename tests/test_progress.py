"""How far long calls are: heard by who watches, once, and by nobody else."""

import gc
import io
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

import phosphene
from heard import Told, heard_in
from phosphene import Recipe, Survey, draw, look, progress
from phosphene.data import ArrayDataset
from phosphene.progress import counted, follow, show_progress, tell, telling, watching
from phosphene.study import Settings, Study, build
from tiny import network

NET = network("rectified")
DATA = ArrayDataset(torch.randint(0, 256, (40, 2, 10, 8), dtype=torch.uint8), None, name="noise")


@pytest.fixture
def told() -> Iterator[list[Told]]:
    found: list[Told] = []
    with watching(heard_in(found)):
        yield found


@telling("inner")
def inner() -> None:
    for _ in counted("ab"):
        pass


def test_nobody_hears_what_nobody_watches() -> None:
    with telling("block"):
        tell(1, 2)
    tell(1, 2)


def test_a_block_is_heard_under_its_title(told: list[Told]) -> None:
    tell(1, 2)
    inner()
    assert told == [("inner", 0, 2, ""), ("inner", 1, 2, ""), ("inner", 2, 2, "")]


def test_an_inner_block_is_part_of_what_the_outer_counts(told: list[Told]) -> None:
    with telling("outer"):
        for _ in counted(range(2)):
            inner()
    assert {title for title, *_ in told} == {"outer"}
    assert [done for _, done, _, _ in told] == [0, 0, 0.5, 1, 1, 1, 1.5, 2, 2]
    assert {total for _, _, total, _ in told} == {2}


def test_where_the_outer_counts_nothing_the_inner_counts_for_it(told: list[Told]) -> None:
    with telling("outer"):
        inner()
    assert told == [("outer", done, 2, "inner") for done in (0, 1, 2)]


def test_an_error_ends_a_block(told: list[Told]) -> None:
    with pytest.raises(ZeroDivisionError), telling("broken"):
        raise ZeroDivisionError
    inner()
    assert {title for title, *_ in told} == {"inner"}


@pytest.mark.later
def test_a_generator_that_is_left_ends_its_block(told: list[Told]) -> None:
    def steps() -> Iterator[int]:
        with telling("steps"):
            yield from counted(range(9))

    for number in steps():
        if number == 3:
            break
    gc.collect()
    inner()
    assert told[-1] == ("inner", 2, 2, "")


def test_of_two_threads_the_first_is_heard(told: list[Told]) -> None:
    with telling("first"):
        tell(1, 3)
        other = threading.Thread(target=inner)
        other.start()
        other.join()
    inner()
    assert [title for title, *_ in told] == ["first", "inner", "inner", "inner"]


@pytest.mark.later
def test_drawing_surveys_and_looks_tell_how_far_they_are(told: list[Told]) -> None:
    draw(NET, ["conv1:0", "conv2:1"], Recipe(steps=4))
    assert (told[0][:3], told[-1][:3]) == (("drawing", 0, 2), ("drawing", 2, 2))
    assert len({done for _, done, *_ in told}) > 6
    told.clear()
    Survey(NET, "conv2").over(DATA, batch=16)
    assert [t[:3] for t in told] == [("looking through the data", n, 40) for n in (16, 32, 40)]
    told.clear()
    look(NET, "conv2:1", DATA, recipe=Recipe(steps=2))
    shares = [done / total for _, done, total, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert {title for title, *_ in told} == {"looking"}
    assert next(about for *_, about in told if about) == "looking through the data"


@pytest.mark.later
def test_a_build_tells_its_steps_and_what_it_is_at(told: list[Told], tmp_path: Path) -> None:
    study = Study(NET, DATA, Settings(("conv2",), (Recipe(steps=1),), examples=1))
    last = follow(build(study, tmp_path / "a.atlas"))
    assert last is not None
    assert told[-1] == ("", last.total, last.total, "done")
    dones = [done for _, done, *_ in told]
    assert dones == sorted(dones)


def test_a_bar_shows_title_share_and_what_is_worked_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert phosphene.show_progress is show_progress
    show_progress()
    try:
        with telling("[draw]ing"):
            tell(1, 2, "conv2:17")
    finally:
        show_progress(False)
    shown = capsys.readouterr().out
    assert "[draw]ing: conv2:17" in shown
    assert "100%" in shown  # it came to its end
    assert progress._audience.watcher is None


class Handle:
    """A place in a notebook whose text can be changed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def update(self, data: dict[str, str], raw: bool) -> None:
        assert raw
        self.texts.append(data["text/plain"])


def test_a_notebook_without_widgets_has_a_line_that_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handle, shown = Handle(), list[dict[str, str]]()

    def display(data: dict[str, str], raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        shown.append(data)
        return handle

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    with progress.bar("drawing", Console(force_jupyter=True)) as listen:
        for done in range(5):
            listen(done, 4, "conv2")
            listen(done, 4, "conv2")
    assert shown == [{"text/plain": "drawing"}]
    assert handle.texts == [f"drawing: conv2 {p}\u00a0%" for p in (0, 25, 50, 75, 100)] + [
        "drawing done"
    ]


def test_a_bar_that_comes_to_its_end_is_full() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=90)
    with progress.bar("looking", console) as listen:
        listen(97, 100)
    assert "100%" in console.file.getvalue().splitlines()[-2]
