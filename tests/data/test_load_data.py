"""A text names a dataset, or the error names what it could have been."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from phosphene.data import ArrayDataset, ImageFolder, batches, load_data
from phosphene.data.fitted import Fitted
from phosphene.errors import DataError, PhospheneError, SpecError

GREY = (28, 28)


def images(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


@pytest.mark.parametrize(
    ("spec", "split", "name", "count"),
    [
        ("digits", "test", "digits test", 360),
        ("digits", "train", "digits train", 1437),
        ("digits:all", "test", "digits all", 1797),
    ],
)
def test_digits(spec: str, split: str, name: str, count: int) -> None:
    data = load_data(spec, channels=1, size=GREY, split=split)
    assert isinstance(data, ArrayDataset)
    assert (data.name, len(data)) == (name, count)


def test_digits_fit_any_input() -> None:
    data = load_data("digits", channels=3, size=(40, 32))
    assert isinstance(data, Fitted)
    batch = next(batches(data, size=4))
    assert tuple(batch.pictures.shape) == (4, 3, 40, 32)
    assert torch.equal(batch.pictures[:, 0], batch.pictures[:, 2])


@pytest.mark.later
def test_mnist(shared_data: Path) -> None:
    folder = shared_data / "mnist"
    test = load_data(f"mnist:{folder}", channels=1, size=GREY)
    train = load_data(f"mnist:{folder}:train", channels=3, size=(32, 32))
    assert isinstance(test, ArrayDataset)
    assert (test.name, len(test)) == ("mnist test", 10_000)
    assert isinstance(train, Fitted)
    assert (train.name, len(train)) == ("mnist train", 60_000)
    assert tuple(train[59_999][0].shape) == (3, 32, 32)


def test_folder(tmp_path: Path) -> None:
    data = load_data(str(images(tmp_path, "a/1.png", "train/2.png")), channels=3, size=(4, 4))
    assert isinstance(data, ImageFolder)
    assert data.classes == ("a", "train")


def test_folder_of_splits(tmp_path: Path) -> None:
    images(tmp_path, ".cache/0.png", "train/a/1.png", "train/a/2.png", "val/a/3.png", "val/b/4.png")
    held_out = load_data(str(tmp_path), channels=3, size=(4, 4))
    train = load_data(str(tmp_path), channels=3, size=(4, 4), split="train")
    assert isinstance(held_out, ImageFolder)
    assert isinstance(train, ImageFolder)
    assert [path.name for path in held_out.paths] == ["3.png", "4.png"]
    assert [path.name for path in train.paths] == ["1.png", "2.png"]
    assert held_out.name == f"{tmp_path.name} test"
    with pytest.raises(DataError, match="holds train, val but nothing for the split 'all'"):
        load_data(str(tmp_path), channels=3, size=(4, 4), split="all")


def test_factory_is_given_what_it_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import torch\n"
        "from torch.utils.data import TensorDataset\n"
        "def plain():\n    return TensorDataset(torch.zeros(2, 1, 4, 4))\n"
        "def fitted(channels=1, size=(9, 9), split='train', shade=0.5):\n"
        "    count = 3 if split == 'train' else 4\n"
        "    return TensorDataset(torch.full((count, channels, *size), shade))\n"
        "def wrong():\n    return [1, 2]\n"
    )
    plain = load_data(f"{path}:plain", channels=3, size=GREY)
    assert isinstance(plain, TensorDataset)
    fitted = load_data(f"{path}:fitted", channels=2, size=(5, 6))
    assert isinstance(fitted, TensorDataset)
    assert tuple(fitted.tensors[0].shape) == (4, 2, 5, 6)
    with pytest.raises(SpecError, match=r"wrong returned a list; expected a torch\.utils"):
        load_data(f"{path}:wrong", channels=1, size=GREY)
    with pytest.raises(SpecError, match="nearest: fitted"):
        load_data(f"{path}:fited", channels=1, size=GREY)


def test_factory_of_a_package() -> None:
    data = load_data("phosphene.data:digits", channels=1, size=(8, 8), split="all")
    assert isinstance(data, ArrayDataset)
    assert tuple(data.pictures.shape) == (1797, 1, 8, 8)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("digit", "nearest: digits"),
        ("minst:folder", "nearest: mnist"),
        ("", "names no data"),
        ("mnist", "nearest: mnist"),
        ("a/b:c", "Write digits, mnist:FOLDER, shards/.000..119..tar, .* a folder"),
        ("digits:tests", "nearest: test"),
        ("mnist:/nowhere/at/all", "no t10k-images-idx3-ubyte"),
    ],
)
def test_what_names_no_data_says_what_would(spec: str, complaint: str) -> None:
    with pytest.raises(PhospheneError, match=complaint):
        load_data(spec, channels=1, size=GREY)


def test_misspelt_folder_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    with pytest.raises(SpecError, match=r"nearest: .*photographs"):
        load_data(str(tmp_path / "photograph"), channels=1, size=GREY)
