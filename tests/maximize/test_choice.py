"""What a recipe leaves open is chosen from the field and the data, and the drawing tells it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from phosphene.canvas import Bounded, Chosen, Description, Fourier, Maco, Spectrum
from phosphene.errors import ChannelError, DataError, InputError
from phosphene.maximize import Optimizer, Recipe, Usual, chosen, draw, strongest_patches
from phosphene.maximize.choice import SMALL, sees_less_than_half
from phosphene.maximize.recipe import WIDE, Aim
from phosphene.maximize.usual import MEASURED, REMEMBERED
from phosphene.network import Input, Network
from phosphene.objectives import Channel, Energy, Neuron, Unfamiliar, Unusual
from phosphene.transforms import Identity
from phosphene.units import Unit

Pictures = Callable[[], torch.Tensor]


@pytest.fixture(scope="module")
def network() -> Network:
    """Fields of 3, 7, 23 and all of 32 pixels."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.Conv2d(4, 4, 5),
        nn.ReLU(),
        nn.Conv2d(4, 4, 17),
        nn.Flatten(),
        nn.Linear(4 * 10 * 10, 3),
    )
    module[6].bias.data += 2  # no class is silent
    return Network(module, Input(1, (32, 32)))


def strokes(count: int = 64) -> torch.Tensor:
    """A bar in the middle, a little different each time: the mean picture says where it is."""
    torch.manual_seed(1)
    pictures = 0.1 * torch.rand(count, 1, 32, 32)
    pictures[:, :, 8:24, 14:18] += 0.9 * (torch.rand(count, 1, 16, 4) > 0.2)
    return pictures.clamp(0, 1)


def anywhere(count: int = 64) -> torch.Tensor:
    """The same bars, each somewhere else."""
    torch.manual_seed(2)
    rolls = torch.randint(32, (count, 2)).tolist()
    return torch.stack([one.roll(r, (1, 2)) for one, r in zip(strokes(count), rolls, strict=True)])


def test_the_share_of_the_mean_picture() -> None:
    centred, loose = (Spectrum.measure([pictures()]).centred for pictures in (strokes, anywhere))
    assert centred > 0.3
    assert loose < 0.05
    assert Spectrum.natural(3, (16, 16)).centred == 0
    # Of plain pixels it is what an analysis of variance says.
    torch.manual_seed(3)
    level = torch.randn(1, 8, 8)
    level -= level.mean()
    magnitude = torch.ones(1, 8, 8)  # white noise of variance one
    spectrum = Spectrum(magnitude, level, Spectrum.natural(1, (8, 8)).basis)
    expected = float(level.square().mean() / (level.square().mean() + 1))
    assert spectrum.centred == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("layer", "aim", "pictures", "made"),
    [
        ("6", "channel", strokes, (Bounded(), WIDE, Channel)),
        ("6", "channel", anywhere, (Fourier(), WIDE, Channel)),
        ("0", "channel", strokes, (Fourier(learning_rate=0.1575), SMALL, Energy)),
        ("2", "channel", anywhere, (Fourier(learning_rate=0.1575), SMALL, Energy)),
        ("0", "neuron", strokes, (Fourier(), Identity(), Neuron)),
        ("4", "channel", strokes, (Bounded(), WIDE, Channel)),
        ("4", "neuron", anywhere, (Fourier(), SMALL, Neuron)),
    ],
)
def test_the_choice(
    network: Network, layer: str, aim: Aim, pictures: Pictures, made: tuple[object, object, type]
) -> None:
    canvas, moves, objective = made
    spectrum = Spectrum.measure([pictures()])
    assert sees_less_than_half(network, network.layer(layer)) == (layer in {"0", "2"})
    (drawing,) = draw(network, [f"{layer}:1"], Recipe(aim, steps=2), spectrum=spectrum)
    assert drawing.recipe is not None
    assert (drawing.recipe.canvas, drawing.recipe.transform) == (canvas, moves)
    if not drawing.silent and len(drawing.attempts) == 1:
        assert isinstance(drawing.objective, objective)
        assert drawing.objective.batch is None  # one unit's, not the batch's


@pytest.mark.parametrize(
    ("layer", "recipe", "steps"),
    [
        ("0", Recipe(), 96),
        ("2", Recipe(steps=3), 2),
        ("2", Recipe(steps=0), 0),
        ("4", Recipe(), 256),
        ("6", Recipe(), 256),
        ("0", Recipe("neuron"), 256),
        ("0", Recipe(canvas=Fourier()), 256),
        ("0", Recipe(optimizer=Optimizer(learning_rate=0.045)), 256),
        ("0", Recipe(optimizer=Optimizer("SGD")), 256),
    ],
)
def test_an_early_channel_is_drawn_in_fewer_and_longer_steps_unless_they_are_said(
    network: Network, layer: str, recipe: Recipe, steps: int
) -> None:
    made = chosen(network, layer, recipe, None, Usual({})).recipe
    assert made.steps == steps <= recipe.steps
    longer = made.canvas.learning_rate > Fourier().learning_rate
    assert longer == (steps < recipe.steps or recipe.steps == 0)
    assert Recipe.from_json(made.to_json()) == made


def test_what_is_said_is_kept_and_choosing_again_changes_nothing(network: Network) -> None:
    spectrum = Spectrum.measure([strokes()])
    said = Recipe("channel", Maco(), steps=3, transform=Identity(), unusual=0.0)
    assert chosen(network, "0", said, spectrum).recipe == said
    once = chosen(network, "6", Recipe(), spectrum).recipe
    assert chosen(network, "6", once, spectrum).recipe == once != Recipe()
    assert once.to_json()["canvas"]["canvas"] == "bounded"
    assert Recipe().to_json()["canvas"] == {"canvas": "chosen", "start": "noise", "spread": 0.1}
    assert Description.from_json(Recipe().to_json()["canvas"]) == Chosen()


def test_a_window_that_may_lie_anywhere_has_no_mean_picture(network: Network) -> None:
    spectrum = Spectrum.measure([strokes()])
    early, whole = (chosen(network, layer, Recipe(), spectrum).spectrum for layer in ("0", "6"))
    assert early.level.std() < 1e-6
    assert early.size == network.window("0")
    assert whole == spectrum
    variance = [
        float(s.magnitude.square().mean() + s.level.var(correction=0)) for s in (early, whole)
    ]
    assert variance[0] == pytest.approx(variance[1], rel=1e-4)
    for layer in ("0", "6"):
        with pytest.raises(ChannelError, match="a spectrum of 3 channels"):
            chosen(network, layer, Recipe(), Spectrum.natural(3, (32, 32)))


def test_a_chosen_canvas_leaves_the_rate_to_what_is_chosen() -> None:
    with pytest.raises(InputError, match="yet to be chosen"):
        Chosen(learning_rate=0.1)


@pytest.mark.later
def test_a_channel_that_fires_nowhere_at_first_is_woken_and_drawn_as_others_are() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 900, 2))
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[0].bias.fill_(-6.0)  # grey gives 4.5
    network = Network(module, Input(1, (32, 32)))
    (drawing,) = draw(network, ["0:1"], Recipe(steps=60))
    assert not drawing.silent
    assert drawing.activation > 1
    assert drawing.objective == Energy("0", 1)
    assert drawing.attempts[0].startswith("from noise: reached −")
    assert drawing.attempts[0].endswith(", no slope to follow")


@pytest.mark.later
def test_no_patch_is_stronger_than_the_one_in_closed_form(network: Network) -> None:
    best = strongest_patches(network, "0")
    assert best is not None
    values = torch.rand(4000, 1, 3, 3).round()
    with torch.no_grad():
        answers = network.module[0](values).flatten(1).amax(0)
    for unit, found in enumerate(best):
        assert found.activation >= answers[unit] - 1e-5
        with torch.no_grad():
            own = network.module[0](found.picture[None])[0, unit]
        assert found.activation == pytest.approx(float(own), abs=1e-5)
    drawings = draw(network, [f"0:{i}" for i in range(4)], Recipe("neuron", steps=80))
    for drawing, found in zip(drawings, best, strict=True):
        assert drawing.activation <= found.activation + 1e-5
    assert strongest_patches(network, "2") is None
    assert strongest_patches(network, "6") is None


def test_what_is_usual_is_what_numpy_says(network: Network) -> None:
    pictures = anywhere(20)
    usual = Usual.measure(network, pictures.split(7))
    assert Usual.from_json(usual.to_json()) == usual
    with torch.no_grad():
        means = network.record(pictures, ["2"])["2"].double().mean((2, 3)).numpy()
    mean, deviation = (part.tensor.numpy() for part in usual.moments["2"])
    assert mean == pytest.approx(means.mean(0), rel=1e-4, abs=1e-5)
    least = 0.1 * np.median(means.std(0, ddof=1))
    assert deviation == pytest.approx(means.std(0, ddof=1).clip(least), rel=1e-3)
    assert usual.below(network, "6") == ("0", "2", "4")
    assert usual.below(network, "0") == ()
    with pytest.raises(DataError, match="1 pictures"):
        Usual.measure(network, [pictures[:1]])


@pytest.mark.slow
def test_layers_below_are_held_near_what_real_pictures_make_of_them(network: Network) -> None:
    pictures = anywhere()
    spectrum, usual = Spectrum.measure([pictures]), Usual.measure(network, [pictures])
    (free,) = draw(network, ["6:1"], Recipe(steps=60), spectrum=spectrum)
    firmly = Recipe(steps=60, unusual=0.3)
    (held,) = draw(network, ["6:1"], firmly, spectrum=spectrum, usual=usual)
    assert free.recipe is not None
    assert free.recipe.unusual == 0
    assert chosen(network, "6", Recipe(), spectrum, usual).recipe.unusual == MEASURED.weight
    assert held.objective == free.objective == Channel("6", 1)
    far = []
    for drawing in (free, held):
        recording = network.record(drawing.picture[None], usual.below(network, "6"))
        terms = [Unusual(name, *usual.moments[name]) for name in usual.below(network, "6")]
        far.append(sum(float(term(recording)) for term in terms))
    assert far[1] < 0.7 * far[0]
    (alone, _) = draw(network, ["6:1", "6:2"], firmly, spectrum=spectrum, usual=usual)
    torch.testing.assert_close(alone.picture, held.picture, atol=2 / 255, rtol=0)
    centred = Spectrum.measure([strokes()])
    assert chosen(network, "6", Recipe(), centred, usual).recipe.unusual == 0
    assert chosen(network, "0", Recipe(), spectrum, usual).recipe.unusual == 0


@pytest.mark.later
def test_centred_data_is_drawn_as_by_the_bounded_canvas(network: Network) -> None:
    pictures = strokes()
    spectrum, usual = Spectrum.measure([pictures]), Usual.measure(network, [pictures])
    said = Recipe(canvas=Bounded(), steps=8, transform=WIDE)
    by_choice = draw(network, ["6:0"], Recipe(steps=8), spectrum=spectrum, usual=usual)
    by_name = draw(network, ["6:0"], said, spectrum=spectrum)
    assert torch.equal(by_choice[0].picture, by_name[0].picture)


def test_pictures_to_which_a_layer_answers_no_number_are_not_what_is_usual() -> None:
    class Standardised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.conv(x / x.std((1, 2, 3), keepdim=True)).mean((2, 3)))

    torch.manual_seed(0)
    network = Network(Standardised(), Input(1, (8, 8)))
    pictures = torch.rand(6, 1, 8, 8)
    expected = Usual.measure(network, [pictures[1:]])
    pictures[0] = 0.5
    assert Usual.measure(network, [pictures[:3], pictures[3:]]) == expected
    with pytest.raises(DataError, match="1 pictures tell nothing"):
        Usual.measure(network, [pictures[:2]])


def test_what_is_not_known_cannot_be_held(network: Network) -> None:
    for usual in (None, Usual({})):
        with pytest.raises(InputError, match=r"near what real pictures make of them, and that is"):
            draw(network, [Unit("6", 0)], Recipe(steps=1, unusual=3.0), usual=usual)


@pytest.fixture(scope="module")
def normalised() -> Network:
    """Its normalisations saw the bars that lie anywhere."""
    torch.manual_seed(0)
    module = nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6, momentum=None), nn.ReLU()),
        *(nn.Conv2d(6, 6, 5, 2), nn.BatchNorm2d(6, momentum=None), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(6 * 12 * 12, 3)),
    )
    module(anywhere(256))
    return Network(module, Input(1, (32, 32)))


@pytest.mark.slow
def test_without_pictures_layers_are_held_near_what_is_remembered(normalised: Network) -> None:
    usual = Usual.remembered(normalised)
    assert Usual.from_json(usual.to_json()) == usual
    assert list(usual.memory) == ["1", "4"]
    assert usual.below(normalised, "7") == ("1", "4")
    scale = usual.moments["7"][1].tensor
    assert (scale == scale[0]).all()
    free, held = (
        draw(normalised, ["7:1"], Recipe(steps=200, unusual=unusual))[0] for unusual in (0, 1.0)
    )
    assert chosen(normalised, "7", Recipe(), None).recipe.unusual == REMEMBERED.weight
    far = []
    for drawing in (free, held):
        recording = normalised.record(drawing.picture[None], ["1", "4"])
        terms = [Unfamiliar(name, *usual.memory[name]) for name in ("1", "4")]
        far.append(sum(float(term(recording)) for term in terms))
    assert far[1] < 0.7 * far[0]
    measured = Usual.measure(normalised, [anywhere()])
    assert chosen(normalised, "7", Recipe(), None, measured).recipe.unusual == MEASURED.weight
    assert chosen(normalised, "7", Recipe(), None, Usual({})).recipe.unusual == 0


def test_nothing_is_remembered_by_what_was_never_normalised(network: Network) -> None:
    assert Usual.remembered(network) == Usual({})
    assert chosen(network, "6", Recipe(), None).recipe.unusual == 0
