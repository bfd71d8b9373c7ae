"""One call shows a unit: drawn, in real pictures, and what in them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import packed
from phosphene import Input, Network, Recipe, digits, guided, look, sheet
from phosphene.data import ArrayDataset, Example
from phosphene.errors import (
    ChannelError,
    DataError,
    InputError,
    SizeError,
    SpecError,
    UnknownUnitError,
)
from phosphene.survey import Survey

BRIEF = Recipe(steps=2)


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 28 * 28, 10)
    )


@pytest.mark.later
def test_a_module_a_unit_and_data_are_enough(module: nn.Module) -> None:
    data = digits("test").take(slice(0, 30))
    found = look(module, ["0:1", "3:7"], data, examples=4, recipe=BRIEF)
    assert found.names == ("0:1", "class 7")
    assert found.pictures == 30
    survey = Survey(Network(module), ["0", "3"], classes=0, k=4).over(data)
    for seen, layer, unit in zip(found.seen, ("0", "3"), (1, 7), strict=True):
        top = survey.layers[layer].top
        assert [s.image for s in seen] == top.images[unit].tolist()
        assert [s.value for s in seen] == top.values[unit].tolist()
    whole = found.seen[1][0]
    assert torch.equal(whole.patch, data[whole.image].picture)
    assert torch.equal(whole.map, guided(module, whole.patch, "3:7")[0])
    assert found.seen[0][0].patch.shape == (1, 5, 5)
    assert sheet(found).height > 300


def test_without_data_it_is_the_picture_alone(module: nn.Module) -> None:
    found = look(module, "3:7", recipe=BRIEF)
    assert found.seen == ((),)
    assert found.summary.startswith("The picture drawn for class 7 makes it answer ")
    assert sheet(found).width > 300


def test_pictures_themselves_are_data(module: nn.Module) -> None:
    pictures = torch.rand(5, 1, 28, 28)
    found = look(module, "0:1", pictures, examples=9, recipe=BRIEF)
    assert len(found.seen[0]) == found.pictures == 5


def test_a_class_is_found_by_its_name() -> None:
    torch.manual_seed(0)
    bare = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    network = Network(bare, Input(1, (4, 4)), ("cat", "dog"))
    data = ArrayDataset(torch.randint(256, (3, 1, 4, 4)).byte(), name="three")
    assert look(network, "dog", data, recipe=BRIEF).names == ("class dog",)
    with pytest.raises(UnknownUnitError, match="'cow' is neither a unit"):
        look(network, "cow", recipe=BRIEF)


FIELD = Input(1, (8, 8))


def small(spoilt: bool = False) -> Network:
    """A convolution whose one unit is the picture's brightness; `spoilt` where it divides by 0."""
    bare = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.ones_(bare.weight)

    class Inverse(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1 / x

    parts = [bare, nn.Flatten(), Inverse()] if spoilt else [bare, nn.Flatten()]
    return Network(nn.Sequential(*parts, nn.Linear(64, 2)), FIELD)


class Counting(ArrayDataset):
    """Counts how often each picture is read."""

    def __init__(self, pictures: Tensor) -> None:
        super().__init__((pictures * 255).byte(), name="counting")
        self.reads = [0] * len(pictures)

    def __getitem__(self, index: int) -> Example:
        self.reads[index] += 1
        return super().__getitem__(index)


def test_data_are_gone_through_once() -> None:
    data = Counting(torch.linspace(0, 1, 20)[:, None, None, None].expand(20, 1, 8, 8))
    found = look(small(), "0:0", data, examples=2, recipe=BRIEF)
    assert [s.image for s in found.seen[0]] == [19, 18]
    assert data.reads == [1] * 18 + [2, 2]  # the strongest are read again, to be shown


def test_a_neuron_is_looked_for_at_its_own_position() -> None:
    pictures = torch.zeros(3, 1, 8, 8)
    pictures[0, 0, 0, 0] = 1.0
    pictures[1, 0, 3, 4] = 0.6
    pictures[2, 0, 3, 4] = 0.3
    found = look(small(), ["0:0@3,4", "0:0"], pictures, examples=2, recipe=BRIEF)
    values = [[(s.image, round(s.value, 3)) for s in seen] for seen in found.seen]
    assert values == [[(1, 0.6), (2, 0.3)], [(0, 1.0), (1, 0.6)]]
    assert found.seen[0][0].patch.item() == pytest.approx(0.6)
    assert "to the strongest of 3 real pictures it answers 0.6." in found.summary


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for level in (10, 200, 90):
        shades = (np.arange(64).reshape(8, 8) * level // 63).astype(np.uint8)
        Image.fromarray(shades).save(tmp_path / f"{level}.png")
    return tmp_path


@pytest.mark.parametrize("form", ["folder", "text", "file", "file text", "files", "image", "array"])
def test_data_take_every_form_that_pictures_have(folder: Path, form: str) -> None:
    file = folder / "200.png"
    with Image.open(file) as opened:
        image = opened.copy()
    data: Any = {
        "folder": folder,
        "text": str(folder),
        "file": file,
        "file text": str(file),
        "files": [folder / "10.png", str(file)],
        "image": image,
        "array": np.asarray(image),
    }[form]
    found = look(small(), "0:0", data, recipe=BRIEF)
    assert found.seen[0][0].value == pytest.approx(200 / 255, abs=1e-3)
    assert found.pictures == {"folder": 3, "text": 3, "files": 2}.get(form, 1)


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (255 * torch.ones(2, 1, 8, 8), InputError, "range from 255 to 255"),
        (torch.full((2, 1, 8, 8), float("nan")), InputError, "expected \\[0, 1\\]"),
        (torch.rand(2, 3, 8, 8), ChannelError, "3 channels"),
        (torch.rand(2, 1, 9, 8), SizeError, "9 x 8 pixels; expected 8 x 8"),
        (torch.rand(8), InputError, "shape"),
        (torch.zeros(0, 1, 8, 8), DataError, "no pictures"),
        ([], InputError, "is no picture"),
        ("phots", SpecError, "'phots' names no data"),
    ],
)
def test_what_cannot_be_looked_through_is_refused(data: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        look(small(), "0:0", data, recipe=BRIEF)


def test_no_examples_are_refused() -> None:
    with pytest.raises(InputError, match="0 examples"):
        look(small(), "0:0", torch.rand(1, 1, 8, 8), examples=0, recipe=BRIEF)


def test_pictures_that_have_no_answer_are_left_out() -> None:
    pictures = torch.rand(4, 1, 8, 8).clamp(0.1)
    pictures[2, 0, 0, 0] = 0.0
    network = small(spoilt=True)
    found = look(network, "2:5", pictures, recipe=BRIEF)
    assert found.pictures == 3
    assert sorted(s.image for s in found.seen[0]) == [0, 1, 3]
    with pytest.raises(DataError, match="NaN or infinity to all of 1"):
        look(network, "2:5", pictures[2:3], recipe=BRIEF)


def test_a_tar_file_is_data_and_no_picture(tmp_path: Path) -> None:
    network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), Input(3, (8, 8)))
    packed.as_tars(tmp_path, packed.contents(9), 9)
    found = look(network, "0:1", str(tmp_path / "000.tar"), examples=2, recipe=BRIEF)
    assert found.pictures == 8
