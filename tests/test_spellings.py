"""Whatever takes a network, units, objectives or pictures takes what people write for them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import TensorDataset

from fuzz import small_atlas
from phosphene import (
    Atlas,
    Channel,
    Input,
    Logit,
    Network,
    Recipe,
    Spectrum,
    Survey,
    Unit,
    draw,
    guided,
    look,
)
from phosphene.attribution import each_gradient
from phosphene.canvas.spectrum import in_batches
from phosphene.cli.chosen import of_classes
from phosphene.data import Batch, batches, digits, load_data, read_image
from phosphene.errors import (
    AtlasError,
    InputError,
    NetworkError,
    ObjectiveError,
    SettingError,
    UnknownUnitError,
)
from phosphene.evaluation import nearest_neighbours
from phosphene.figures import attributions_sheet
from phosphene.maximize import Usual
from phosphene.network import GUIDED
from phosphene.objectives import Norm
from phosphene.probes import (
    caricature,
    dissect,
    dream,
    facets,
    fool,
    interpolate,
    invert,
    misread,
    morph,
    move_map,
    picture,
    restart,
    shifts,
    units,
)
from phosphene.probes.subject import InMemory
from phosphene.results import sheet
from phosphene.spellings import (
    class_numbers,
    classes_of,
    network_of,
    objective_of,
    pictures_of,
    unit_of,
    units_of,
)

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


@pytest.mark.later
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
        unit_of(network, torch.tensor([0, 1]))
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


@pytest.mark.later
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


@pytest.mark.later
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


@pytest.mark.later
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
    [("tench", 0), ("Tinca_tinca", 0), ("tench, Tinca tinca", 0), ("egyptian-cat", 3), ("hen", 4)],
)
def test_a_class_is_found_by_any_of_its_names(meant: str, number: int) -> None:
    net = named()
    assert unit_of(net, meant) == Unit("3", number)
    assert classes_of(net, meant) == class_numbers(meant, net.classes) == (number,)
    assert of_classes(net, [meant]) == [f"3:{number}"]
    assert InMemory(net).unit(meant) == Unit("3", number)


@pytest.mark.parametrize("number", [2, np.int64(2), torch.tensor(2)])
def test_a_number_alone_is_that_class_everywhere(number: int) -> None:
    net = named(["1", "7", "2", "3", "4"])  # also where another class is called so
    assert unit_of(net, number) == unit_of(net, [number]) == Unit("3", 2)
    assert classes_of(net, number) == classes_of(net, [number]) == (2,)
    assert unit_of(net, 1) == Unit("3", 1)
    assert unit_of(net, "1") == Unit("3", 0)
    drawn = draw(net, number, BRIEF)[0]
    assert drawn.unit == look(net, number, recipe=BRIEF).drawings[0].unit == Unit("3", 2)
    assert torch.equal(
        guided(net, PICTURES[:, :, :8, :8], number), guided(net, PICTURES[:, :, :8, :8], "3:2")
    )


def test_a_number_that_is_no_class_is_told() -> None:
    for number in (5, -1):
        with pytest.raises(UnknownUnitError, match=f"has classes 0 to 4; {number} was asked for"):
            unit_of(named(), number)
        with pytest.raises(ObjectiveError, match=f"has classes 0 to 4; {number} was asked for"):
            classes_of(named(), number)
    with pytest.raises(UnknownUnitError, match=r"has no classes; 3 was asked for.*conv2:3"):
        unit_of(Network(nn.Sequential(nn.Conv2d(1, 4, 3)), Input(1, (8, 8))), 3)
    with pytest.raises(UnknownUnitError, match="True names no unit"):
        unit_of(named(), True)


def test_several_classes_of_one_name_are_refused() -> None:
    net = named()
    for asked, told in (
        ("crane", "2 classes are called 'crane': 1 and 2; give the number of one"),
        ("Crane", "3 classes are called 'Crane': 1, 2 and 4; give the number of one"),
    ):
        for ask in (
            unit_of,
            classes_of,
            lambda net, name: of_classes(net, ["tench", name]),
            lambda net, name: InMemory(net).unit(name),
            lambda net, name: InMemory(net).classes(f"hen,{name}"),
        ):
            with pytest.raises(UnknownUnitError, match=told):
                ask(net, asked)


def test_the_whole_label_goes_before_one_of_several_names() -> None:
    sure = named(["crane, bird", "CRANE", "crane", "hen", "dog"])
    assert unit_of(sure, "crane") == Unit("3", 2)
    doubtful = named(["tusker", "crane, bird", "tower crane, crane", "hen", "dog"])
    with pytest.raises(UnknownUnitError, match="2 classes are called 'crane': 1 and 2"):
        unit_of(doubtful, "crane")


def test_a_misspelt_class_is_told_the_nearest_of_all_names() -> None:
    with pytest.raises(UnknownUnitError, match="nearest: tench"):
        unit_of(named(), "tenhc")
    with pytest.raises(ObjectiveError, match="no class 'tenhc'; nearest: tench"):
        classes_of(named(), "tenhc")


def test_a_list_of_classes_may_hold_names_with_commas() -> None:
    about = InMemory(named())
    assert about.classes("tench, Tinca tinca") == (0,)
    assert about.classes("hen, 1,tench, Tinca tinca") == (4, 1, 0)
    assert of_classes(named(), ["hen,1", "tench, Tinca tinca"]) == ["3:4", "3:1", "3:0"]


def test_a_layer_where_a_unit_is_meant_is_told_how_to_go_on() -> None:
    net = named()
    for ask in (
        lambda: unit_of(net, "0"),
        lambda: draw(net, "0", BRIEF),
        lambda: guided(net, PICTURES[:, :, :8, :8], "0"),
    ):
        with pytest.raises(UnknownUnitError, match="'0' is a layer, with units 0 to 2; write one"):
            ask()


def test_one_layer_is_one_layer_everywhere() -> None:
    net, x = named(), torch.rand(4, 1, 8, 8)
    data = TensorDataset(x, torch.tensor([0, 1, 0, 1]))
    alone, listed = net.record(x, "0"), net.record(x, ["0"])
    assert alone["0"].shape == (4, 3, 6, 6)
    assert torch.equal(net.record(x)["3"], net.record(x, net.layers)["3"])
    assert torch.equal(
        net.onward("0", alone["0"], "3")["3"], net.onward("0", listed["0"], ["3"])["3"]
    )
    assert set(Usual.measure(net, x, "0").to_json()) == set(Usual.measure(net, x, ["0"]).to_json())
    assert len(units(net, data, "0").layers) == 1
    assert dissect(net, data, ["0"]).layer == dissect(net, data, "0").layer == "0"
    assert dream(net, x[0], ["0"], recipe=BRIEF, octaves=1).objective == Norm("0")
    assert facets(net, 0, ["0"], count=2, recipe=BRIEF).layer == "0"
    with pytest.raises(InputError, match="2 layers were given, 0, 3; give one"):
        dissect(net, data, ["0", "3"])


def test_items_of_data_and_flat_pictures_are_pictures(network: Network) -> None:
    x = PICTURES[0]
    labelled = digits("test")[3]
    for shown, meant in (
        (x[0], x[None]),
        ((x, 3), x[None]),
        ((x, torch.tensor(3)), x[None]),
        ((x, torch.tensor([0, 1, 1])), x[None]),
        ((x, None), x[None]),
        (labelled, labelled.picture[None]),
        ((x, x), torch.stack([x, x])),
    ):
        assert torch.equal(pictures_of(network, shown), meant)


def test_what_else_is_given_for_pictures_is_told(network: Network) -> None:
    for shown, told in (
        (PICTURES[0], r"batch axis with \[None\]"),
        (PICTURES[0, 0], r"batch and channel with \[None, None\]"),
        (PICTURES.numpy(), "torch.from_numpy"),
        (digits("test")[3], r"data\[3\]\.picture"),
    ):
        with pytest.raises(InputError, match=told):
            network.input.check_shape(shown)


def test_one_picture_is_that_of_each_of_several_units(network: Network) -> None:
    x = PICTURES[:1]
    both = guided(network, x, ["2:5", "2:4"])
    each = torch.cat([guided(network, x, "2:5"), guided(network, x, "2:4")])
    assert torch.allclose(both, each, atol=1e-6)
    assert torch.allclose(each_gradient(network, x, ["2:5", "2:4"], GUIDED), each, atol=1e-6)
    with pytest.raises(ObjectiveError, match=r"for 2 images was given 3;.*each_gradient"):
        guided(network, torch.cat([x, x, x]), ["2:5", "2:4"])


def test_steps_go_before_the_recipes(network: Network) -> None:
    assert draw(network, "2:5", steps=2)[0].recipe == draw(network, "2:5", BRIEF)[0].recipe
    assert look(network, "2:5", steps=8).drawings[0].recipe.steps == 3  # type: ignore[union-attr]


def test_what_is_measured_may_be_given_as_it_is_at_hand(network: Network) -> None:
    pictures = torch.rand(12, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    data = TensorDataset(pictures, torch.arange(12) % 3)
    assert Spectrum.measure(pictures) == Spectrum.measure([pictures])
    for wrong in (data, pictures[0], 7, list(batches(data))):
        with pytest.raises(InputError, match=r"batch\.pictures for batch in phosphene\.data\."):
            list(in_batches(wrong))
    near, same = (
        nearest_neighbours(pictures[0], real, 3)  # type: ignore[arg-type]
        for real in (data, batches(data))
    )
    assert torch.equal(near.images, same.images)
    assert near.images[0, 0] == 0
    assert misread(network, data, "0:5").span == misread(network, data, range(5)).span == range(5)
    with pytest.raises(SettingError, match="slice 'first' is not from:to, such as 0:200"):
        misread(network, data, "first")


def test_what_was_left_out_is_taken_as_usual_or_told(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (3, 4, 4)
    with pytest.raises(InputError, match=r"load_data\('digits', 1, \(28, 28\)\) for a grey"):
        load_data("digits")
    with pytest.raises(AtlasError, match=r"Atlas\.open\('nb\.atlas'\) reads it"):
        Atlas("nb.atlas")
