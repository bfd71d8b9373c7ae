"""A kept listing is used as long as nothing that can be told has changed, and people are told."""

import os
import time
from pathlib import Path

import pytest
from PIL import Image

from phosphene.data import ImageFolder
from phosphene.data import listing as module

COUNT = 40


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty images in two classes, so old that nobody is just writing them, all worth keeping."""
    monkeypatch.setattr(module, "KEPT_FROM", 30)
    monkeypatch.setattr(module, "SAMPLED", 5)
    for number in range(COUNT):
        path = tmp_path / "data" / "ab"[number % 2] / f"{number // 9}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), number).save(path)
    (tmp_path / "data" / "a" / "notes.txt").touch()
    return settled(tmp_path / "data")


def settled(folder: Path) -> Path:
    """The folder as it will be in an hour."""
    before = time.time() - 3600
    for place, _, files in os.walk(folder):
        for name in [".", *files]:
            os.utime(os.path.join(place, name), (before, before))  # noqa: PTH118
    return folder


def made(folder: Path) -> ImageFolder:
    return ImageFolder(folder, 1, (4, 4))


def test_it_is_used_and_told_of(folder: Path) -> None:
    first, again = made(folder), made(folder)
    assert first.remark == ""
    assert again.remark.startswith("The list of its 40 files is from 20")
    assert again.remark.endswith("of those written over in place only 5 were.")
    assert again.fingerprint() == first.fingerprint()
    assert list(again.paths) == list(first.paths) == sorted(folder.rglob("*.png"))
    assert (again.labels, again.classes) == (first.labels, ("a", "b"))
    assert again.passed_over == first.passed_over == "1 file was passed over: 1 .txt."


@pytest.mark.parametrize("change", ["add", "remove", "rename", "move", "class"])
def test_files_that_come_and_go_are_seen(folder: Path, change: str) -> None:
    before = made(folder)
    deep = folder / "b" / "2"
    some = next(iter(sorted(deep.iterdir())))
    match change:
        case "add":
            Image.new("L", (4, 4)).save(deep / "new.png")
        case "remove":
            some.unlink()
        case "rename":
            some.rename(deep / "new.png")
        case "move":
            some.rename(folder / "a" / some.name)
        case "class":
            (folder / "c").mkdir()
    after = made(folder)
    assert after.remark == ""
    assert (list(after.paths), after.classes) != (list(before.paths), before.classes)
    assert list(after.paths) == sorted(folder.rglob("*.png"))


def test_of_those_written_over_some_are_looked_at(folder: Path) -> None:
    before = made(folder)
    places = [0, 9, 19, 29, 39]
    for index in set(range(COUNT)) - set(places):
        with before.paths[index].open("ab") as file:
            file.write(b"more")
    assert made(folder).remark  # that is what is not seen
    with before.paths[19].open("ab") as file:
        file.write(b"more")
    after = made(folder)
    assert after.remark == ""
    assert after.fingerprint() != before.fingerprint()


def test_what_is_just_being_written_is_not_kept(folder: Path) -> None:
    Image.new("L", (4, 4)).save(folder / "a" / "0" / "fresh.png")
    assert [made(folder).remark for _ in range(2)] == ["", ""]
    settled(folder)
    assert [bool(made(folder).remark) for _ in range(2)] == [False, True]


def test_a_small_folder_is_listed_anew_each_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_FROM", COUNT + 1)
    assert [made(folder).remark for _ in range(2)] == ["", ""]


def test_files_stand_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("a/b.png", "a.b/c.png", "a-b/c.png", "a/b/c.png", "a/b-c.png", "B/é.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / name)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "B", target_is_directory=True)
    (tmp_path / "top").symlink_to(tmp_path / "B", target_is_directory=True)
    found = made(tmp_path)
    expected = sorted({*tmp_path.rglob("*.png"), tmp_path / "top" / "é.png"})
    assert list(found.paths) == expected
    assert found.classes == ("B", "a", "a-b", "a.b", "top")
