"""A folder is told by what its files hold: a copy is the same data, other content is not."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from phosphene.data import ImageFolder, contents


def save(path: Path) -> None:
    Image.new("RGB", (8, 8), (200, 100, 0)).save(path)


def test_a_copy_is_the_same_data_and_other_content_is_not(tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "b/1"):
        (tmp_path / "one" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (9, 9, 9)).save(tmp_path / "one" / f"{name}.bmp")
    for path in (tmp_path / "one").rglob("*.bmp"):
        os.utime(path, (1e9, 1e9))
    shutil.copytree(tmp_path / "one", tmp_path / "two", copy_function=shutil.copyfile)

    def known(folder: str) -> str:
        return ImageFolder(tmp_path / folder, channels=3, size=(4, 4)).fingerprint()

    first = known("one")
    assert known("two") == first == known("one")
    some = tmp_path / "one" / "a" / "2.bmp"
    before = some.read_bytes()
    some.write_bytes(before[:-1] + b"\0")
    assert len(some.read_bytes()) == len(before)
    assert known("one") != first
    some.write_bytes(before)
    assert known("one") == first


def test_what_files_hold_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("1", "2"):
        save(tmp_path / f"{name}.png")
        os.utime(tmp_path / f"{name}.png", (1e9, 1e9))
    read: list[Path] = []
    hashed = contents._hash_of
    monkeypatch.setattr(contents, "_hash_of", lambda path: (read.append(path), hashed(path))[1])

    def known() -> str:
        return ImageFolder(tmp_path, channels=3, size=(4, 4)).fingerprint()

    assert known() == known()
    assert len(read) == 2
    save(tmp_path / "2.png")  # written now: it may be written again within the same tick
    assert known() == known()
    assert len(read) == 6


def test_of_very_many_files_some_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "READ_WHOLE", 10)
    monkeypatch.setattr(contents, "SAMPLED", 3)
    for number in range(11):
        save(tmp_path / f"{number:02}.bmp")

    def known() -> str:
        return ImageFolder(tmp_path, channels=3, size=(4, 4)).fingerprint()

    def changed(number: int) -> bool:
        path, before = tmp_path / f"{number:02}.bmp", known()
        path.write_bytes(path.read_bytes()[:-1] + b"\7")
        return known() != before

    assert [changed(number) for number in (0, 1, 5, 9, 10)] == [True, False, True, False, True]
