"""Recipes on the loop: each reaches what it promises, says so truthfully, and leaves no trace."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from laws import unchanged
from phosphene.errors import InputError, ObjectiveError, SizeError, UnknownLayerError
from phosphene.evaluation import confirm
from phosphene.maximize import Recipe
from phosphene.network import Input, Network
from phosphene.objectives import Channel, Direction, Logit, Norm
from phosphene.probes import (
    by_layer,
    caricature,
    class_models,
    direction,
    dream,
    facets,
    interpolate,
    invert,
    picture,
)
from phosphene.probes.caricatures import CARICATURE
from phosphene.probes.classes import BLANK
from phosphene.probes.dreaming import DREAM
from phosphene.probes.inversion import INVERT
from phosphene.results import Result
from phosphene.transforms import Identity

FEW = Recipe(steps=6)


def photograph(network: Network, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(network.input.shape, generator=generator)


RECIPES: dict[str, Callable[[Network], Result]] = {
    "class_models": lambda n: class_models(n, [0, 2], replace(BLANK, steps=4)),
    "dream": lambda n: dream(n, photograph(n), "conv2", recipe=replace(DREAM, steps=4)),
    "invert": lambda n: invert(n, photograph(n), ["conv1", "fc"], replace(INVERT, steps=4)),
    "caricature": lambda n: caricature(n, photograph(n), ["conv2"], replace(CARICATURE, steps=4)),
    "picture": lambda n: picture(n, [Channel("conv2", 0) - Channel("conv2", 3)], FEW),
    "interpolate": lambda n: interpolate(n, "conv2:0", "conv2:3", count=3, recipe=FEW),
    "facets": lambda n: facets(n, "conv2:0", "conv1", count=2, recipe=FEW),
}

everything = pytest.mark.parametrize("name", RECIPES)


@everything
def test_the_network_is_left_as_it_was(name: str, network: Network) -> None:
    with unchanged(network.module, torch.rand(2, *network.input.shape)):
        RECIPES[name](network)


@everything
def test_an_answer_says_itself_and_comes_again(name: str, network: Network) -> None:
    first, again = RECIPES[name](network), RECIPES[name](network)
    assert network.name in first.summary
    assert repr(first) == f"<{type(first).__name__}: {first.summary}>"
    assert json.loads(json.dumps(first.to_json())) == again.to_json()
    for field, value in vars(first).items():
        if isinstance(value, Tensor):
            assert torch.equal(value, vars(again)[field])


@everything
def test_pictures_have_the_levels_of_a_screen(name: str, network: Network) -> None:
    answer = vars(RECIPES[name](network))
    made: Tensor = answer.get("pictures", answer.get("picture"))
    assert made.shape[-3:] == network.input.shape
    assert 0 <= made.min() < made.max() <= 1
    torch.testing.assert_close(made * 255, (made * 255).round(), atol=1e-4, rtol=0)


class TestClassPictures:
    @pytest.mark.slow
    def test_each_is_what_the_network_likes_better_than_blank(self, network: Network) -> None:
        made = class_models(network, decay=0.0)
        blank = torch.tensor(network.input.zero).view(1, -1, 1, 1)
        before = network.class_scores(blank.expand(1, *network.input.shape))[0]
        assert made.targets == (0, 1, 2)
        assert (network.class_scores(made.pictures).diagonal() > before).all()

    @pytest.mark.slow
    def test_decay_holds_pictures_back(self, network: Network) -> None:
        zero = float(torch.tensor(network.input.zero).mean())
        loose, tight = (
            float((class_models(network, [1], decay=decay).pictures - zero).abs().mean())
            for decay in (0.0, 1000.0)
        )
        assert tight < 0.5 * loose

    @pytest.mark.slow
    def test_a_class_that_blank_keeps_closed_is_drawn_too(self) -> None:
        module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        module[0].weight.data.copy_(torch.arange(27.0).view(3, 1, 3, 3) / 27)  # type: ignore
        module[0].bias.data.copy_(torch.tensor([0.1, -0.1, 0.1]))  # type: ignore
        network = Network(module, Input(1, (8, 8)))
        made = class_models(network, [1], decay=0.0)
        assert float(network.class_scores(made.pictures)[0, 1]) > 0

    @pytest.mark.slow
    def test_a_class_that_was_opened_follows_its_own_slope(self, tempting: Network) -> None:
        made = class_models(tempting, [0], decay=0.0)
        assert 0.8 < float(tempting.class_scores(made.pictures)[0, 0]) <= 1.1

    def test_classes_by_name_and_what_is_none(self, network: Network) -> None:
        named = Network(network.module, network.input, labels=("cat", "dog", "cow"))
        assert class_models(named, ["cow", 0], FEW).names == ("cow", "cat")
        assert class_models(named, "dog", FEW).names == ("dog",)
        for targets, words in (
            (["cats"], r"no class 'cats'; nearest: cat"),
            ([3], r"classes 0 to 2; 3 was asked for"),
            ([], r"no classes were given"),
        ):
            with pytest.raises(ObjectiveError, match=words):
                class_models(named, targets, FEW)


class TestConfirm:
    def test_ranks_and_probabilities(self, network: Network) -> None:
        pictures = torch.stack([photograph(network, seed) for seed in range(3)])
        scores = network.class_scores(pictures)
        found = confirm(network, pictures, [0, 1, 2], copies=2)
        for i, row in enumerate(scores.tolist()):
            assert int(found.ranks[i]) == 1 + sorted(row, reverse=True).index(row[i])
        chances = scores.softmax(1).diagonal()
        torch.testing.assert_close(found.probabilities, chances)

    def test_copies_that_do_not_move_agree_with_the_picture(self, network: Network) -> None:
        some = photograph(network)[None]
        best = int(network.class_scores(some).argmax())
        for target in range(3):
            found = confirm(network, some, [target], copies=3, transform=Identity())
            assert float(found.robust) == float(target == best)

    def test_refuses_other_numbers(self, network: Network) -> None:
        with pytest.raises(InputError, match=r"2 classes for 1 pictures"):
            confirm(network, photograph(network)[None], [0, 1])


class TestDream:
    @pytest.mark.parametrize("units", [None, [0, 3]])
    def test_the_units_are_raised(self, units: list[int] | None, network: Network) -> None:
        made = dream(network, photograph(network), "conv1", units=units)
        assert made.objective == Norm("conv1", None if units is None else (0, 3))
        assert made.scores[1] > 1.2 * made.scores[0]

    @pytest.mark.later
    def test_any_objective_and_any_size(self) -> None:
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        network = Network(module, Input(3, (16, 16)))
        made = dream(network, torch.rand(3, 90, 130), Channel("0", 1), octaves=3, scale=1.5)
        assert made.octaves == ((40, 58), (60, 87), (90, 130))
        assert made.picture.shape == (3, 90, 130)
        assert made.scores[1] > made.scores[0]

    def test_without_steps_the_photograph_comes_back(self) -> None:
        network = Network(nn.Sequential(nn.Conv2d(3, 4, 3)), Input(3, (16, 16)))
        whole = torch.rand(3, 80, 70)
        made = dream(network, whole, "0", recipe=replace(DREAM, steps=0))
        torch.testing.assert_close(made.picture, whole, atol=0.51 / 255, rtol=0)

    def test_refuses_what_does_not_fit(self, network: Network) -> None:
        with pytest.raises(UnknownLayerError, match="nearest: conv"):
            dream(network, photograph(network), "conv3")
        with pytest.raises(InputError, match="0 octaves"):
            dream(network, photograph(network), "conv2", octaves=0)
        with pytest.raises(SizeError, match="Resize"):
            dream(network, torch.rand(network.input.channels, 33, 47), "fc")


class TestInversion:
    @pytest.mark.slow
    def test_a_layer_that_keeps_everything_gives_the_picture_back(self) -> None:
        module = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU())
        module[0].weight.data.fill_(1.0)  # type: ignore[union-attr]
        network = Network(module, Input(1, (16, 16)))
        original = torch.linspace(0.2, 0.8, 256).view(1, 16, 16)
        made = invert(network, original, ["0"], variation=0.0)
        assert made.errors[0] < 0.03
        assert float((made.pictures[0] - original).abs().max()) < 0.08

    @pytest.mark.later
    def test_the_error_is_that_of_the_picture_shown(self, network: Network) -> None:
        original = photograph(network)
        made = invert(network, original, ["conv1", "fc"], replace(INVERT, steps=30))
        for layer, found, error in zip(made.layers, made.pictures, made.errors, strict=True):
            target, values = network.record(torch.stack([original, found]), [layer])[layer]
            assert error == pytest.approx(float((values - target).norm() / target.norm()), rel=1e-4)
        start = invert(network, original, ["conv1", "fc"], replace(INVERT, steps=0))
        assert all(a < b for a, b in zip(made.errors, start.errors, strict=True))

    def test_takes_one_layer_by_itself_and_refuses_none(self, network: Network) -> None:
        brief = replace(INVERT, steps=1)
        assert invert(network, photograph(network), "conv1", brief).layers == ("conv1",)
        with pytest.raises(InputError, match="no layers were given"):
            invert(network, photograph(network), [])


@pytest.mark.slow
def test_a_caricature_goes_the_same_way_and_further(network: Network) -> None:
    original = photograph(network)
    made = caricature(network, original, ["conv1", "conv2"])
    assert min(made.cosines) > 0.5
    start = caricature(network, original, ["conv1", "conv2"], replace(CARICATURE, steps=0))
    for i in range(2):
        assert made.lengths[i] * made.cosines[i] > start.lengths[i] * start.cosines[i]


def test_the_figures_of_a_caricature_are_those_of_the_picture_shown(network: Network) -> None:
    original = photograph(network)
    made = caricature(network, original, ["conv2", "conv1"], replace(CARICATURE, steps=2))
    for layer, shown, cosine, length in zip(
        made.layers, made.pictures, made.cosines, made.lengths, strict=True
    ):
        target, values = network.record(torch.stack([original, shown]), [layer])[layer].flatten(1)
        assert length == pytest.approx(float(values.norm() / target.norm()), rel=1e-4)
        along = float(values @ target / values.norm() / target.norm())
        assert cosine == pytest.approx(along, rel=1e-4)


@pytest.mark.parametrize("ask", [invert, caricature])
def test_a_layer_that_says_nothing_is_refused_before_any_picture_is_drawn(
    ask: Callable[..., Result],
    make_network: Callable[..., Network],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = make_network(1, (12, 12))
    network.module.conv2.weight.data.zero_()
    network.module.conv2.bias.data.zero_()
    monkeypatch.setattr(by_layer, "paint", lambda *_, **__: pytest.fail("a picture was drawn"))
    with pytest.raises(ObjectiveError, match=r"conv2 answers with zeros alone"):
        ask(network, photograph(network), ["conv1", "conv2"])


class TestPicture:
    @pytest.mark.later
    def test_scores_are_of_the_pictures_and_rise(self, network: Network) -> None:
        objectives = [Channel("conv2", 0) - Channel("conv2", 3), Logit(1)]
        made = picture(network, objectives, Recipe(steps=20))
        start = picture(network, objectives, Recipe(steps=0))
        for i, objective in enumerate(objectives):
            recording = network.record(made.pictures[[i]], objective.layers)
            assert made.scores[i] == pytest.approx(float(objective(recording)), rel=1e-4)
            assert made.scores[i] > start.scores[i]

    def test_refuses_to_draw_nothing(self, network: Network) -> None:
        with pytest.raises(ObjectiveError, match="no objectives were given"):
            picture(network, [])

    def test_a_direction_leads_from_some_pictures_to_others(self, network: Network) -> None:
        dark, bright = (torch.full((2, *network.input.shape), level) for level in (0.2, 0.9))
        found = direction(network, "conv1", bright, dark, cosine_power=0.0)
        means = [network.record(p, ["conv1"])["conv1"].mean((0, 2, 3)) for p in (bright, dark)]
        expected = Direction("conv1", tuple((means[0] - means[1]).tolist()))
        assert found.vector == pytest.approx(expected.vector, abs=1e-6)
        scores = [float(found(network.record(p, ["conv1"])).mean()) for p in (bright, dark)]
        assert scores[0] > scores[1]
        with pytest.raises(ObjectiveError, match="points nowhere"):
            direction(network, "conv1", dark, dark)


def test_ends_of_an_interpolation_are_those_of_the_units(network: Network) -> None:
    made = interpolate(network, "conv2:0", Channel("conv2", 3), count=3, recipe=Recipe(steps=20))
    assert made.shares == (0.0, 0.5, 1.0)
    assert made.scores[0, 0] > made.scores[2, 0]
    assert made.scores[2, 1] > made.scores[0, 1]
    with pytest.raises(ObjectiveError, match="1 pictures lead nowhere"):
        interpolate(network, "conv2:0", "conv2:3", count=1)


@pytest.mark.slow
def test_facets_are_less_alike_than_pictures_of_their_own(network: Network) -> None:
    recipe = Recipe(steps=30)
    alike = facets(network, "conv2:0", "conv1", count=3, diversity=0.0, recipe=recipe)
    unlike = facets(network, "conv2:0", "conv1", count=3, diversity=5.0, recipe=recipe)
    assert sum(unlike.similarity) < sum(alike.similarity)
    assert not torch.equal(unlike.pictures[0], unlike.pictures[1])
    with pytest.raises(ObjectiveError, match="ask for two"):
        facets(network, "conv2:0", "conv1", count=1)
