"""The same images in a folder, in tar files, in tables and in a store are the same data."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import packed
from phosphene.data import Example, ImageFolder, Unreadable, batches, item_name, load_data
from phosphene.data.matching import known_labels
from phosphene.data.stored import Stored

COUNT = 23


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return packed.contents(COUNT)


Make = Callable[[Path, list[bytes]], object]

PACKINGS: dict[str, Make] = {
    "tar": lambda root, files: packed.as_tars(root, files, 7),
    "json": lambda root, files: packed.as_tars(root, files, 7, "json"),
    "txt": lambda root, files: packed.as_tars(root, files, 7, "txt"),
    "parquet": lambda root, files: packed.as_parquet(root, files, 9, 4),
    "saved": lambda root, files: packed.as_saved(root, files, 12, 5),
    "one file": lambda root, files: packed.as_parquet(root, files, 99, 99) / "part-0.parquet",
}


def made(spec: object) -> Stored:
    data = load_data(str(spec), channels=3, size=(8, 8))
    assert isinstance(data, Stored)
    return data


@pytest.fixture(params=PACKINGS)
def pair(request: pytest.FixtureRequest, tmp_path: Path, files: list[bytes]) -> tuple[Stored, ...]:
    """The images as some packing has them, and as a folder."""
    packing = made(PACKINGS[request.param](tmp_path / "packed", files))
    return packing, made(packed.as_folder(tmp_path / "folder", files))


def same(one: Example | Unreadable, other: Example | Unreadable) -> bool:
    if isinstance(one, Unreadable) or isinstance(other, Unreadable):
        return isinstance(one, Unreadable) and isinstance(other, Unreadable)
    return torch.equal(one.picture, other.picture) and one.label == other.label


def test_items_labels_and_classes_are_those_of_the_folder(pair: tuple[Stored, Stored]) -> None:
    data, folder = pair
    assert isinstance(folder, ImageFolder)
    assert (len(data), data.classes, data.labels) == (COUNT, packed.CLASSES, folder.labels)
    assert known_labels(data) == 3
    assert all(same(data[i], folder[i]) for i in range(COUNT))
    assert isinstance(data[4], Unreadable)
    assert data[4].path == item_name(data, 4)
    backwards = [22, 3, 15, 3, 0]
    for index, item in zip(backwards, data.__getitems__(backwards), strict=True):
        assert same(item, folder[index])
    assert same(data[-1], folder[-1])
    with pytest.raises(IndexError):
        data[COUNT]


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("size", [4, 10])
def test_batches_are_those_of_the_folder(
    pair: tuple[Stored, Stored], size: int, workers: int
) -> None:
    found = list(batches(pickle.loads(pickle.dumps(pair[0])), size, workers))
    for one, other in zip(found, batches(pair[1], size), strict=True):
        assert torch.equal(one.indices, other.indices)
        assert torch.equal(one.pictures, other.pictures)
        assert torch.equal(one.labels, other.labels)
        assert [s.reason for s in one.skipped] == [s.reason for s in other.skipped]


def test_a_copy_elsewhere_is_the_same_data(pair: tuple[Stored, Stored], tmp_path: Path) -> None:
    data, _ = pair
    place = tmp_path / "packed"
    copy = place.rename(tmp_path / "moved")
    spec = data.pieces[0].place if len(data.pieces) == 1 else str(copy)  # type: ignore[attr-defined]
    again = made(spec.replace("/packed/", "/moved/"))
    assert again.fingerprint() == data.fingerprint()
    assert load_data(str(copy), 3, (9, 9)).fingerprint() != data.fingerprint()  # type: ignore[attr-defined]


def test_a_pass_may_be_left_and_begun_again(pair: tuple[Stored, Stored]) -> None:
    for _ in range(3):
        assert next(iter(batches(pair[0], 6))).indices.tolist() == [0, 1, 2, 3, 5]
