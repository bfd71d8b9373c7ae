"""Edges in general are the means of edges one by one, and keep what was planted."""

import json
from dataclasses import fields, replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from phosphene.circuits import Facts, GeneralEdges, edges, gathering, general_edges, measure
from phosphene.circuits import asked as asked_module
from phosphene.circuits.asked import Asked
from phosphene.circuits.baseline import Baseline
from phosphene.circuits.general import chosen_at_random, contradicts
from phosphene.circuits.together import ByMap, ByPass, ByWindow, way_to
from phosphene.errors import InputError, ObjectiveError, UnknownUnitError
from phosphene.network import Input, Network
from phosphene.results import sheet
from phosphene.survey import Survey
from phosphene.units import Unit
from planted import ALL, Planted


class Branching(nn.Module):
    """A window, a whole map, and a connection around a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 5, 3, padding=1)
        self.relu = nn.ReLU()
        self.body = nn.Conv2d(5, 5, 3, padding=1)
        self.after = nn.ReLU()
        self.join = nn.Conv2d(5, 6, 1)
        self.pool = nn.MaxPool2d(4)
        self.head = nn.Linear(24, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.stem(x))
        x = self.join(self.after(self.body(x)) + x).relu()
        return self.head(self.pool(x).flatten(1))


@pytest.fixture(scope="module")
def net() -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network(Branching().eval(), Input(1, (8, 8)), name="branching")


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.rand(14, 1, 8, 8, generator=torch.Generator().manual_seed(1))


PAIRS = {
    ("relu", "after"): ByWindow,
    ("after", "head"): ByPass,  # the connection leads around it
    ("join", "head"): ByMap,
    ("pool", "head"): ByMap,
    ("stem", "after"): ByWindow,
}


def slowly(net: Network, data: Tensor, source: str, unit: Unit, baseline: Baseline) -> Facts:
    """The facts of all sources of one target, by a call for each picture."""
    survey = Survey(net, [unit.layer], k=4).over(TensorDataset(data))
    strong = survey.layers[unit.layer].top.images[unit.index].tolist()
    random = chosen_at_random(TensorDataset(data), 6, 0)
    found = {True: [], False: []}
    for images, own in ((strong, True), (random, False)):
        for image in images:
            one = edges(net, data[image : image + 1], unit, source, baseline=baseline)
            every = torch.arange(one.score.shape[1])[None]
            found[own].append(measure(one, units=every, windows=False))
    both = torch.cat([each.score for each in found[True] + found[False]])

    def mean(name: str, own: bool) -> Tensor:
        return torch.cat([getattr(each, name) for each in found[own]]).mean(0)[None]

    nothing = torch.full_like(both[:1], torch.nan)
    return Facts(
        unit=torch.arange(both.shape[1])[None],
        score=both.mean(0)[None],
        strong=mean("score", True),
        magnitude=both.abs().mean(0)[None],
        positive=(both > 0).float().mean(0)[None],
        removed=mean("removed", True),
        kept=mean("kept", True),
        raised=mean("raised", True),
        removed_elsewhere=mean("removed", False),
        kernel_sum=nothing,
        kernel_norm=nothing,
    )


def baseline(net: Network, data: Tensor, source: str) -> Baseline:
    mean = Survey(net, [source]).over(TensorDataset(data)).layers[source].moments.mean.float()
    random = chosen_at_random(TensorDataset(data), 6, 0)
    values = net.record(data[random], [source])[source].transpose(0, 1).flatten(1)
    high = values.kthvalue(-(-99 * values.shape[1] // 100), dim=1).values
    return Baseline("mean", mean, high)


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=" > ".join)
def test_they_are_the_means_of_edges_one_by_one(
    net: Network, pictures: Tensor, pair: tuple[str, str]
) -> None:
    source, target = pair
    found = general_edges(net, pictures, target, source, strongest=4, random=6)
    inside = net.before_rectifier(Unit(target, 0)) or Unit(target, 0)
    way = way_to(net, source, inside.layer, baseline(net, pictures, source), net.input.size)
    assert type(way) is PAIRS[pair]
    top = Survey(net, [target], k=4).over(TensorDataset(pictures)).layers[target].top
    firing = (top.values > 0).all(1) | (top.values < 0).any(1)  # elsewhere no place is strongest
    assert firing.sum() > 1
    for row in firing.nonzero().flatten().tolist():
        unit = found.units[row]
        expected = slowly(
            net, pictures, source, Unit(target, unit), baseline(net, pictures, source)
        )
        expected = expected.top(found.made_of.unit[row : row + 1])
        for column in fields(Facts):
            if not column.name.startswith("kernel"):
                one = getattr(found.made_of, column.name)[row : row + 1]
                other = getattr(expected, column.name)
                assert torch.allclose(one.float(), other.float(), atol=2e-5), column.name


@pytest.mark.later
def test_both_ways_hold_the_strongest_of_all_pairs(net: Network, pictures: Tensor) -> None:
    every = general_edges(net, pictures, "join", "after", strongest=4, random=6)
    some = general_edges(net, pictures, "join", "after", strongest=4, random=6, k=2)
    score = torch.zeros(6, 5).scatter(1, every.made_of.unit, every.made_of.score)
    assert every.made_of.unit.shape == (6, 5)
    assert every.part_of.unit.shape == (5, 6)
    assert torch.equal(some.made_of.unit, score.abs().argsort(1, descending=True)[:, :2])
    assert torch.equal(some.part_of.unit, score.T.abs().argsort(1, descending=True)[:, :2])
    removed = torch.zeros(6, 5).scatter(1, every.made_of.unit, every.made_of.removed)
    assert torch.allclose(some.part_of.removed, removed.T.gather(1, some.part_of.unit), atol=1e-6)


@pytest.mark.later
@pytest.mark.parametrize("together", [1, 5])
def test_targets_taken_in_parts_give_the_same(
    net: Network, pictures: Tensor, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = general_edges(net, pictures, "join", "after", strongest=4, random=6, k=3)
    monkeypatch.setattr(gathering, "_PAIRS", 5 * together)
    monkeypatch.setattr(gathering, "TOGETHER", 3)
    monkeypatch.setattr(asked_module, "TOGETHER", 4)
    parts = general_edges(net, pictures, "join", "after", strongest=4, random=6, k=3)
    for way in ("made_of", "part_of"):
        one, other = getattr(whole, way), getattr(parts, way)
        assert torch.equal(one.unit, other.unit)
        assert torch.allclose(one.removed, other.removed, atol=1e-6)
        assert torch.allclose(one.score, other.score, atol=1e-6)
    assert torch.equal(whole.stability, parts.stability)


@pytest.mark.later
def test_kernels_stand_beside_edges_of_adjacent_layers(net: Network, pictures: Tensor) -> None:
    adjacent = general_edges(net, pictures, "body", "relu", strongest=4, random=6)
    weights = net.weights("body").gather(
        1, adjacent.made_of.unit[:, :, None, None].expand(-1, -1, 3, 3)
    )
    assert torch.allclose(adjacent.made_of.kernel_sum, weights.sum((2, 3)), atol=1e-6)
    assert torch.allclose(adjacent.made_of.kernel_norm, weights.flatten(2).norm(dim=2), atol=1e-6)
    assert not adjacent.weight_agreement.isnan().any()
    further = general_edges(net, pictures, "join", "stem", strongest=4, random=6)
    assert further.made_of.kernel_sum.isnan().all()
    assert further.weight_agreement.isnan().all()


def test_some_units_are_found_as_among_all(net: Network, pictures: Tensor) -> None:
    every = general_edges(net, pictures, "after", "relu", strongest=4, random=6)
    some = general_edges(net, pictures, "after", "relu", units=[3, 1], strongest=4, random=6)
    assert some.units == (3, 1)
    assert torch.equal(some.made_of.unit, every.made_of.unit[[3, 1]])
    assert torch.allclose(some.made_of.removed, every.made_of.removed[[3, 1]], atol=1e-6)
    assert set(some.part_of.unit.unique().tolist()) <= {1, 3}


@pytest.mark.later
def test_they_read_back_from_json_and_say_themselves(net: Network, pictures: Tensor) -> None:
    found = general_edges(net, pictures, "head", "pool", strongest=4, random=6, k=3)
    told = json.dumps(found.to_json(), allow_nan=False)
    assert json.dumps(GeneralEdges.from_json(json.loads(told)).to_json()) == told
    assert found.summary.startswith("pool -> head: 7 units, each on its 4 strongest pictures and 6")
    assert "nan" not in found.summary
    assert sheet(found).width > 500


def test_what_contradicts_its_score_is_marked() -> None:
    row = torch.tensor([[1.0, 1.0, 0.01, 1.0]])
    facts = Facts(torch.arange(4)[None], *[row] * 10)
    removed = torch.tensor([[0.9, 0.2, -0.01, torch.nan]])
    assert contradicts(replace(facts, removed=removed)).tolist() == [[False, True, False, False]]


def test_what_does_not_fit_is_told(net: Network, pictures: Tensor) -> None:
    with pytest.raises(ObjectiveError, match="'stem' is not made of 'head'"):
        general_edges(net, pictures, "stem", "head")
    with pytest.raises(UnknownUnitError, match="units 0 to 6; 9 was asked for"):
        general_edges(net, pictures, "head", "pool", units=[9])
    with pytest.raises(InputError, match="0 random pictures"):
        general_edges(net, pictures, "head", "pool", random=0)
    survey = Survey(net, ["head"]).over(TensorDataset(pictures))
    with pytest.raises(InputError, match="a survey of head was given for edges of 'pool'"):
        general_edges(net, pictures, "head", "pool", survey=survey)


def target_of(planted: Planted) -> tuple[str, int]:
    layer, _, rest = planted.target.partition(":")
    return layer, int(rest.partition("@")[0])


@pytest.mark.parametrize("planted", ALL, ids=str)
def test_planted_parts_make_a_difference_and_decoys_none(planted: Planted) -> None:
    layer, unit = target_of(planted)
    found = general_edges(planted.network(), planted.data, layer, planted.source, units=[unit])
    facts, truth = found.made_of, planted.truth
    effects = torch.stack([facts.removed, facts.kept, facts.raised, facts.removed_elsewhere])
    size = effects.nan_to_num().abs().amax((0, 1))
    largest = size.max()
    measured = dict(zip(facts.unit[0].tolist(), (size / largest).tolist(), strict=True))
    for idle in truth.idle:
        assert measured.get(idle, 0.0) < 0.05, f"unit {idle} is no part"
    assert not [i for i in (*truth.excites, *truth.inhibits) if measured.get(i, 0.0) < 0.05]
    sizes = dict(zip(facts.unit[0].tolist(), facts.magnitude[0].tolist(), strict=True))
    assert all(sizes[i] > 0.05 * max(sizes.values()) for i in truth.mixed)  # their means cancel


@pytest.mark.later
@pytest.mark.parametrize(("k", "above"), [(2, 0), (0, 0), (0, None)])
def test_edges_of_sources_may_be_left_out(
    net: Network, pictures: Tensor, k: int, above: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = general_edges(net, pictures, "join", "after", strongest=4, random=6, k=2)
    monkeypatch.setattr("phosphene.circuits.general.Asked", partial(Asked, above=above))
    found = general_edges(net, pictures, "join", "after", strongest=4, random=6, k=k)
    assert found.made_of.unit.shape == (len(found.units), k)
    assert found.part_of.unit.shape[1] == 0
    assert torch.equal(found.made_of.unit, whole.made_of.unit[:, :k])
    assert torch.allclose(found.made_of.removed, whole.made_of.removed[:, :k], atol=1e-6)
