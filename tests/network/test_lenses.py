"""A layer derived from a layer is a layer: recorded, replaced, drawn, mapped and surveyed."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.attribution import captum, gradient, guided
from phosphene.data import ArrayDataset, batches
from phosphene.errors import SettingError, UnknownLayerError, UnknownUnitError
from phosphene.maximize import Recipe, draw
from phosphene.network import Input, Lens, Network, load_network, remembered, replace
from phosphene.objectives import Channel, Direction, Logit
from phosphene.probes import ablate
from phosphene.survey import Survey
from phosphene.units import Unit


def directions(count: int, units: int, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    found = torch.randn(count, units, generator=generator)
    return found / found.norm(dim=1, keepdim=True)


def seen_through(name: str, layer: str, count: int = 3) -> Network:
    bare = tiny.network(name)
    return bare.with_lens("some", layer, directions(count, bare.layers[layer].units))


@pytest.mark.parametrize("name", tiny.NETWORKS)
def test_every_layer_is_recorded_as_the_matrix_product(name: str) -> None:
    bare = tiny.network(name)
    pictures = tiny.pictures(bare)
    for layer in bare.layers.values():
        some = directions(2, layer.units)
        through = bare.with_lens("some", layer.name, some)
        derived = through.layers[f"{layer.name}[some]"]
        seen = through.record(pictures, [layer.name, derived.name])
        values = seen[layer.name]
        sequence = values.ndim == 3
        expected = torch.einsum("kc,btc->btk" if sequence else "kc,bc...->bk...", some, values)
        torch.testing.assert_close(seen[derived.name], expected)
        assert tuple(expected.shape[1:]) == derived.shape
        assert derived.units == 2
        alone = through.record(pictures, [derived.name])[derived.name]
        torch.testing.assert_close(alone, expected)


def test_looking_through_a_lens_changes_nothing() -> None:
    bare = tiny.network("residual")
    pictures = tiny.pictures(bare)
    through = seen_through("residual", "relu@0")
    expected = bare.class_scores(pictures)
    seen = through.record(pictures, ["relu@0[some]", "fc"])
    assert torch.equal(seen["fc"], expected)
    names = list(through.layers)
    assert names.index("relu@0[some]") == names.index("relu@0") + 1
    assert [n for n in names if n != "relu@0[some]"] == list(bare.layers)


def test_a_lens_on_a_lens_is_the_product_of_both() -> None:
    first = seen_through("rectified", "conv2")
    second = first.with_lens("one", "conv2[some]", torch.tensor([[1.0, -1.0, 2.0]]))
    pictures = tiny.pictures(first)
    seen = second.record(pictures, ["conv2[some]", "conv2[some][one]"])
    a, b, c = seen["conv2[some]"].unbind(1)
    torch.testing.assert_close(seen["conv2[some][one]"][:, 0], a - b + 2 * c)
    assert [lens.address for lens in second.lenses] == ["conv2[some]", "conv2[some][one]"]


def test_gradients_at_a_lens_are_along_its_directions() -> None:
    through = seen_through("rectified", "conv2")
    pictures = tiny.pictures(through)
    some = directions(3, 6)
    plain = gradient(through, pictures, Logit(1), at="conv2")
    expected = torch.einsum("ck,bchw->bkhw", torch.linalg.pinv(some), plain)
    found = gradient(through, pictures, Logit(1), at="conv2[some]")
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("name", "layer"), [("rectified", "conv2"), ("tokens", "block")])
def test_replacing_takes_a_direction_out_and_leaves_what_is_across_it(
    name: str, layer: str
) -> None:
    through = seen_through(name, layer, count=2)
    pictures = tiny.pictures(through)
    derived = through.layers[f"{layer}[some]"]
    before = through.record(pictures, [layer])[layer]
    with replace(through.module, derived, torch.zeros_like):
        after = through.record(pictures, [layer, derived.name])
    assert after[derived.name].abs().max() < 1e-5
    across = torch.linalg.svd(directions(2, through.layers[layer].units)).Vh[2:]
    parts = [torch.einsum("kc,bc...->bk...", across, values) for values in (before, after[layer])]
    torch.testing.assert_close(*parts, rtol=1e-4, atol=1e-5)


def test_units_have_an_address() -> None:
    through = seen_through("rectified", "conv2")
    assert through.unit("conv2[some]:2") == Unit("conv2[some]", 2)
    assert str(through.unit("conv2[some]:1@0,1")) == "conv2[some]:1@0,1"
    with pytest.raises(UnknownUnitError, match="units 0 to 2"):
        through.unit("conv2[some]:3")
    with pytest.raises(UnknownLayerError, match=r"nearest: conv2\[some\]"):
        through.unit("conv2[somme]:3")


@pytest.mark.later
def test_fields_of_view_are_those_of_the_layer() -> None:
    through = seen_through("rectified", "conv2")
    assert through.fields["conv2[some]"] == through.fields["conv2"]
    assert through.window("conv2[some]") == through.window("conv2")


def test_maps_are_those_of_the_direction() -> None:
    through = seen_through("rectified", "conv2")
    pictures = tiny.pictures(through)
    for unit, vector in enumerate(directions(3, 6)):
        expected = guided(through, pictures, Direction("conv2", tuple(vector.tolist())))
        found = guided(through, pictures, Channel("conv2[some]", unit))
        torch.testing.assert_close(found, expected)


@pytest.mark.later
@pytest.mark.parametrize("aim", ["channel", "neuron"])
def test_a_drawing_raises_its_value(aim: str) -> None:
    through = seen_through("rectified", "conv2")
    drawings = draw(through, [Unit("conv2[some]", k) for k in range(3)], Recipe(aim, steps=24))
    grey = through.record(torch.full((1, 2, 10, 8), 0.5), ["conv2[some]"])["conv2[some]"][0]
    for unit, drawing in enumerate(drawings):
        assert drawing.activation > float(grey[unit].mean()) + 0.02


def test_a_survey_finds_its_strongest_pictures() -> None:
    through = seen_through("rectified", "conv2")
    bytes_ = (tiny.pictures(through, 9) * 255).round().to(torch.uint8)
    data = ArrayDataset(bytes_, name="noise")
    pictures = torch.stack([data[i].picture for i in range(9)])
    survey = Survey(through, ["conv2[some]"], classes=0, k=2).over(data, batch=4)
    values = through.record(pictures, ["conv2[some]"])["conv2[some]"]
    expected = values.amax((2, 3)).topk(2, dim=0)
    top = survey.layers["conv2[some]"].top
    torch.testing.assert_close(top.values, expected.values.T)
    assert torch.equal(top.images, expected.indices.T)


def test_units_are_switched_off_as_any_layers() -> None:
    through = seen_through("functional", "conv2")
    bytes_ = (tiny.pictures(through, 60) * 255).round().to(torch.uint8)
    data = ArrayDataset(bytes_, torch.arange(60) % 7, name="noise", classes="abcdefg")
    found = ablate(through, "conv2[some]", batches(data, 60), fill=9.0)
    for unit, right in enumerate(found.right_without.tolist()):
        here = torch.arange(3).view(3, 1, 1) == unit
        derived = through.layers["conv2[some]"]
        with replace(through.module, derived, lambda v, here=here: v.masked_fill(here, 9)):
            answers = through.class_scores(torch.stack([item.picture for item in data])).argmax(1)
        assert right == int((answers == torch.arange(60) % 7).sum())
    assert len({found.right, *found.right_without.tolist()}) > 1


def test_json_brings_a_lens_back() -> None:
    lens = Lens.along("pca", "conv2", directions(3, 6))
    assert Lens.from_json(json.loads(json.dumps(lens.to_json()))) == lens
    bare = tiny.network("rectified")
    told = json.loads(json.dumps(bare.with_lens("pca", "conv2", directions(3, 6)).to_json()))
    assert [Lens.from_json(one) for one in told["lenses"]] == [lens]
    assert "lenses" not in bare.to_json()


def test_the_fingerprint_knows_the_lens() -> None:
    bare = tiny.network("rectified")
    before = bare.fingerprint
    prints = {
        bare.with_lens(name, layer, directions(3, units, seed)).fingerprint
        for name, layer, units, seed in (
            ("a", "conv2", 6, 0), ("b", "conv2", 6, 0), ("a", "conv1", 5, 0), ("a", "conv2", 6, 1)
        )
    }  # fmt: skip
    assert len(prints | {before}) == 5
    assert bare.fingerprint == before == tiny.network("rectified").fingerprint


def test_what_batch_normalisations_remember_is_of_their_own_units() -> None:
    through = seen_through("residual", "bn2", count=6)
    found, expected = remembered(through), remembered(tiny.network("residual"))
    assert set(found) == set(expected)


def test_a_factory_may_give_its_network_a_lens(tmp_path: Path) -> None:
    factory = tmp_path / "sums.py"
    factory.write_text(
        "import torch\nfrom phosphene.network import Input, Network\n"
        "def make():\n"
        "    network = Network(torch.nn.Conv2d(1, 2, 3), Input(1, (6, 6)))\n"
        "    return network.with_lens('sum', 'output', torch.ones(1, 2))\n"
    )
    assert "output[sum]" in load_network(f"{factory}:make").layers


class TestRefusals:
    def test_lenses_of_layers_that_are_not_there(self) -> None:
        bare = tiny.network("rectified")
        lens = Lens.along("pca", "conv3", torch.eye(6))
        through = Network(bare.module, bare.input, lenses=[lens])
        with pytest.raises(UnknownLayerError, match="no layer 'conv3' for lens 'pca'; nearest"):
            through.record(tiny.pictures(bare), ["conv2"])

    def test_unknown_layers(self) -> None:
        with pytest.raises(UnknownLayerError, match="nearest: conv"):
            tiny.network("rectified").with_lens("pca", "conv3", torch.eye(6))

    def test_directions_of_another_space(self) -> None:
        with pytest.raises(SettingError, match=r"of 5 numbers.*'conv2'.*6 units"):
            tiny.network("rectified").with_lens("pca", "conv2", torch.eye(5))

    def test_a_second_lens_of_the_name(self) -> None:
        with pytest.raises(SettingError, match=r"'conv2\[some\]' already"):
            seen_through("rectified", "conv2").with_lens("some", "conv2", torch.eye(6))

    @pytest.mark.parametrize("name", ["", "a]", "a:1"])
    def test_names_that_cannot_be_addressed(self, name: str) -> None:
        with pytest.raises(SettingError, match="names no lens"):
            Lens.along(name, "conv2", torch.eye(2))

    @pytest.mark.parametrize("value", [0.0, float("nan")])
    def test_directions_that_point_nowhere(self, value: float) -> None:
        with pytest.raises(SettingError, match="all zeros or not finite"):
            Lens.along("pca", "conv2", torch.tensor([[1.0, 0.0], [value, 0.0]]))

    def test_captum_cannot_look_through_it(self) -> None:
        through = seen_through("rectified", "conv2")
        with pytest.raises(SettingError, match="choose a layer that gives back maps"):
            captum(through, tiny.pictures(through), Logit(0), "LayerGradCam", layer="conv2[some]")


def test_a_network_that_says_what_its_output_means_keeps_its_lenses() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 2))
    through = Network(module, Input(1, (6, 6))).with_lens("sum", "0", torch.ones(1, 2))
    assert "0[sum]" in through.read_as("sigmoid").layers
