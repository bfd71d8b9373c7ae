"""One call shows a unit: drawn, in real pictures, and what in them."""

import pytest
import torch
from torch import nn

from phosphene import Input, Network, Recipe, digits, guided, look, sheet
from phosphene.data import ArrayDataset
from phosphene.errors import UnknownUnitError
from phosphene.survey import Survey

BRIEF = Recipe(steps=2)


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 28 * 28, 10)
    )


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
