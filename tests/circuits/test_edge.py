"""Edges against slow references: a derivative and a pass of its own for each."""

from threading import Thread

import pytest
import torch
from torch import Tensor, nn

from cells import crossed, some
from circuits.branching import CUTS, branching, edited, filled, slopes
from laws import unchanged
from modern import ViT
from phosphene.circuits import edges, measure
from phosphene.errors import InputError, ObjectiveError, RectifierError
from phosphene.network import DECONVNET, GUIDED, PLAIN, RELP, STRAIGHT, Input, Network, Rule
from phosphene.objectives import Channel, Direction, Logit
from phosphene.survey import LayerSurvey
from tiny import network, pictures, seeded


@pytest.mark.parametrize(("seed", "source"), crossed(range(4), CUTS))
def test_edges_add_up_to_the_target_where_nothing_is_biased(seed: int, source: str) -> None:
    net = branching(seed, bias=False, norm=False)
    for target in ("out:3", "0", Logit(2) - Logit(1), Direction("last", (1.0,) * 7)):
        if source == "out" and target not in ("0", Logit(2) - Logit(1)):
            continue  # no later than the source
        found = edges(net, pictures(net, 3), target, source, baseline="zero")
        assert torch.allclose(found.explained, found.values, rtol=1e-4, atol=1e-6)
        assert torch.allclose(found.remainder, torch.zeros(3), atol=1e-6)
        assert torch.allclose(found.biases, torch.zeros(3), atol=1e-6)


@pytest.mark.parametrize(("seed", "source"), crossed(range(4), CUTS))
def test_what_they_do_not_add_up_to_is_the_biases_own(seed: int, source: str) -> None:
    net = branching(seed, norm=False)
    shown = pictures(net, 1)
    found = edges(net, shown, Logit(1), source, baseline="zero")
    biases = [p for name, p in net.module.named_parameters() if name.endswith("bias")]
    with edited(net, source, Tensor.detach):
        logit = net.module(net.input.normalise(shown))[:, 1]
    given = torch.autograd.grad(logit.sum(), biases, allow_unused=True)
    pairs = [(b, g) for b, g in zip(biases, given, strict=True) if g is not None]
    own = sum(float((b.detach() * g).sum()) for b, g in pairs)
    assert float(found.biases) == pytest.approx(own, rel=1e-4, abs=1e-6)


@pytest.mark.later
@pytest.mark.parametrize(
    "name",
    some(
        ["branching", "residual", "tokens", "dense", "maps"],
        quick=("residual", "tokens", "dense", "maps"),
    ),
)
def test_scores_equal_a_derivative_of_each_edge(name: str) -> None:
    net = branching(7) if name == "branching" else network(name)
    shown = pictures(net, 2)
    layers = list(net.layers.values())
    last = layers[-1]
    target = f"{last.name}:1"
    compared = 0
    for layer in layers[:-1]:
        absent = torch.linspace(-1, 1, layer.units)
        try:
            with unchanged(net.module):
                found = edges(net, shown, target, layer.name, baseline=absent, rule=PLAIN)
        except ObjectiveError:
            continue
        slow = [
            slopes(net, found.term.take([i]), layer.name, absent, shown[i : i + 1])
            for i in range(2)
        ]
        assert torch.allclose(found.score, torch.stack(slow), rtol=1e-3, atol=1e-5), layer.name
        compared += 1
    assert compared > 1


def test_the_baseline_is_the_mean_of_data_and_high_their_quantile() -> None:
    net = network("residual")
    data = pictures(net, 40, seed=3)
    values = net.record(data, ["conv1"])["conv1"].transpose(0, 1).flatten(1)
    found = edges(net, pictures(net), "0", "conv1", data=data).baseline
    assert torch.allclose(found.values, values.mean(1), atol=1e-6)
    beyond = (values > found.high[:, None]).float().mean(1)
    assert ((beyond <= 0.01) & (beyond > 0.009)).all()
    survey = LayerSurvey(net.layer("conv1"), 0, 1)
    survey.moments.add(net.record(data, ["conv1"])["conv1"])
    surveyed = edges(net, pictures(net), "0", "conv1", data=survey)
    assert torch.allclose(surveyed.baseline.values, found.values, atol=1e-6)
    assert measure(surveyed).raised is None


def test_t_without_the_source_has_all_of_it_at_the_baseline() -> None:
    net = branching(2)
    absent = torch.linspace(-1, 1, 6)
    shown = pictures(net, 2)
    found = edges(net, shown, Logit(0), "stem", baseline=absent)

    def all_(values: Tensor) -> Tensor:
        for unit, level in enumerate(absent.tolist()):
            values = filled(values, unit, level)
        return values

    with edited(net, "stem", all_):
        expected = net.class_scores(shown)[:, 0]
    assert torch.allclose(found.without, expected, atol=1e-6)
    whole = found.explained + found.held.sum(1) + found.biases
    assert torch.allclose(whole, found.values, atol=1e-5)


@pytest.mark.slow
def test_with_steps_the_remainder_vanishes() -> None:
    net = branching(3)
    data = pictures(net, 20, seed=9)
    one = edges(net, pictures(net), "1", "stem", data=data)
    many = edges(net, pictures(net), "1", "stem", data=data, steps=200)
    assert many.remainder.abs().max() < 0.05 * one.remainder.abs().max()
    assert many.biases is None


@pytest.mark.parametrize("rule", [GUIDED, DECONVNET, STRAIGHT])
def test_rules_that_are_for_looking_score_no_edges(rule: Rule) -> None:
    net = network("residual")
    with pytest.raises(RectifierError, match="for looking only"):
        edges(net, pictures(net), "0", "conv1", baseline="zero", rule=rule)
    with pytest.raises(RectifierError, match="Leave out one"):
        edges(net, pictures(net), "0", "conv1", baseline="zero", rule=RELP, steps=3)


def test_relp_scores_edges_where_it_is_asked_for() -> None:
    net = Network(seeded(ViT), Input(3, (16, 12)))
    shown = pictures(net)
    found = edges(net, shown, "0", "blocks.0.mlp.0", baseline="zero", rule=RELP)
    plain = edges(net, shown, "0", "blocks.0.mlp.0", baseline="zero")
    assert not torch.allclose(found.score, plain.score, rtol=0.01)
    assert (found.rule, plain.rule) == (RELP, PLAIN)


@pytest.mark.parametrize("source", ["patches", "blocks.0", "blocks.0.mlp.1"])
def test_scores_by_the_derivative_agree_with_removal_through_attention(source: str) -> None:
    net = Network(seeded(ViT), Input(3, (16, 12)))
    found = edges(net, pictures(net, 6), "0", source, data=pictures(net, 30, seed=4))
    measured = measure(found, None, ("remove",))
    pairs = zip(found.score.gather(1, measured.measured), measured.removed, strict=True)
    agreement = [float(torch.corrcoef(torch.stack(pair))[0, 1]) for pair in pairs]
    assert sorted(agreement)[3] > 0.9


def test_what_is_missing_or_does_not_fit_is_said() -> None:
    net = network("residual")
    shown = pictures(net)
    with pytest.raises(InputError, match="and no data"):
        edges(net, shown, "0", "conv1")
    with pytest.raises(InputError, match="a finite number for each of 6 units"):
        edges(net, shown, "0", "conv1", baseline=torch.zeros(5))
    with pytest.raises(InputError, match="'mean', 'zero'"):
        edges(net, shown, "0", "conv1", baseline="median")
    with pytest.raises(InputError, match="a survey of layer 'conv2'"):
        edges(net, shown, "0", "conv1", data=LayerSurvey(net.layer("conv2"), 0, 1))
    with pytest.raises(ObjectiveError, match="comes to that layer later"):
        edges(net, shown, "conv1:2", "conv2", baseline="zero")


@pytest.mark.later
def test_edges_say_themselves_in_words_and_json() -> None:
    net = branching(1)
    found = measure(edges(net, pictures(net), "1", "stem", data=pictures(net, 9, seed=4)), 3)
    assert "strongest units" in found.summary
    assert "measured edges" in found.summary
    told = found.to_json()
    assert told["baseline"]["name"] == "mean"
    assert len(told["removed"][0]) == 3
    assert told["score"] == found.score.tolist()


@pytest.mark.slow
def test_two_threads_find_what_one_finds() -> None:
    net = branching(5)
    shown, data = pictures(net, 2), pictures(net, 9, seed=4)
    targets = [Logit(i) for i in range(4)] + [Channel("last", i) for i in range(4)]

    def find(target: object) -> Tensor:
        found = measure(edges(net, shown, target, "stem", data=data))
        return torch.cat([found.score, found.removed, found.kept, found.raised], 1)

    expected = [find(target) for target in targets]
    wrong: list[object] = []

    def work() -> None:
        for target, right in zip(targets, expected, strict=True):
            if not torch.equal(find(target), right):
                wrong.append(target)

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_bare_module_and_a_class_by_name_will_do() -> None:
    module = seeded(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2))
    )
    net = Network(module, Input(3, (2, 2)), labels=("cat", "dog"))
    found = edges(net, torch.rand(2, 3, 2, 2), "dog", "2", baseline="zero")
    assert torch.allclose(found.score, net.record(found.pictures, ["2"])["2"] * module[3].weight[1])


class Squared(nn.Module):
    """A target that is quadratic in each unit of its first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 5, 3), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last((x * x + x * x.mean(1, keepdim=True)).mean((2, 3)))


def test_halfway_slopes_of_units_alone_are_removals_where_all_is_quadratic() -> None:
    net = Network(seeded(Squared), Input(1, (8, 8)))
    shown, data = pictures(net, 2), pictures(net, 9, seed=4)
    found = measure(edges(net, shown, "last:1", "first", data=data, halfway=5), None)
    assert torch.allclose(found.score.gather(1, found.measured), found.removed, atol=1e-5)
    plain = edges(net, shown, "last:1", "first", data=data)
    assert not torch.allclose(plain.score, found.score, atol=1e-3)
    assert (found.halfway, found.biases, plain.halfway) == (5, None, None)


@pytest.mark.later
def test_halfway_in_groups_is_nearer_to_removals_across_many_gates() -> None:
    nearer = 0
    for seed in range(6):
        net = branching(seed)
        shown, data = pictures(net, 2), pictures(net, 9, seed=4)
        found = measure(edges(net, shown, "1", "stem", data=data), None, ("remove",))
        middle = edges(net, shown, "1", "stem", data=data, halfway=3)
        far = [
            float((each.score.gather(1, found.measured) - found.removed).square().sum())
            for each in (found, middle)
        ]
        nearer += far[1] < far[0]
    assert nearer >= 5


def test_halfway_is_alone() -> None:
    net = branching(1)
    for more in ({"steps": 3}, {"rule": RELP}):
        with pytest.raises(InputError, match="halfway in 2 groups"):
            edges(net, pictures(net), "1", "stem", baseline="zero", halfway=2, **more)
    with pytest.raises(InputError, match="at least one group"):
        edges(net, pictures(net), "1", "stem", baseline="zero", halfway=0)
