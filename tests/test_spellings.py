"""Whatever takes a network, units, objectives or pictures takes what people write for them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import TensorDataset

from fuzz import small_atlas
from phosphene import Atlas, Channel, Input, Logit, Network, Recipe, Survey, Unit, draw, guided
from phosphene.data import Batch, read_image
from phosphene.errors import InputError, NetworkError, ObjectiveError, UnknownUnitError
from phosphene.figures import attributions_sheet
from phosphene.probes import (
    caricature,
    dream,
    facets,
    fool,
    interpolate,
    invert,
    morph,
    move_map,
    picture,
    restart,
    shifts,
)
from phosphene.results import sheet
from phosphene.spellings import (
    classes_of,
    network_of,
    objective_of,
    pictures_of,
    unit_of,
    units_of,
)
from phosphene.study import Settings

BRIEF = Recipe(steps=2)


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    first, second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 6, 3)
    return nn.Sequential(
        first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(6 * 24 * 24, 3)
    )


@pytest.fixture(scope="module")
def network(module: nn.Module) -> Network:
    return Network(module, Input(1, (28, 28)), ("cat", "dog", "cup"))


PICTURES = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def test_a_module_is_a_network_whose_input_is_found(module: nn.Module) -> None:
    assert Network(module).input == Input(1, (28, 28))
    assert network_of(module).fingerprint == Network(module).fingerprint
    by_module = guided(module, PICTURES, "2:5")
    assert torch.equal(by_module, guided(Network(module), PICTURES, Channel("2", 5)))
    with pytest.raises(NetworkError, match=r"7 is no network; give a Network, an nn\.Module"):
        network_of(7)


def test_units_in_every_form(network: Network) -> None:
    assert units_of(network, "2:5") == [Unit("2", 5)]
    assert units_of(network, ["0:1", Unit("2", 5)]) == [Unit("0", 1), Unit("2", 5)]
    for dog in ("dog", Logit(1), "5:1", Channel("5", 1), Unit("5", 1)):
        assert unit_of(network, dog) == Unit("5", 1)
    with pytest.raises(UnknownUnitError, match=r"'dig' is neither a unit.*dog"):
        unit_of(network, "dig")
    with pytest.raises(ObjectiveError, match="2 units were given; give one"):
        unit_of(network, ["dog", "cat"])
    with pytest.raises(UnknownUnitError, match=r"tensor.* names no unit"):
        unit_of(network, torch.tensor(3))
    with pytest.raises(ObjectiveError, match="no units were given"):
        units_of(network, [])


def test_objectives_in_every_form(network: Network) -> None:
    assert objective_of(network, "dog") == Channel("5", 1)
    assert objective_of(network, ["2:1", "2:3"]) == Channel("2", (1, 3))
    assert objective_of(network, Logit(2)) == Logit(2)
    with pytest.raises(ObjectiveError, match="not all channels of one layer"):
        objective_of(network, ["2:1", "0:3"])


def test_pictures_in_every_form(network: Network, tmp_path: Path) -> None:
    grey = (PICTURES[0, 0].numpy() * 255).round().astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    expected = torch.from_numpy(grey)[None, None] / 255
    for shown in (grey, grey[None], grey[..., None], Image.fromarray(grey), tmp_path / "a.png"):
        assert torch.allclose(pictures_of(network, shown), expected)
    assert pictures_of(network, [grey, PICTURES[1]]).shape == (2, 1, 28, 28)
    assert pictures_of(network, PICTURES) is PICTURES
    assert torch.equal(pictures_of(network, PICTURES[0]), PICTURES[:1])
    assert torch.equal(
        pictures_of(network, torch.full((1, 28, 28), 51).byte()).unique(), torch.tensor([0.2])
    )
    with pytest.raises(InputError, match=r"3\.5 is no picture"):
        pictures_of(network, 3.5)


def test_channels_that_may_be_first_or_last_are_asked_for() -> None:
    colour = Network(nn.Sequential(nn.Conv2d(3, 2, 3)), Input(3, (28, 28)))
    assert pictures_of(colour, np.zeros((28, 28, 3), np.float32)).shape == (1, 3, 28, 28)
    with pytest.raises(InputError, match="channels first or last"):
        pictures_of(colour, np.zeros((3, 28, 3), np.float32))


def test_what_a_newcomer_writes_works(network: Network, module: nn.Module) -> None:
    assert draw(network, "2:5", BRIEF)[0].unit == Unit("2", 5)
    of_two = draw(network, ["2:5", "dog", "0:1"], BRIEF)
    assert [str(drawing.unit) for drawing in of_two] == ["2:5", "5:1", "0:1"]
    alone = draw(network, ["5:1"], BRIEF)[0]
    assert torch.equal(of_two[1].picture, alone.picture)
    assert draw(module, "2:5", BRIEF)[0].unit == Unit("2", 5)
    assert guided(network, PICTURES[0], "dog").shape == (1, 1, 28, 28)
    assert picture(network, "2:3", BRIEF).objectives == (Channel("2", 3),)
    assert picture(network, ["2:3", "dog"], BRIEF).objectives[1] == Channel("5", 1)
    assert restart(network, "dog", BRIEF, starts=3).unit == Unit("5", 1)
    assert facets(network, "dog", "2", count=2, recipe=BRIEF).objective == Channel("5", 1)
    assert interpolate(network, "dog", "cat", count=2, recipe=BRIEF).second == Channel("5", 0)


def test_questions_take_classes_files_layers_and_modules(
    network: Network, module: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray((PICTURES[0, 0] * 255).byte().numpy()).save(path)
    shown = read_image(path, 1, (28, 28))
    assert fool(network, "dog", steps=1).targets == (1,)
    assert fool(network, ["cup", 0], str(path), steps=1).targets == (2, 0)
    assert torch.equal(fool(network, "dog", path, steps=1).frames[0, 0], shown)
    assert torch.equal(morph(network, path, "cup", steps=1).frames[0, 0], shown)
    assert invert(network, path, "2", BRIEF).layers == ("2",)
    assert caricature(network, shown.numpy(), ["2", "0"], BRIEF).layers == ("2", "0")
    assert dream(module, path, "2", recipe=BRIEF, octaves=1).picture.shape == (1, 28, 28)
    assert move_map(network, path, "cup", shifts(1)).label == 2
    with pytest.raises(InputError, match="2 pictures were given; give one"):
        invert(network, PICTURES, "2", BRIEF)


@pytest.mark.slow
def test_what_people_write_in_notebooks(module: nn.Module, tmp_path: Path) -> None:
    """What raised a bare TypeError or AttributeError once, each as it was written."""
    net, passes = Network(module), list[int]()
    handle = module.register_forward_hook(lambda *_: passes.append(1))
    assert "Sequential" in repr(net)
    handle.remove()
    assert not passes, "showing a network runs it"
    x = torch.rand(1, 1, 28, 28)
    pictures = torch.rand(4, 1, 28, 28)
    survey, data = Survey(net, "2"), TensorDataset(pictures, torch.zeros(4).long())
    survey.add(Batch(torch.arange(4), pictures, torch.zeros(4).long(), ()))
    drawings, maps = draw(net, ["2:1"], BRIEF), guided(net, x, "2:1")
    made = attributions_sheet(net, x[0], ["2:1"], survey, data)
    shown = (drawings, drawings[0], maps, picture(net, ["2:3"], BRIEF), restart(net, "5:1", BRIEF))
    assert all(sheet(one).width > 100 for one in shown)
    assert made.width > 100
    with Atlas.open(small_atlas(tmp_path / "a.atlas")) as atlas:
        assert atlas.unit("conv:1").unit == 1
        with pytest.raises(UnknownUnitError, match="write layer:number such as conv2:17"):
            atlas.unit("conv")


def test_one_layers_name_is_one_layer(network: Network) -> None:
    assert list(Survey(network, "2").layers) == ["2"]


def test_drawings_and_maps_have_a_figure(network: Network) -> None:
    drawings = draw(network, ["2:5", "dog"], BRIEF)
    png, _ = drawings._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert sheet(list(drawings)).size == sheet(drawings).size
    assert sheet(guided(network, PICTURES, "dog")).width > 100
    assert sheet(drawings[0].picture).width > 100


def test_starts_are_for_each_unit(network: Network) -> None:
    with pytest.raises(ObjectiveError, match="1 starts were given for 2 units"):
        draw(network, ["2:5", "dog"], BRIEF, starts=PICTURES[:1])


def test_an_array_that_cannot_be_written_to_is_a_picture_without_a_warning() -> None:
    array = np.asarray(Image.new("L", (8, 8), 200))
    assert not array.flags.writeable
    assert float(
        pictures_of(Network(nn.Conv2d(1, 2, 3), Input(1, (8, 8))), array).mean()
    ) == pytest.approx(200 / 255)


NAMES = ["tench, Tinca tinca", "crane", "crane", "Egyptian cat", "hen, crane"]


def named(names: list[str] = NAMES) -> Network:
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 5))
    return Network(module, Input(1, (8, 8)), names)


@pytest.mark.parametrize(
    ("meant", "number"),
    [("tench", 0), ("Tinca_tinca", 0), ("egyptian-cat", 3), ("hen", 4), (2, 2), ("1", 1)],
)
def test_a_class_is_found_by_any_of_its_names(meant: object, number: int) -> None:
    net = named()
    assert unit_of(net, meant) == Unit("3", number)
    assert classes_of(net, meant) == (number,)  # type: ignore[arg-type]


def test_several_classes_of_one_name_are_refused() -> None:
    net, told = named(), "2 classes are called 'crane': 1 and 2; give the number of one"
    for ask in (unit_of, classes_of):
        with pytest.raises(UnknownUnitError, match=told):
            ask(net, "crane")
    sure = named(["crane, bird", "CRANE", "crane", "hen", "dog"])
    assert unit_of(sure, "crane") == Unit("3", 2)  # as it stands in the list


def test_a_layer_where_a_unit_is_meant_is_told_how_to_go_on() -> None:
    with pytest.raises(UnknownUnitError, match="'0' is a layer, with units 0 to 2; write one as"):
        unit_of(Network(nn.Sequential(nn.Conv2d(1, 3, 3)), Input(1, (8, 8))), "0")


def test_one_layer_is_one_layer_everywhere() -> None:
    net = named()
    assert net.record(torch.rand(1, 1, 8, 8), "0")["0"].shape == (1, 3, 6, 6)
    assert Settings(layers="0", units="0:1") == Settings(layers=("0",), units=("0:1",))


def test_an_input_that_is_none_is_told() -> None:
    for given in (28, (1, 28, 28)):
        with pytest.raises(InputError, match=r"give an Input, such as Input\(3, \(224, 224\)\)"):
            Network(nn.Conv2d(1, 2, 3), given)  # type: ignore[arg-type]
