"""Scores of every objective against slow loops, and the law that each of them ascends."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.canvas import Pixels
from phosphene.errors import ObjectiveError, UnknownLayerError
from phosphene.maximize import Optimizer, ascend
from phosphene.network import Network
from phosphene.network.recorded import Recording
from phosphene.objectives import (
    L1,
    L2,
    Along,
    Blend,
    Channel,
    Direction,
    Diversity,
    Energy,
    Likeness,
    Logit,
    LogProbability,
    Neuron,
    Norm,
    Outstanding,
    Probability,
    RelativeError,
    Term,
    TotalVariation,
    Unfamiliar,
    Unusual,
    Values,
    of_unit,
    unit_maps,
)
from phosphene.streams import Streams
from phosphene.units import LOGITS, Unit

MAPS = Values.of(torch.linspace(-1, 1, 3 * 4 * 6 * 5).view(3, 4, 6, 5))
USUAL = Values.of(torch.tensor([0.1, -0.2, 0.0, 0.3])), Values.of(torch.full((4,), 0.5))
WEIGHTS = Values.of(torch.linspace(0.1, 1, 3 * 30).view(3, 30))
DENSE = Values.of(torch.tensor([[0.5, -2.0, 1.0]]))

RISING: dict[str, list[Term]] = {
    "Channel": [Channel("conv", (0, 3, 2)), Channel("mix", 2), Channel("fc", 1)],
    "Neuron": [Neuron("conv", (0, 1, 2), (0, 5, 3), (0, 4, 1)), Neuron("mix", 4), Neuron("fc", 0)],
    "Logit": [Logit((0, 1, 2))],
    "LogProbability": [LogProbability((0, 1, 2))],
    "Probability": [Probability((0, 1, 2))],
    "Direction": [
        Direction("act", (1.0, -1.0, 0.5, 0.0)),
        Direction("mix", (1.0, -1.0, 0.5, 0.0, 2.0), cosine_power=2.0),
    ],
    "Energy": [Energy("conv", (0, 3, 2)), Energy("fc", 1)],
    "Norm": [Norm("conv"), Norm("mix", (1, 3)), Norm("fc")],
    "Diversity": [Diversity("conv")],
    "TotalVariation": [TotalVariation(), -TotalVariation()],
    "L1": [L1(), -L1(0.5)],
    "L2": [L2(), -L2(0.5)],
    "Blend": [Blend(Channel("conv", 1), Norm("mix"), (0.0, 0.5, 1.0))],
    "Along": [Along("conv", (0, 3, 2), WEIGHTS), Along("fc", 1, Values.of(torch.ones(1, 1)))],
    "Likeness": [Likeness("conv", MAPS), Likeness("fc", DENSE, cosine_power=0.0)],
    "Outstanding": [Outstanding("conv", *USUAL, (0, 3, 2)), Outstanding("conv", *USUAL, 1)],
    "Unusual": [Unusual("conv", *USUAL), -Unusual("conv", *USUAL)],
    "Unfamiliar": [Unfamiliar("conv", *USUAL), -Unfamiliar("conv", *USUAL)],
    "RelativeError": [RelativeError("conv", MAPS), -RelativeError("fc", DENSE)],
    "Combination": [Channel("conv", (0, 1, 2)) - 0.5 * TotalVariation() + 0.1 * Diversity("mix")],
}

members = sorted(
    name for name, term in Term.kinds().items() if term.__module__.startswith("phosphene")
)


@pytest.mark.parametrize("member", members)
def test_every_objective_ascends(member: str, network: Network) -> None:
    for objective in RISING[member]:
        streams = Streams.seeded(0, range(3))
        canvas = Pixels(learning_rate=0.02, spread=0.5).build(streams, network.input.shape)
        steps = list(ascend(network, objective, canvas, streams, steps=12, optimizer=Optimizer()))
        rise = steps[-1].scores - steps[0].scores
        if member in {"Diversity", "Combination"}:  # images pull on one another
            assert rise.sum() > 0, objective
        else:
            assert (rise > 0).all(), (objective, rise)


def test_units_per_image_equal_separate_objectives(recording: Recording) -> None:
    index, y, x = (2, 0, 1, 1), (4, 0, 2, 3), (1, 3, 0, 2)
    for together, alone in [
        (Channel("maps", index), [Channel("maps", i) for i in index]),
        (Channel("tokens", index), [Channel("tokens", i) for i in index]),
        (Logit(index), [Logit(i) for i in index]),
        (Probability(index), [Probability(i) for i in index]),
        (LogProbability(index), [LogProbability(i) for i in index]),
        (Neuron("maps", index), [Neuron("maps", i) for i in index]),
        (
            Neuron("maps", index, y, x),
            [Neuron("maps", *at) for at in zip(index, y, x, strict=True)],
        ),
        (Neuron("maps", 1, y, 2), [Neuron("maps", 1, row, 2) for row in y]),
        (
            Neuron("tokens", index, x=x),
            [Neuron("tokens", i, x=t) for i, t in zip(index, x, strict=True)],
        ),
    ]:
        scores = together(recording)
        for image, objective in enumerate(alone):
            assert scores[image] == objective(recording)[image], together


class TestNeuron:
    def test_corners_and_centre(self, recording: Recording) -> None:
        maps = recording["maps"]  # 5 x 4
        for y, x in [(0, 0), (0, 3), (4, 0), (4, 3), (2, 2)]:
            assert torch.equal(Neuron("maps", 1, y, x)(recording), maps[:, 1, y, x])
        assert torch.equal(Neuron("maps", 1)(recording), maps[:, 1, 2, 2])
        assert torch.equal(Neuron("maps", 1, y=0)(recording), maps[:, 1, 0, 2])

    def test_tokens_and_dense_values(self, recording: Recording) -> None:
        assert torch.equal(Neuron("tokens", 2, x=6)(recording), recording["tokens"][:, 6, 2])
        assert torch.equal(Neuron("tokens", 2)(recording), recording["tokens"][:, 3, 2])
        assert torch.equal(Neuron("dense", 2)(recording), recording["dense"][:, 2])

    @pytest.mark.parametrize(
        ("neuron", "words"),
        [
            (Neuron("maps", 3), "unit 3.*0 to 2"),
            (Neuron("maps", -1), "unit -1"),
            (Neuron("maps", 0, 5, 0), "row 5.*0 to 4"),
            (Neuron("maps", 0, 0, 4), "column 4.*0 to 3"),
            (Neuron("tokens", 0, x=7), "column 7.*0 to 6"),
            (Neuron("tokens", 0, y=1), "row 1.*0 to 0"),
            (Neuron("maps", (0, 9, 1, 9, 7)), "unit 7,9"),
        ],
    )
    def test_beyond_the_layer(self, neuron: Neuron, words: str, recording: Recording) -> None:
        with pytest.raises(ObjectiveError, match=words):
            neuron(recording)


def test_channels_are_means_over_positions(recording: Recording) -> None:
    maps, tokens = recording["maps"], recording["tokens"]
    slow_maps = [sum(float(v) for v in maps[i, 2].flatten()) / 20 for i in range(4)]
    slow_tokens = [sum(float(tokens[i, t, 2]) for t in range(7)) / 7 for i in range(4)]
    assert Channel("maps", 2)(recording).tolist() == pytest.approx(slow_maps, abs=1e-6)
    assert Channel("tokens", 2)(recording).tolist() == pytest.approx(slow_tokens, abs=1e-6)
    assert torch.equal(Channel("dense", 2)(recording), recording["dense"][:, 2])
    with pytest.raises(ObjectiveError, match=r"unit 3 .*there are 3"):
        Channel("maps", 3)(recording)
    with pytest.raises(UnknownLayerError, match="nearest: maps"):
        Channel("map", 0)(recording)


def test_unit_maps_keep_units_and_positions_apart(recording: Recording) -> None:
    maps, tokens = unit_maps(recording["maps"]), unit_maps(recording["tokens"])
    assert maps.shape == (4, 3, 20)
    assert maps[1, 2, 3 * 4 + 1] == recording["maps"][1, 2, 3, 1]
    assert tokens.shape == (4, 3, 7)
    assert tokens[1, 2, 5] == recording["tokens"][1, 5, 2]
    assert unit_maps(recording["dense"]).shape == (4, 3, 1)


def test_class_scores_and_probabilities(recording: Recording) -> None:
    for image, row in enumerate(recording[LOGITS].tolist()):
        total = sum(math.exp(v) for v in row)
        assert Logit(1)(recording)[image] == pytest.approx(row[1])
        assert Probability(1)(recording)[image] == pytest.approx(math.exp(row[1]) / total)
        expected = row[1] - math.log(total)
        assert LogProbability(1)(recording)[image] == pytest.approx(expected, abs=1e-6)
    assert Logit(1) != Probability(1) != LogProbability(1)


def slow_direction(values: Tensor, vector: list[float], power: float) -> list[float]:
    length = math.sqrt(sum(v * v for v in vector))
    scores = []
    for image in values:
        found = []
        for position in image.flatten(1).T.tolist():
            dot = sum(a * v for a, v in zip(position, vector, strict=True)) / length
            size = math.sqrt(sum(a * a for a in position))
            found.append(dot * max(dot / size, 0.1) ** power)
        scores.append(sum(found) / len(found))
    return scores


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_directions_equal_a_slow_loop(power: float, recording: Recording) -> None:
    vector = [0.5, -2.0, 1.0]
    for layer, values in [
        ("maps", recording["maps"]),
        ("tokens", recording["tokens"].transpose(1, 2)),
        ("dense", recording["dense"][:, :, None]),
    ]:
        scores = Direction(layer, tuple(vector), power)(recording)
        assert scores.tolist() == pytest.approx(slow_direction(values, vector, power), abs=1e-5)
    with pytest.raises(ObjectiveError, match=r"2 numbers.*'maps'.*3 units"):
        Direction("maps", (1.0, 0.0))(recording)


def test_the_slope_of_energy_is_what_the_unit_answers(recording: Recording) -> None:
    for layer in ("maps", "tokens", "dense"):
        values = recording[layer].clone().requires_grad_()
        seen = Recording(recording.pictures, {layer: values})
        index = (0, 2, 1, 1)[: len(values)]
        (slope,) = torch.autograd.grad(Energy(layer, index)(seen).sum(), values)
        slopes, found = unit_maps(slope), unit_maps(recording[layer])
        for image, unit in enumerate(index):
            fired = torch.where(found[image, unit] > 0, found[image, unit], 0.0)
            torch.testing.assert_close(slopes[image, unit], fired)
            assert slopes[image].count_nonzero() == fired.count_nonzero()


def test_standard_scores_are_those_of_numpy(recording: Recording) -> None:
    for layer in ("maps", "tokens", "dense"):
        means = unit_maps(recording[layer]).double().mean(2)
        mean, deviation = (
            Values.of(means[0].float() - 1),
            Values.of(torch.rand(means.shape[1]) + 0.5),
        )
        z = (means - mean.tensor) / deviation.tensor
        scores = Unusual(layer, mean, deviation)(recording).double()
        torch.testing.assert_close(scores, z.square().sum(1), rtol=1e-4, atol=1e-5)
        spread = unit_maps(recording[layer]).double().std(2, correction=0) / deviation.tensor
        far = Unfamiliar(layer, mean, deviation)(recording).double()
        slow = (z.square() + (spread - 1).square()).sum(1)
        torch.testing.assert_close(far, slow, rtol=1e-2, atol=1e-3)
        first = Outstanding(layer, mean, deviation, 0)(recording).double()
        torch.testing.assert_close(first, z[:, 0], rtol=1e-4, atol=1e-5)
    with pytest.raises(ObjectiveError, match="all deviations above zero"):
        Unusual("maps", Values.of(torch.zeros(3)), Values.of(torch.zeros(3)))


def test_a_constant_map_is_unfamiliar_and_has_a_slope() -> None:
    values = torch.zeros(1, 2, 3, 3, requires_grad=True)
    seen = Recording(torch.zeros(1, 1, 3, 3), {"maps": values})
    known = Values.of(torch.tensor([1.0, 0.0])), Values.of(torch.tensor([2.0, 1.0]))
    far = Unfamiliar("maps", *known)(seen)
    assert far.item() == pytest.approx(0.25 + 1 + 0 + 1, abs=5e-3)
    (slope,) = torch.autograd.grad(far.sum(), values)
    assert slope.isfinite().all()
    assert slope[0, 0].sum().item() == pytest.approx(2 * -0.5 / 2)


def test_a_direction_along_one_unit_is_its_channel(recording: Recording) -> None:
    along = Direction("maps", (0.0, 7.0, 0.0))(recording)
    torch.testing.assert_close(along, Channel("maps", 1)(recording))


def slow_diversity(values: Tensor, group: int) -> list[float]:
    grams = [image.flatten(1) @ image.flatten(1).T for image in values]
    scores = []
    for i, mine in enumerate(grams):
        first = i // group * group
        others = [grams[j] for j in range(first, first + group) if j != i]
        alike = [float((mine * o).sum() / (mine.norm() * o.norm())) for o in others]
        scores.append(-sum(alike) / len(alike))
    return scores


@pytest.mark.parametrize("group", [None, 2, 4])
def test_diversity_equals_a_slow_loop(group: int | None, recording: Recording) -> None:
    scores = Diversity("maps", group)(recording)
    assert scores.tolist() == pytest.approx(slow_diversity(recording["maps"], group or 4), abs=1e-5)


@pytest.mark.parametrize("group", [1, 3, 8])
def test_diversity_needs_whole_groups(group: int, recording: Recording) -> None:
    with pytest.raises(ObjectiveError, match=f"groups of {group}.*batch of 4"):
        Diversity("maps", group)(recording)


def test_penalties_equal_slow_loops(recording: Recording) -> None:
    level = 0.25
    for image, picture in enumerate(recording.pictures):
        c, h, w = picture.shape
        p = picture.tolist()
        cells = [(k, y, x) for k in range(c) for y in range(h) for x in range(w)]
        down = [abs(p[k][y + 1][x] - p[k][y][x]) for k, y, x in cells if y + 1 < h]
        across = [abs(p[k][y][x + 1] - p[k][y][x]) for k, y, x in cells if x + 1 < w]
        variation = sum(down) / len(down) + sum(across) / len(across)
        distance = [p[k][y][x] - level for k, y, x in cells]
        assert TotalVariation()(recording)[image] == pytest.approx(variation, abs=1e-6)
        absolute = sum(abs(d) for d in distance) / len(cells)
        assert L1(level)(recording)[image] == pytest.approx(absolute, abs=1e-6)
        squared = sum(d * d for d in distance) / len(cells)
        assert L2(level)(recording)[image] == pytest.approx(squared, abs=1e-6)


@pytest.mark.parametrize("size", [(1, 5), (5, 1), (1, 1)])
def test_pictures_one_pixel_wide_vary_along_the_other_axis(size: tuple[int, int]) -> None:
    pictures = torch.rand(2, 1, *size)
    flat = pictures.flatten(1)
    expected = flat.diff(dim=1).abs().mean(1) if flat.shape[1] > 1 else torch.zeros(2)
    torch.testing.assert_close(TotalVariation()(Recording(pictures, {})), expected)


def test_norms_are_root_mean_squares(recording: Recording) -> None:
    maps = recording["maps"]
    for image in range(4):
        values = maps[image].flatten().tolist()
        everything = math.sqrt(sum(v * v for v in values) / len(values))
        assert Norm("maps")(recording)[image] == pytest.approx(everything, rel=1e-5)
        some = maps[image, [0, 2]].flatten().tolist()
        expected = math.sqrt(sum(v * v for v in some) / len(some))
        assert Norm("maps", (0, 2))(recording)[image] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "objective", [Norm("dead"), Diversity("dead"), Direction("dead", (1.0, 2.0), cosine_power=1.0)]
)
def test_layers_of_zeros_have_finite_gradients(objective: Term) -> None:
    pictures = torch.rand(3, 1, 2, 2, requires_grad=True)
    dead = F.relu(torch.cat([-pictures - 1, -pictures], dim=1))
    (slope,) = torch.autograd.grad(objective(Recording(pictures, {"dead": dead})).sum(), pictures)
    assert slope.isfinite().all()


def test_units_stand_for_channels_and_neurons() -> None:
    assert of_unit(Unit("conv", 3)) == Channel("conv", 3)
    assert of_unit(Unit("conv", 3, 0, 2)) == Neuron("conv", 3, 0, 2)


LAID = {
    "Channel": Channel("mid", (0, 3, 2)),
    "Channel, one for all": Channel("mid", 1),
    "Neuron": Neuron("mid", (0, 1, 2), (0, 5, 3), (0, 4, 1)),
    "Neuron, one place for all": Neuron("mid", (0, 1, 2), 5, 4),
    "Neuron, one for all": Neuron("mid", 3),
    "Energy": Energy("mid", (0, 3, 2)),
    "Norm": Norm("mid"),
    "Outstanding": Outstanding("mid", *USUAL, (0, 3, 2)),
    "Unusual": Unusual("mid", *USUAL),
    "Unfamiliar": Unfamiliar("mid", *USUAL),
}


@pytest.mark.parametrize("objective", LAID.values(), ids=LAID)
def test_a_gradient_of_maps_lies_as_the_maps_or_is_one_number_a_map(objective: Term) -> None:
    """It does not lie across the network's own, which it is added to."""
    scores, slopes = [], []
    for order in (torch.contiguous_format, torch.channels_last):
        leaf = MAPS.tensor.contiguous(memory_format=order).requires_grad_()
        asked = objective(Recording(torch.zeros(3, 1, 2, 2), {"mid": leaf}))
        (slope,) = torch.autograd.grad(asked.sum(), leaf)
        assert slope.is_contiguous(memory_format=order) or slope.stride()[2:] == (0, 0)
        scores.append(asked.detach())
        slopes.append(slope.contiguous())
    torch.testing.assert_close(scores[0], scores[1])
    torch.testing.assert_close(slopes[0], slopes[1])
