"""Data go to another process, which has never heard of them, and give the same items there."""

import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.pool import Pool
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, TensorDataset

from phosphene.data import (
    SOURCES,
    ArrayDataset,
    ImageFolder,
    Relabelled,
    Wanted,
    digits,
    fingerprint,
    load_data,
    mnist,
    source,
)
from phosphene.errors import SpecError

pytestmark = pytest.mark.slow  # a process for each

FACTORY = """
import torch
from torch.utils.data import Dataset
from helper_of_this_test import shade

class Mine(Dataset):
    def __init__(self, channels, size):
        self.picture = torch.full((channels, *size), shade)
        self.change = lambda picture: picture / 2

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.change(self.picture), index

def make(channels, size):
    return Mine(channels, size)
"""


def array() -> ArrayDataset:
    pictures = torch.arange(3 * 16).view(3, 1, 4, 4).to(torch.uint8)
    return ArrayDataset(pictures, torch.tensor([0, 1, -1]), name="three", classes=["a", "b"])


def folder(path: Path) -> ImageFolder:
    for name in "ab":
        (path / name).mkdir()
        Image.new("RGB", (9, 7), (40, 80, 200)).save(path / name / "1.png")
    (path / "b" / "2.png").write_bytes(b"no picture")
    return ImageFolder(path, 3, (8, 8))


def from_file(path: Path) -> Dataset[Any]:
    (path / "mine.py").write_text(FACTORY)
    (path / "helper_of_this_test.py").write_text("shade = 0.25")
    return load_data(f"{path / 'mine.py'}:make", 2, (4, 4))


def rows(path: Path) -> TensorDataset:
    return TensorDataset(torch.rand(3, 1, 4, 4), torch.tensor([[0, 1], [1, 1], [1, 0]]))


DATA: dict[str, Callable[[Path], Dataset[Any]]] = {
    "an array": lambda path: array(),
    "some of an array": lambda path: array().take([2, 0]),
    "a class of an array": lambda path: array().subset(["b"]),
    "digits": lambda path: digits("test"),
    "digits in colour": lambda path: load_data("digits", 3, (16, 16)),
    "a folder": folder,
    "a part of a folder": lambda path: Subset(folder(path), [1, 2]),
    "with other labels": lambda path: Relabelled(array(), [1, None], ["x", "y"]),
    "several labels": lambda path: Relabelled(rows(path), [1, 0], ["x", "y"]),
    "from a file": from_file,
    "from a file, with other labels": lambda path: Relabelled(from_file(path), [1, 0], "xy"),
}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Pool]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield pool


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, tuple):
        members = getattr(one, "members", None), getattr(other, "members", None)
        alike = members == (None, None) or same(*members)
        return type(one) is type(other) and alike and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("make", DATA.values(), ids=DATA)
def test_they_give_the_same_items(
    make: Callable[[Path], Dataset[Any]], tmp_path: Path, elsewhere: Pool
) -> None:
    data = make(tmp_path)
    assert elsewhere.apply(fingerprint, (data,)) == fingerprint(data)
    for index in range(len(data)):  # type: ignore[arg-type]
        assert same(elsewhere.apply(getitem, (data, index)), data[index])
        if index > 3:
            break


def test_mnist_files(shared_data: Path, elsewhere: Pool) -> None:
    data = mnist(shared_data / "mnist", "test")
    assert elsewhere.apply(fingerprint, (data,)) == data.fingerprint()


def test_a_source_may_be_registered_anywhere() -> None:
    def blank(count: str, wanted: Wanted) -> Dataset[Any]:
        return TensorDataset(torch.zeros(int(count), wanted.channels, *wanted.size))

    before = dict(SOURCES)
    try:
        source("blank", "blank:COUNT")(blank)
        data = load_data("blank:3", channels=2, size=(4, 5))
        with pytest.raises(
            SpecError, match=r"Write digits, mnist:FOLDER, .* a folder of images, blank:COUNT, file"
        ):
            load_data("blank", channels=2, size=(4, 5))
    finally:
        SOURCES.pop("blank", None)
    assert before == SOURCES
    assert isinstance(data, TensorDataset)
    assert data.tensors[0].shape == (3, 2, 4, 5)
