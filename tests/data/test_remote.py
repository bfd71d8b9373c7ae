"""Data in a store of objects: a real S3 server on this machine, in a process of its own."""

import pickle
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

import packed
from phosphene.data import Unreadable, batches, load_data
from phosphene.data import remote as module
from phosphene.data.remote import Piece, braced, is_url, pieces, read_ranges, system
from phosphene.data.stored import Stored
from phosphene.errors import DataError

pytestmark = pytest.mark.slow  # a server

COUNT = 17
FILES = packed.contents(COUNT)


def made(spec: str) -> Stored:
    data = load_data(spec, channels=3, size=(8, 8))
    assert isinstance(data, Stored)
    return data


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packings in a folder of this machine."""
    root = tmp_path_factory.mktemp("packings")
    packed.as_folder(root / "folder", FILES)
    (root / "folder" / "notes.txt").write_text("about")
    packed.as_tars(root / "tars", FILES, 6)
    packed.as_parquet(root / "parquet", FILES, 9, 4)
    packed.as_saved(root / "saved", FILES, 9, 4)
    return root


@pytest.fixture(scope="module")
def there(here: Path, s3: str) -> str:
    """The same in a bucket."""
    return packed.send(here, "packings")


SPECS = ("folder", "tars", "tars/{000..002}.tar", "tars/*.tar", "parquet", "saved")


@pytest.mark.parametrize("spec", SPECS)
def test_what_lies_there_is_what_lies_here(here: Path, there: str, spec: str) -> None:
    near, far = made(f"{here}/{spec}"), made(f"{there}/{spec}")
    assert (far.classes, far.labels, far.passed_over) == (
        near.classes,
        near.labels,
        near.passed_over,
    )
    assert far.note == near.note
    assert far.fingerprint() == near.fingerprint()
    assert far.fingerprint() == made(f"{there}/{spec}").fingerprint()
    for workers in (0, 2):
        carried = pickle.loads(pickle.dumps(far))
        for one, other in zip(batches(carried, 5, workers), batches(near, 5), strict=True):
            assert torch.equal(one.pictures, other.pictures)
            assert torch.equal(one.labels, other.labels)
            (far_away, *_), (beside, *_) = (one.skipped or [None]), (other.skipped or [None])
            if far_away is not None and beside is not None:
                assert far_away.reason == beside.reason
                assert far_away.path.startswith("s3://packings/")
    assert isinstance(far[4], Unreadable)


def test_what_is_not_there_is_told(there: str) -> None:
    with pytest.raises(DataError, match=r"there is no s3://packings/tars/003\.tar"):
        made(f"{there}/tars/{{000..009}}.tar")
    with pytest.raises(DataError, match="no file fits s3://packings/tars/x"):
        made(f"{there}/tars/x*.tar")
    with pytest.raises(DataError, match="nowhere"):
        made("s3://nowhere/folder")


def test_a_store_that_is_gone_ends_the_pass_and_is_no_unreadable_image(
    there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = made(f"{there}/tars")

    def broken(place: str) -> None:
        files, _ = system(place)

        def refuse(*_: object, **__: object) -> None:
            raise OSError("Could not connect to the endpoint")

        monkeypatch.setattr(files, "cat_ranges", refuse)

    broken(f"{there}/tars/000.tar")
    with pytest.raises(DataError, match=r"000\.tar cannot be read: Could not connect.*start again"):
        list(batches(data, 5))


def test_a_changed_shard_is_looked_up_again(there: str, here: Path, tmp_path: Path) -> None:
    packed.as_tars(tmp_path, packed.contents(6, seed=5), 6)
    (here / "tars" / "000.tar").read_bytes()
    packed.send(tmp_path, "changing")
    first = made("s3://changing")
    packed.as_tars(tmp_path, packed.contents(5, seed=6), 6)
    packed.send(tmp_path, "changing")
    second = made("s3://changing")
    assert (len(first), len(second)) == (6, 5)
    assert first.fingerprint() != second.fingerprint()


def test_neighbours_are_asked_for_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    content = bytes(range(256)) * 8
    path.write_bytes(content)
    asked: list[tuple[int, int]] = []
    files, _ = system(str(path))
    given = files.cat_ranges

    def counted(paths: list[str], starts: list[int], ends: list[int], **how: object) -> object:
        asked.extend(zip(starts, ends, strict=True))
        return given(paths, starts, ends, **how)

    monkeypatch.setattr(files, "cat_ranges", counted)
    monkeypatch.setattr(module, "MOST_BETWEEN", 100)
    monkeypatch.setattr(module, "MOST_AT_ONCE", 600)
    ranges = [
        (0, 10),
        (100, 200),
        (301, 310),
        (310, 310),
        (300, 900),
        (901, 1000),
        (5, 5),
        (40, 50),
    ]
    assert read_ranges(str(path), ranges) == [content[low:high] for low, high in ranges]
    assert asked == [(0, 200), (301, 310), (300, 900), (901, 1000), (5, 50)]


@pytest.mark.parametrize("text", ["s3://a/b", "gs://a", "simplecache::s3://a", "https://x/y.tar"])
def test_addresses(text: str) -> None:
    assert is_url(text)


def test_braces_are_those_of_a_shell() -> None:
    assert braced("{3..1}{a,b}") == ["3a", "3b", "2a", "2b", "1a", "1b"]
    assert braced("x{a}y{1,}") == ["x{a}y1", "x{a}y"]
    assert len(braced("{000000..000099}/{0..9}")) == 1000


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    known = import_module("fsspec.registry")
    monkeypatch.delitem(known._registry, "s3", raising=False)
    with pytest.raises(DataError, match=r"s3://a/b\.tar needs s3fs; .*phosphene\[remote\]"):
        pieces("s3://a/b.tar")
    with pytest.raises(DataError, match=r"nonsense://x\.tar: Protocol not known: nonsense"):
        pieces("nonsense://x.tar")


def test_a_piece_is_called_by_its_last_part() -> None:
    assert Piece("s3://a/b/c.tar", 1, "").name == "c.tar"
