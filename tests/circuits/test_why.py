"""Ways to a class add up, are what patching along them does, and what flips the answer flips it."""

import json

import pytest
import torch
from torch import nn

from circuits.branching import edited
from laws import unchanged
from phosphene.circuits import edges, why
from phosphene.circuits.baseline import baseline_of
from phosphene.circuits.target import Case, Target
from phosphene.circuits.ways import patched, ways_to
from phosphene.errors import InputError, NetworkError
from phosphene.network import Input, Network
from phosphene.objectives import Channel, unit_maps
from phosphene.results import sheet
from tiny import network, pictures, seeded


def small(bias: bool = True, seed: int = 3) -> Network:
    """Two layers of few units, so that all ways can be told."""

    def build() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 3, 3, bias=bias), nn.ReLU(), nn.Conv2d(3, 2, 3, bias=bias), nn.ReLU(),
            nn.Flatten(), nn.Linear(32, 4, bias=bias),
        )  # fmt: skip

    return Network(seeded(build, seed), Input(1, (8, 8)))


def test_all_ways_add_up_to_the_target() -> None:
    net = small(bias=False)
    shown = pictures(net, 1)
    absent = {layer: baseline_of(net, layer, "zero") for layer in ("1", "3")}
    case = Case(net, shown, Target(Channel("5", 2)))
    ways = ways_to(case, ("3", "1"), absent, 99)
    assert len(ways) <= 6
    value = net.record(shown, ["5"])["5"][0, 2]
    assert sum(way.score for way in ways) == pytest.approx(float(value), abs=1e-5)
    by_unit = edges(net, shown, Channel("5", 2), "1", baseline="zero").score[0]
    for unit in range(3):
        through = [way.score for way in ways if way.units[-1].index == unit]
        assert sum(through) == pytest.approx(float(by_unit[unit]), abs=1e-5)


@torch.no_grad()
def test_patching_along_a_way_is_what_it_says() -> None:
    net = small()
    shown, data = pictures(net, 1), pictures(net, 9, seed=2)
    absent = baseline_of(net, "1", "mean", data)
    clean = net.record(shown, ["1", "3", "5"])
    chains = [(0, 1), (1, 1), (1, 2)]
    case = Case(net, shown, Target(Channel("5", 2)))
    with unchanged(net.module):
        found = patched(case, chains, ("3", "1"), absent)
    for i, (upper, lower) in enumerate(chains):
        first = clean["1"].clone()
        first[:, lower] = absent.values[lower]
        told = torch.relu(net.module[2](first))
        second = clean["3"].clone()
        second[:, upper] = told[:, upper]
        t = net.module[5](second.flatten(1))[0, 2]
        assert float(found[i]) == pytest.approx(float(clean["5"][0, 2] - t), abs=1e-5)


@pytest.mark.later
def test_what_flips_the_answer_flips_it() -> None:
    flipped = 0
    for seed in range(12):
        net = small(seed=seed)
        shown, data = pictures(net, 1), pictures(net, 12, seed=4)
        found = why(net, shown, layers=["3", "1"], data=data)
        read = int(net.record(shown, ["5"])["5"].argmax())
        for flip in found.flips:
            levels = baseline_of(net, flip.layer, "mean", data).values
            index = [unit.index for unit in flip.units]

            def without(v: torch.Tensor, index: list[int] = index, levels: torch.Tensor = levels
                        ) -> torch.Tensor:  # fmt: skip
                v = v.clone()
                unit_maps(v)[:, index] = levels[index][:, None]
                return v

            with edited(net, flip.layer, without):
                scores = net.record(shown, ["5"])["5"][0]
            assert int(scores.argmax()) != read
            assert flip.becomes == net.called(net.unit(f"5:{int(scores.argmax())}"))
            assert flip.probability == pytest.approx(float(scores.softmax(0).max()), abs=1e-4)
            flipped += 1
    assert flipped


def test_why_this_and_not_that_is_the_difference() -> None:
    net = network("functional")
    shown, data = pictures(net, 1), pictures(net, 12, seed=4)
    found = why(net, shown, 2, 5, data=data, depth=1, k=99)
    scores = net.record(shown, ["fc2"])["fc2"][0]
    assert found.value == pytest.approx(float(scores[2] - scores[5]), abs=1e-5)
    term = Channel("fc2", 2) - Channel("fc2", 5)
    score = edges(net, shown, term, found.layers[0], data=data).score[0]
    for way in found.ways:
        assert way.score == pytest.approx(float(score[way.units[0].index]), abs=1e-5)
        assert way.contradicted == (
            abs(way.score - way.removed) > 0.5 * max(abs(way.score), abs(way.removed))
        )


@pytest.mark.later
def test_it_tells_itself_and_refuses_what_it_cannot_answer() -> None:
    net = network("functional")
    shown = pictures(net, 1)
    found = why(net, shown)
    assert found.question in found.summary
    assert json.loads(json.dumps(found.to_json()))["answer"] == found.answer
    assert sheet(found).width > 400
    with pytest.raises(InputError, match="compared with itself"):
        why(net, shown, 1, 1)
    with pytest.raises(InputError, match="0 ways"):
        why(net, shown, k=0)
    with pytest.raises(NetworkError):
        why(network("maps"), pictures(network("maps"), 1))
