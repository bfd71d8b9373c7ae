"""Wholes: each later unit changes by what a pass with the part removed shows."""

import json
from functools import partial

import pytest
import torch
from torch import nn

from circuits.branching import branching, edited, filled
from laws import unchanged
from phosphene.circuits import edges, measure, parts, wholes, why
from phosphene.circuits.baseline import baseline_of
from phosphene.errors import InputError
from phosphene.network import Input, Network
from phosphene.objectives import unit_maps
from phosphene.results import sheet
from phosphene.units import Unit
from planted import ALL, Planted
from tiny import network, pictures

CASES = [
    ("branching", "stem", 2, ("both", "last", "head")),
    ("residual", "conv1", 3, ("bn2", "fc")),
    ("functional", "conv1", 3, ("conv2", "fc2")),
    ("dense", "2", 5, ("3",)),
    ("tokens", "patches", 3, ("block.linear2", "output")),
]


@pytest.mark.later
@pytest.mark.parametrize(("name", "layer", "unit", "later"), CASES)
def test_each_effect_is_that_of_a_pass_of_its_own(
    name: str, layer: str, unit: int, later: tuple[str, ...]
) -> None:
    net = branching(4) if name == "branching" else network(name)
    shown, data = pictures(net, 2), pictures(net, 15, seed=3)
    with unchanged(net.module):
        found = wholes(net, shown, Unit(layer, unit), later, k=99, data=data)
    absent = baseline_of(net, layer, "mean", data)
    assert found.layers == later
    for some in found.wholes:
        assert some
        for whole in some:
            inside = net.before_rectifier(whole.unit) or whole.unit
            values = net.record(shown, [inside.layer])[inside.layer]
            t = unit_maps(values)[:, inside.index]
            place = t.argmax(1)
            for effect, level in ((whole.removed, absent.values), (whole.raised, absent.high)):
                with edited(net, layer, lambda v, level=level: filled(v, unit, float(level[unit]))):
                    other = net.record(shown, [inside.layer])[inside.layer]
                at = unit_maps(other)[:, inside.index]
                rows = torch.arange(2)
                change = (t[rows, place] - at[rows, place]).mean()
                sign = 1 if effect is whole.removed else -1
                assert effect == pytest.approx(sign * float(change), abs=1e-5)


@pytest.mark.parametrize("planted", ALL, ids=str)
def test_a_part_of_the_target_is_part_of_it_from_below_too(planted: Planted) -> None:
    net, truth = planted.network(), planted.truth
    target = Unit.parse(planted.target)
    found = measure(
        edges(net, planted.pictures, Unit(target.layer, target.index), planted.source,
              baseline="zero", data=planted.data), None,
    )  # fmt: skip
    for unit in truth.parts:
        up = wholes(net, planted.pictures, Unit(planted.source, unit), target.layer, k=99,
                    data=planted.data, baseline="zero")  # fmt: skip
        effects = [
            float(found.removed[row, units.index(unit)])
            for row, units in enumerate(found.measured.tolist())
        ]
        (mine,) = [w for w in up.wholes[0] if w.unit.index == target.index] or [None]
        expected = sum(effects) / len(effects)
        assert (mine.removed if mine else 0.0) == pytest.approx(expected, abs=1e-4)


@pytest.mark.later
def test_the_next_stage_and_the_classes_unless_others_are_named() -> None:
    net = network("functional")
    found = wholes(net, pictures(net, 1), "conv1:2", k=2)
    assert found.layers == ("conv2", "fc2")
    assert found.baseline == "zero"
    assert wholes(net, pictures(net, 1), "fc1:2").layers == ("fc2",)
    assert all(len(some) <= 2 for some in found.wholes)
    assert json.loads(json.dumps(found.to_json()))["layers"]["fc2"]
    assert "conv1:2" in found.summary
    assert sheet(found).width > 400


def test_what_does_not_come_after_it_is_refused() -> None:
    net = network("functional")
    with pytest.raises(InputError, match="'conv1' does not come after 'conv2'"):
        wholes(net, pictures(net, 1), "conv2:0", "conv1")
    with pytest.raises(InputError, match="a part of nothing"):
        wholes(net, pictures(net, 1), "fc2:0")
    with pytest.raises(InputError, match="k=0"):
        wholes(net, pictures(net, 1), "conv2:0", k=0)


def test_its_own_rectifier_is_no_whole() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)
    )
    net = Network(module, Input(1, (8, 8)))
    for layer in ("0", "1"):
        assert wholes(net, torch.rand(1, 1, 8, 8), f"{layer}:1").layers == ("3", "5")


def test_deviations_are_told_only_where_there_are_any() -> None:
    net = network("functional")
    shown = pictures(net, 1)
    one = wholes(net, shown, "conv1:2", k=2, data=pictures(net, 1, seed=8))
    alike = wholes(net, shown, "conv1:2", k=2, data=pictures(net, 1, seed=8).repeat(4, 1, 1, 1))
    for found in (one, alike):
        assert all(each.deviations is None for some in found.wholes for each in some)
        json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.later
def test_a_baseline_is_what_was_asked_for_or_refused() -> None:
    net = network("functional")
    shown = pictures(net, 1)
    for ask in (partial(wholes, net, shown, "conv1:2"), partial(parts, net, shown, 1),
                partial(why, net, shown)):  # fmt: skip
        with pytest.raises(InputError, match=r"the mean of layer .* no data"):
            ask(baseline="mean")
        with pytest.raises(InputError, match="a baseline 'median' was given"):
            ask(baseline="median", data=pictures(net, 3))
        assert ask().baseline == "zero"
        assert ask(data=pictures(net, 3)).baseline == "mean of 3 pictures"
