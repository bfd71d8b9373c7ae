"""Drawing a layer: sizes, honesty about what units answer, and units that stay silent."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from phosphene.canvas import Fourier, Maco, Pixels
from phosphene.errors import (
    ObjectiveError,
    SizeError,
    UnknownLayerError,
    UnknownUnitError,
)
from phosphene.maximize import Drawing, Optimizer, Recipe, batch_size, draw
from phosphene.maximize.drawing import ASLEEP
from phosphene.network import Input, Network
from phosphene.objectives import unit_maps
from phosphene.streams import Streams
from phosphene.transforms import Identity, RandomAffine, Transform
from phosphene.units import LOGITS, Unit

RECIPES = [
    Recipe(aim, canvas, steps=6, transform=transform)
    for aim in ("channel", "neuron")
    for canvas, transform in [
        (Maco(), RandomAffine()),
        (Fourier(), Identity()),
        (Pixels(spread=0.5), RandomAffine()),
    ]
]


def units(layer: str, *indices: int) -> list[Unit]:
    return [Unit(layer, i) for i in indices]


def answer(network: Network, drawing: Drawing, recipe: Recipe) -> float:
    """What the network itself says to the picture, padded to an input if it is a patch."""
    layer, index = drawing.unit.layer, drawing.unit.index
    picture = drawing.picture[None]
    if recipe.aim == "channel":
        return float(unit_maps(network.record(picture, [layer])[layer]).detach()[0, index].max())
    patch = network.patch(layer)
    top, left, bottom, right = patch.box
    whole = torch.rand(1, network.input.channels, *patch.size)
    whole[:, :, top:bottom, left:right] = picture
    values = network.record(whole, [layer])[layer].detach()
    return float(values[0, index, patch.y, patch.x] if values.ndim == 4 else values[0, index])


def test_one_unit_has_one_name_and_one_picture(network: Network) -> None:
    assert network.unit(f"{LOGITS}:1") == Unit("fc", 1)
    recipe = Recipe(canvas=Pixels(spread=0.5), steps=2)
    (by_role,), (by_name,) = (draw(network, [text], recipe) for text in (f"{LOGITS}:1", "fc:1"))
    assert by_role.unit == by_name.unit
    assert torch.equal(by_role.picture, by_name.picture)


@pytest.mark.parametrize("size", [(9, 14), (24, 20)], ids=str)
def test_a_channel_on_a_canvas_of_another_size(size: tuple[int, int], network: Network) -> None:
    recipe = Recipe(canvas=Pixels(spread=0.5), steps=4, size=size)
    for drawing in draw(network, units("conv2", 0, 3), recipe):
        assert drawing.picture.shape[1:] == size
        assert drawing.activation == pytest.approx(answer(network, drawing, recipe), abs=1e-5)
    assert recipe.to_json()["size"] == list(size)
    assert "size" not in Recipe().to_json()  # what atlases of before are known by


def test_a_silent_unit_is_woken_from_a_real_picture_of_another_size() -> None:
    module = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[0].bias.fill_(-0.9)
    network = Network(module, Input(1, (12, 12)))
    starts = torch.zeros(1, 1, 12, 12)
    starts[:, :, :6] = 1.0
    recipe = Recipe(canvas=Pixels(start="black"), steps=0, transform=Identity(), size=(6, 8))
    (drawing,) = draw(network, units("0", 0), recipe, starts=starts)
    assert drawing.picture.shape == (1, 6, 8)
    assert drawing.activation == pytest.approx(0.1, abs=0.01)
    assert "from the strongest real picture" in drawing.attempts[-1]


def test_sizes_that_cannot_be_are_refused(network: Network) -> None:
    with pytest.raises(ObjectiveError, match=r"\(8, 8\) for a neuron.*leave size out"):
        Recipe("neuron", size=(8, 8))
    with pytest.raises(ObjectiveError, match=r"\(0, 8\) pixels; height and width are at least 1"):
        Recipe(size=(0, 8))
    with pytest.raises(SizeError, match=r"9 x 9 were given"):
        draw(network, units("fc", 0), Recipe(steps=1, size=(9, 9)))


@pytest.mark.parametrize("recipe", RECIPES, ids=repr)
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_sizes_levels_and_activations(recipe: Recipe, layer: str, network: Network) -> None:
    field = network.fields[layer].size
    expected = network.input.size if recipe.aim == "channel" else field
    assert field == {"conv1": (3, 3), "conv2": (5, 5)}[layer]
    for drawing in draw(network, units(layer, 0, 3), recipe):
        assert drawing.picture.shape == (network.input.channels, *expected)
        levels = drawing.picture * 255
        torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
        assert 0 <= drawing.picture.min() <= drawing.picture.max() <= 1
        assert drawing.activation == pytest.approx(answer(network, drawing, recipe), abs=1e-5)
        assert drawing.silent == (drawing.activation <= 0)


def test_texts_name_units_too(network: Network) -> None:
    recipe = Recipe("neuron", steps=2)
    told, given = (draw(network, u, recipe) for u in (["conv2:3", "conv2:0"], units("conv2", 3, 0)))
    assert [d.unit for d in told] == units("conv2", 3, 0)
    assert all(torch.equal(a.picture, b.picture) for a, b in zip(told, given, strict=True))


def test_dense_units_get_whole_pictures(network: Network) -> None:
    for aim in ("channel", "neuron"):
        drawings = draw(network, units("fc", 0, 2), Recipe(aim, steps=4))
        assert [d.unit for d in drawings] == units("fc", 0, 2)
        assert all(d.picture.shape == network.input.shape for d in drawings)


@pytest.mark.parametrize("recipe", RECIPES, ids=repr)
@pytest.mark.slow
def test_a_unit_does_not_depend_on_the_others(
    recipe: Recipe, make_network: Callable[..., Network]
) -> None:
    network = make_network(3, (9, 14))
    together = draw(network, units("conv2", 3, 0, 1, 4), recipe, seed=5)
    for drawing in together:
        (alone,) = draw(network, [drawing.unit], recipe, seed=5)
        # One grey level, where rounding in the batch fell on the other side.
        torch.testing.assert_close(alone.picture, drawing.picture, atol=1.01 / 255, rtol=0)
        assert alone.activation == pytest.approx(drawing.activation, abs=0.05)
        assert alone.silent == drawing.silent
        assert len(alone.attempts) == len(drawing.attempts)


@pytest.mark.later
def test_repeatable_and_seeded(make_network: Callable[..., Network]) -> None:
    network, recipe = make_network(), Recipe(steps=5)
    torch.manual_seed(0)
    first = draw(network, units("conv2", 0, 4), recipe, seed=1)
    torch.manual_seed(1)
    again = draw(network, units("conv2", 0, 4), recipe, seed=1)
    other = draw(network, units("conv2", 0, 4), recipe, seed=2)
    for a, b, c in zip(first, again, other, strict=True):
        assert torch.equal(a.picture, b.picture)
        assert a.activation == b.activation
        assert not torch.equal(a.picture, c.picture)


def reached(drawing: Drawing) -> list[float]:
    """What each attempt reached, by the note on it."""
    told = [note.split("reached ")[1].removesuffix(f", {ASLEEP}") for note in drawing.attempts]
    return [float(value.replace("−", "-").replace(",", "")) for value in told]


NOISE, THROUGH = "from noise", "from noise, through closed rectifiers"
OTHER = "from other noise, through closed rectifiers"


class TestSilence:
    @pytest.mark.parametrize("recipe", RECIPES, ids=repr)
    @pytest.mark.parametrize("layer", ["conv2", "relu2"])
    @pytest.mark.slow
    def test_a_unit_that_cannot_fire_is_said_to_be_silent(
        self, recipe: Recipe, layer: str, network: Network
    ) -> None:
        before = {k: v.clone() for k, v in network.module.state_dict().items()}
        (drawing,) = draw(network, units(layer, 1), recipe)
        assert drawing.silent
        assert drawing.activation == (0 if layer == "relu2" else pytest.approx(-1000, abs=30))
        assert [note.split(": ")[0] for note in drawing.attempts] == [NOISE, THROUGH, OTHER]
        assert all(value <= 0 for value in reached(drawing))
        assert all(torch.equal(v, before[k]) for k, v in network.module.state_dict().items())

    def test_real_pictures_are_the_last_attempt(self, make_network: Callable[..., Network]) -> None:
        network = make_network()
        starts = torch.rand(2, *network.input.shape)
        lively, dead = draw(network, units("relu2", 0, 1), Recipe(steps=5), starts=starts)
        assert not lively.silent
        assert dead.silent
        assert len(lively.attempts) < 4
        assert len(dead.attempts) == 4
        assert dead.attempts[-1].startswith("from the strongest real picture: reached")

    def sleeper(self, bias: float) -> Network:
        """One unit of rectified contrast: closed wherever the picture is not strongly white."""
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 1, 3), nn.ReLU())
        for conv in (module[0], module[2]):
            conv.weight.data.fill_(1.0)
            conv.bias.data.fill_(0.0)
        module[2].bias.data.fill_(bias)
        return Network(module, Input(1, (8, 8)))

    @pytest.mark.later
    def test_a_unit_dead_on_black_is_woken_straight_through(self) -> None:
        network = self.sleeper(-10.0)
        recipe = Recipe(
            canvas=Pixels(start="black"),
            steps=30,
            optimizer=Optimizer(learning_rate=0.05),
            transform=Identity(),
        )
        (drawing,) = draw(network, [Unit("3", 0)], recipe)
        assert not drawing.silent
        # No gradient reached it before: the first attempt ended where it began.
        assert drawing.attempts[0] == f"{NOISE}: reached 0, {ASLEEP}"
        assert drawing.activation == pytest.approx(answer(network, drawing, recipe))
        assert drawing.activation > 50
        assert drawing.attempts[1:] == (f"{THROUGH}: reached {drawing.activation:.3g}",)

    def test_what_was_woken_follows_its_own_slope(self, tempting: Network) -> None:
        recipe = Recipe(
            canvas=Pixels(start="black"),
            steps=60,
            optimizer=Optimizer(learning_rate=0.05),
            transform=Identity(),
        )
        (drawing,) = draw(tempting, [Unit("4", 0)], recipe)
        assert drawing.attempts[0] == f"{NOISE}: reached 0, {ASLEEP}"
        assert drawing.activation == pytest.approx(1.1, abs=0.01)

    def test_the_last_attempt_looks_to_the_end(self) -> None:
        class Late(Transform):
            """Pictures as they are, and brighter from the twentieth look on."""

            kind = "late"

            def __init__(self) -> None:
                self.looks = 0

            def __call__(self, pictures: Tensor, streams: Streams) -> Tensor:
                self.looks += 1
                return pictures + 0.5 * (self.looks >= 20)

        recipe = Recipe(canvas=Pixels(start="black"), steps=60, transform=Late())
        network = self.sleeper(-10.0)
        (alone,) = draw(network, [Unit("3", 0)], recipe, attempts=1)
        assert not alone.silent
        assert alone.attempts[0].startswith(f"{NOISE}: reached")
        left, woken = draw(network, [Unit("3", 0)], replace(recipe, transform=Late()))[0].attempts
        assert left == f"{NOISE}: reached 0, {ASLEEP}"
        assert woken.startswith(THROUGH)

    def test_a_real_picture_wakes_what_noise_does_not(self) -> None:
        network = self.sleeper(-10.0)
        recipe = Recipe(canvas=Pixels(start="black"), steps=0, transform=Identity())
        white = torch.ones(1, 1, 8, 8)
        (drawing,) = draw(network, [Unit("3", 0)], recipe, starts=white)
        assert not drawing.silent
        assert torch.equal(drawing.picture, white[0])
        assert drawing.activation == pytest.approx(2 * 81 - 10)

    def test_the_strongest_attempt_is_kept(self) -> None:
        network, recipe = self.sleeper(-200.0), Recipe(canvas=Pixels(), steps=0)
        black = torch.zeros(1, 1, 8, 8)
        (drawing,) = draw(network, [Unit("2", 0)], recipe, starts=black)
        values = reached(drawing)
        assert values[-1] == -200 < max(values) < 0
        assert drawing.activation == pytest.approx(max(values), rel=5e-3)
        assert drawing.activation == pytest.approx(answer(network, drawing, recipe), rel=1e-5)


@pytest.mark.slow
def test_more_steps_excite_more(network: Network) -> None:
    few, many = (
        draw(
            network,
            units("conv2", 0, 2, 3, 4),
            Recipe("neuron", Pixels(), steps, transform=Identity()),
        )
        for steps in (0, 20)
    )
    assert all(b.activation > a.activation for a, b in zip(few, many, strict=True))


class TestRefusals:
    def test_no_units(self, network: Network) -> None:
        with pytest.raises(ObjectiveError, match="no units were given"):
            draw(network, [], Recipe())

    def test_units_that_are_not_there(self, network: Network) -> None:
        with pytest.raises(UnknownLayerError, match="conv2"):
            draw(network, [Unit("conv3", 0)], Recipe())
        with pytest.raises(UnknownUnitError, match="0 to 4; 5"):
            draw(network, [Unit("conv2", 5)], Recipe())


class TestBatchSize:
    def test_is_between_one_and_its_bound(self, network: Network) -> None:
        for layer in network.layers:
            for memory in (1, 10**4, 10**6, 2**30):
                assert 1 <= batch_size(network, layer, memory) <= 256
            assert batch_size(network, layer, 1) == 1
        assert batch_size(network, "conv1", 2**40) == 256

    def test_depends_on_shapes_and_memory_alone(self, make_network: Callable[..., Network]) -> None:
        one, other = make_network(), make_network()
        other.module.get_parameter("fc.bias").data.fill_(1.0)
        sizes = [batch_size(one, layer, 10**5) for layer in one.layers]
        assert sizes == [batch_size(other, layer, 10**5) for layer in other.layers]
        assert sizes == sorted(sizes, reverse=True), "deeper layers hold more before them"
        assert batch_size(one, "conv1", 12 * 10 * 4 * 144) == 10

    def test_logits_are_the_layer_they_stand_for(self, network: Network) -> None:
        assert batch_size(network, LOGITS, 10**5) == batch_size(network, "fc", 10**5)
        with pytest.raises(UnknownLayerError):
            batch_size(network, "conv9")


def test_recipes_are_json() -> None:
    json = Recipe("neuron", Pixels(), 7, Optimizer("SGD", 2.0), Identity()).to_json()
    assert json == {
        "aim": "neuron",
        "canvas": Pixels().to_json(),
        "steps": 7,
        "optimizer": {"name": "SGD", "learning_rate": 2.0},
        "transform": {"transform": "identity"},
    }
    assert len({str(r.to_json()) for r in RECIPES}) == len(RECIPES)


@pytest.mark.parametrize("allowed", [1, 2])
def test_no_more_attempts_are_made_than_were_allowed(
    make_network: Callable[..., Network], allowed: int
) -> None:
    drawings = draw(make_network(), units("relu2", 0, 1), steps=2, attempts=allowed)
    assert max(len(drawing.attempts) for drawing in drawings) == allowed
