"""The smallest circuits against a pass of its own for each set, and against what was planted."""

import json
import pickle

import pytest
import torch
from torch import Tensor, nn

from circuits.branching import branching, edited
from laws import unchanged
from phosphene import draw
from phosphene.circuits import ORDERS, Circuit, circuit, edges, measure
from phosphene.errors import InputError, NetworkError, ObjectiveError
from phosphene.maximize import Recipe
from phosphene.network import Input, Intervention, Network
from phosphene.objectives import unit_maps
from planted import ALL, Planted
from tiny import network, pictures

PAIRS = [
    ("branching", "stem", "both:1"),
    ("branching", "join", "last:2"),
    ("branching", "both", "1"),
    ("residual", "stem.1", "bn2:2"),
    ("tokens", "patches", "block.linear2:3"),
    ("dense", "1", "2"),
]

PLANTED = {planted.name: planted for planted in ALL}

CIRCUITS = {
    "two parts": [{0, 1}, {0, 1}],
    "saturated part": [{0, 1}],
    "redundant twins": [{0, 2}],  # one of the twins is enough
    "and": [{0, 1}],
    "two of three": [{0, 1, 3}],
    "part in some images": [{0}, {0, 1, 2}],
    "quiet inhibitor": [{0}],
    "turncoat": [{0, 1}, {0}],
    "correlated decoy": [{0}, {0}],
    "gate that never opens": [{0}],
    "cancelling routes": [{0}],
    "skip route": [{0, 1}],
    "reused module": [{0}],
    "places that cancel": [{0}],
    "attention token": [{0, 1}],
    "gate from afar": [{0, 1}],
}
"""The least sets that keep all of the response from baseline zero, on paper."""


def made(name: str) -> Network:
    return branching(4) if name == "branching" else network(name)


def slow(found: Circuit, image: int, kept: Tensor) -> float:
    """The target with these units of the one source, by a pass and a hook of the tests' own."""
    absent = found.baselines[0].values

    def edit(values: Tensor) -> Tensor:
        values = values.clone()
        maps = unit_maps(values)
        for unit in (~kept).nonzero()[:, 0].tolist():
            maps[:, unit] = absent[unit]
        return values

    with edited(found.network, found.sources[0], edit), torch.no_grad():
        recording = found.network.record(found.pictures[image : image + 1], found.term.layers)
    return float(found.term.take([image])(recording))


@pytest.mark.later
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "source", "target"), PAIRS)
def test_every_size_equals_a_pass_of_its_own(
    name: str, source: str, target: str, order: str
) -> None:
    net = made(name)
    with unchanged(net.module):
        found = circuit(
            net, pictures(net, 2), target, source, order=order, data=pictures(net, 9, seed=5)
        )
    units = found.ranking.shape[1]
    for image, ranking in enumerate(found.ranking):
        assert sorted(ranking.tolist()) == list(range(units))
        masks = [torch.zeros(units, dtype=torch.bool).scatter(0, ranking[:n], True)
                 for n in range(units + 1)]  # fmt: skip
        m = torch.tensor([slow(found, image, mask) for mask in masks])
        curve = (m - m[0]) / (m[-1] - m[0])
        assert torch.allclose(found.curve[image], curve, atol=1e-3)
        size = int((curve >= 0.95).int().argmax())
        assert int(found.sizes[image]) == size
        assert torch.equal(found.kept[image], masks[size])
        left = (slow(found, image, ~masks[size]) - m[0]) / (m[-1] - m[0])
        assert float(found.left[image]) == pytest.approx(float(left), abs=1e-3)
        steps = [(a + b) / 2 for a, b in zip(curve[:-1].tolist(), curve[1:].tolist(), strict=True)]
        assert float(found.cpr[image]) == pytest.approx(sum(steps) / units, abs=1e-3)


@pytest.mark.parametrize("name", CIRCUITS)
def test_planted_parts_are_the_circuit(name: str) -> None:
    planted = PLANTED[name]
    found = of_planted(planted)
    circuits = [{unit.index for unit in found.units(i)} for i in range(len(found.sizes))]
    assert circuits == CIRCUITS[name]
    assert torch.allclose(found.faithfulness, torch.ones(len(circuits)), atol=1e-4)


def of_planted(planted: Planted, **asked: object) -> Circuit:
    return circuit(planted.network(), planted.pictures, planted.target, planted.source,
                   **({"baseline": "zero"} | asked))  # fmt: skip


def test_the_ends_are_none_and_one_and_stand_ins_are_left() -> None:
    twins = of_planted(PLANTED["redundant twins"])
    assert twins.curve[0].tolist() == pytest.approx([0, 2 / 3, 1, 1, 1], abs=1e-5)
    assert twins.left.tolist() == pytest.approx([2 / 3], abs=1e-5)
    both = of_planted(PLANTED["and"])
    assert both.curve[0].tolist() == pytest.approx([0, 0, 1, 1], abs=1e-5)
    assert both.left.tolist() == [0]
    assert both.cpr.tolist() == pytest.approx([(0 + 0.5 + 1) / 3], abs=1e-5)
    assert both.cmd.tolist() == pytest.approx([(1 + 0.5 + 0) / 3], abs=1e-5)


def test_what_is_missing_may_hold_the_target_down_and_that_is_told() -> None:
    found = of_planted(PLANTED["inhibitor at work"])
    assert found.faithfulness.tolist() == pytest.approx([2])
    assert "keep 200" in found.summary


def test_what_is_measured_finds_what_scores_miss() -> None:
    planted = PLANTED["saturated part"]
    assert of_planted(planted).units()[0].index == 0
    assert of_planted(planted, order="score").units()[0].index == 1


@pytest.mark.later
def test_greedy_needs_no_more_units_than_the_order_of_scores() -> None:
    net = branching(4)
    shown, data = pictures(net, 6), pictures(net, 9, seed=5)
    sizes = {
        order: circuit(net, shown, "last:2", "join", order=order, data=data).sizes.sum()
        for order in ORDERS
    }
    assert sizes["greedy"] <= sizes["score"] <= sizes["random"]


def test_all_tried_is_the_plain_greedy_search() -> None:
    net = branching(6)
    found = circuit(net, pictures(net, 1), "last:2", "both", baseline="zero", candidates=None)
    kept, size = torch.zeros(9, dtype=torch.bool), int(found.sizes[0])
    change = float(found.values[0] - found.without[0])
    for chosen in found.ranking[0, :size].tolist():
        values = {unit: slow(found, 0, kept.scatter(0, torch.tensor([unit]), True)) / change
                  for unit in range(9) if not kept[unit]}  # fmt: skip
        assert values[chosen] == pytest.approx(max(values.values()), abs=1e-5)
        kept[chosen] = True


@pytest.mark.later
def test_a_batch_is_as_each_picture_by_itself() -> None:
    net = branching(4)
    shown = pictures(net, 3)
    together = circuit(net, shown, ["last:2", "last:0", "last:5"], "join", baseline="zero")
    for i, target in enumerate(["last:2", "last:0", "last:5"]):
        alone = circuit(net, shown[i : i + 1], target, "join", baseline="zero")
        assert alone.units() == together.units(i)
        assert torch.allclose(alone.curve[0, : int(alone.sizes[0]) + 1],
                              together.curve[i, : int(alone.sizes[0]) + 1], atol=1e-4)  # fmt: skip
    several = circuit(net, shown, "last:2", "join", order="random", baseline="zero")
    first = circuit(net, shown[:1], "last:2", "join", order="random", baseline="zero")
    assert torch.equal(several.ranking[:1], first.ranking)


@pytest.mark.later
def test_units_of_several_layers_are_chosen_together() -> None:
    net = branching(4)
    data = pictures(net, 9, seed=5)
    found = circuit(net, pictures(net, 2), "last:2", ["stem", "join"], data=data)
    layers = {unit.layer for i in range(2) for unit in found.units(i)}
    assert layers == {"stem", "join"}
    assert found.ranking.shape == (2, 12)
    stem, join = (Intervention(net, one.name, base.values) for one, base in
                  zip(map(net.layer, found.sources), found.baselines, strict=True))  # fmt: skip
    for i in range(2):
        kept = found.kept[i]

        def hold(values: Tensor, mask: Tensor, absent: Tensor) -> Tensor:
            return torch.where(mask[None, :, None, None], values, absent[None, :, None, None])

        with (
            edited(net, "stem", lambda v, k=kept: hold(v, k[:6], stem.values)),
            edited(net, "join", lambda v, k=kept: hold(v, k[6:], join.values)),
            torch.no_grad(),
        ):
            recording = net.record(found.pictures[i : i + 1], found.term.layers)
        m = found.term.take([i])(recording)[0]
        whole, none = found.values[i], found.without[i]
        assert float((m - none) / (whole - none)) == pytest.approx(
            float(found.faithfulness[i]), abs=1e-4
        )


@pytest.mark.later
@pytest.mark.parametrize(("name", "source", "target"), [*PAIRS, ("residual", "relu@1", "4")])
def test_a_circuit_of_its_own_answers_as_the_intervention(
    name: str, source: str, target: str
) -> None:
    net = made(name)
    found = circuit(net, pictures(net, 2), target, source, data=pictures(net, 9, seed=5))
    others = pictures(net, 4, seed=8)
    run = Intervention(net, source, found.baselines[0].values)
    for i in range(2):
        with unchanged(net.module):
            own = found.alone(i)
        assert own.layers.keys() == net.layers.keys()
        assert own.fingerprint != net.fingerprint
        layers = {source, *found.term.layers}
        here = own.record(others, layers)
        there = run.record(others, ~found.kept[i : i + 1], layers)
        for layer in layers:
            assert torch.allclose(here[layer], there[layer], atol=1e-5)
        reached = found.term.take([i])(own.record(found.pictures[i : i + 1], found.term.layers))
        share = (reached[0] - found.without[i]) / (found.values[i] - found.without[i])
        assert float(share) == pytest.approx(float(found.faithfulness[i]), abs=1e-3)
    assert found.alone(0).fingerprint == found.alone(0).fingerprint


@pytest.mark.later
def test_it_travels_and_gradients_pass_through_what_is_kept() -> None:
    net = branching(4)
    found = circuit(net, pictures(net, 2), "last:2", "join", baseline="zero", keep=0.5)
    own = found.alone()
    sent = pickle.loads(pickle.dumps(own))
    shown = pictures(net, 2, seed=3)
    assert torch.equal(sent.record(shown, ["last"])["last"], own.record(shown, ["last"])["last"])
    assert sent.fingerprint == own.fingerprint
    inside = edges(own, found.pictures, "last:2", "join", baseline="zero")
    kept = found.kept[0]
    assert not bool(inside.score[0, ~kept].any())
    assert bool(inside.score[0, kept].any())
    assert measure(inside, None, ("remove",)).removed.shape == (2, 6)
    (drawing,) = draw(own, ["last:2"], Recipe(steps=3))
    assert bool(drawing.picture.isfinite().all())


@pytest.mark.later
def test_it_says_itself() -> None:
    net = branching(4)
    found = circuit(net, pictures(net, 2), "last:2", "join", baseline="zero")
    told = found.summary
    assert f"{int(found.sizes[0])} of 6 units keep" in told
    assert "on the first of 2 pictures (greedy order, over the zero baseline)" in told
    assert str(found.units()[0]) in told
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["units"][1] == [str(unit) for unit in found.units(1)]
    assert len(plain["curve"][0]) == 7


def test_where_nothing_is_to_be_kept_that_is_said() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1))
    with torch.no_grad():
        module[2].weight.zero_()
    net = Network(module, Input(1, (4, 4)))
    found = circuit(net, torch.rand(2, 1, 4, 4), "2:1@1,1", "1", baseline="zero")
    assert found.sizes.tolist() == [2, 2]
    assert bool(found.curve.isnan().all())
    assert "nothing to keep" in found.summary
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.later
def test_what_cannot_be_asked_is_said() -> None:
    net = branching(4)
    shown = pictures(net, 2)
    with pytest.raises(InputError, match=r"keep=0 was given; give the share"):
        circuit(net, shown, "last:2", "join", baseline="zero", keep=0)
    with pytest.raises(InputError, match="greedy, score, random"):
        circuit(net, shown, "last:2", "join", baseline="zero", order="best")
    with pytest.raises(InputError, match="at least 1, or None"):
        circuit(net, shown, "last:2", "join", baseline="zero", candidates=0)
    with pytest.raises(InputError, match="named twice"):
        circuit(net, shown, "last:2", ["join", "join"], baseline="zero")
    with pytest.raises(InputError, match="2 sources"):
        circuit(net, shown, "last:2", ["stem", "join"], baseline=torch.zeros(6))
    with pytest.raises(ObjectiveError):
        circuit(net, shown, "join:2", "last", baseline="zero")
    found = circuit(net, shown, "last:2", "join", baseline="zero")
    with pytest.raises(InputError, match="picture 2 was asked for"):
        found.alone(2)


@pytest.mark.later
def test_a_module_that_has_no_copy_is_said() -> None:
    net = branching(4)
    found = circuit(net, pictures(net, 1), "last:2", "join", baseline="zero")
    net.module.made = net.module.head.weight * 2
    with pytest.raises(NetworkError, match="cannot be copied"):
        found.alone()
