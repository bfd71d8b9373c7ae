"""Measured edges against a pass of its own for each, on whole maps and in windows."""

import pytest
import torch
from torch import nn

from circuits.branching import branching, edited, filled, one_by_one
from laws import unchanged
from phosphene.circuits import edges, interactions, measure
from phosphene.circuits.measuring import Whole, Windowed, stretch
from phosphene.errors import InputError
from phosphene.network import Input, Network
from tiny import network, pictures

PAIRS = [
    ("branching", "stem.0", "out:3"),
    ("branching", "stem", "both:1"),
    ("branching", "join", "last:2"),
    ("branching", "both", "1"),
    ("residual", "conv1", "conv2:2"),
    ("residual", "stem.1", "bn2:2"),
    ("functional", "conv1", "conv2:3"),
    ("tokens", "patches", "block.linear2:3"),
    ("maps", "0", "5:1"),
    ("dense", "1", "2"),
]


@pytest.mark.later
@pytest.mark.parametrize(("name", "source", "target"), PAIRS)
def test_each_effect_equals_passes_of_its_own(name: str, source: str, target: str) -> None:
    net = branching(4) if name == "branching" else network(name)
    shown, data = pictures(net, 2), pictures(net, 20, seed=5)
    found = edges(net, shown, target, source, data=data)
    absent, high = found.baseline.values, found.baseline.high
    for windows in (True, False):
        with unchanged(net.module):
            measured = measure(found, None, windows=windows)
        order = measured.measured
        for i in range(2):
            term, one = found.term.take([i]), shown[i : i + 1]
            removed = found.values[i] - one_by_one(net, term, source, absent, one)
            raised = one_by_one(net, term, source, high, one) - found.values[i]
            assert torch.allclose(measured.removed[i], removed[order[i]], atol=1e-5)
            assert torch.allclose(measured.raised[i], raised[order[i]], atol=1e-5)


@pytest.mark.later
@pytest.mark.parametrize(("name", "source", "target"), PAIRS)
def test_a_kept_unit_is_what_removing_all_others_leaves(
    name: str, source: str, target: str
) -> None:
    net = branching(6) if name == "branching" else network(name)
    shown = pictures(net, 2)
    found = edges(net, shown, target, source, baseline="zero")
    measured = measure(found, None)
    lone = measure(edges(net, shown, target, source, baseline="zero"), 2, ("keep",))
    assert torch.allclose(lone.kept, measured.kept[:, :2], atol=1e-6)
    assert lone.removed is None
    for i in range(2):
        term = found.term.take([i])
        for rank, unit in enumerate(measured.measured[i].tolist()):

            def others(values: torch.Tensor, unit: int = unit) -> torch.Tensor:
                for other in range(net.layer(source).units):
                    values = values if other == unit else filled(values, other, 0.0)
                return values

            with edited(net, source, others):
                t = term(net.record(shown[i : i + 1], term.layers))
            assert torch.allclose(measured.kept[i, rank], (t - found.without[i])[0], atol=1e-5)


@pytest.mark.later
def test_windows_are_used_where_they_are_the_same_and_only_there() -> None:
    net = branching(4)
    shown = pictures(net, 2)

    def by(source: str, target: object) -> type:
        return type(stretch(edges(net, shown, target, source, baseline="zero")))

    assert by("stem", "last:2") is Windowed
    assert by("join", "both:1") is Windowed
    assert by("stem", "1") is Whole  # a class sees all
    assert by("twice@0", "last:2") is Whole  # a connection leads around


def test_twins_are_redundant_and_parts_of_an_and_are_joint() -> None:
    both = torch.ones(1, 1, 1, 2)
    module = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.Linear(2, 2), nn.ReLU(),
                           nn.Linear(2, 2))  # fmt: skip
    with torch.no_grad():
        module[1].weight.copy_(torch.eye(2))
        module[2].weight.fill_(1.0)
        module[2].bias.copy_(torch.tensor([0.0, -1.0]))
        module[4].weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 1.0]]))
        module[4].bias.zero_()
    net = Network(module, Input(1, (1, 2)))
    redundant = interactions(edges(net, both, "4:0", "1", baseline="zero"))  # min(1, a + b)
    joint = interactions(edges(net, both, "4:1", "1", baseline="zero"))  # max(0, a + b - 1)
    assert redundant[0].tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert joint[0].tolist() == [[0.0, -1.0], [-1.0, 0.0]]


def test_edges_whose_measurement_is_another_are_marked() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False),
                           nn.Hardtanh(0.0, 1.0), nn.Linear(2, 2, bias=False))  # fmt: skip
    with torch.no_grad():
        module[1].weight.copy_(torch.eye(2))
        module[2].weight.copy_(torch.tensor([[5.0, 0.0], [0.0, 0.5]]))
        module[4].weight.fill_(1.0)
    net = Network(module, Input(1, (1, 2)))
    found = measure(edges(net, torch.ones(1, 1, 1, 2), "4:0", "1", baseline="zero"), None)
    effects = dict(zip(found.measured[0].tolist(), found.removed[0].tolist(), strict=True))
    marked = dict(zip(found.measured[0].tolist(), found.contradicted[0].tolist(), strict=True))
    assert found.score[0].tolist() == [0.0, 0.5]  # the first is saturated
    assert effects == {0: 1.0, 1: 0.5}
    assert marked == {0: True, 1: False}


@pytest.mark.later
def test_what_cannot_be_measured_is_said() -> None:
    net = branching(4)
    found = edges(net, pictures(net), "1", "stem", baseline="zero")
    with pytest.raises(InputError, match="what is high"):
        measure(found, what=("raise",))
    with pytest.raises(InputError, match="remove, keep, raise"):
        measure(found, what=("ablate",))
    assert measure(found).raised is None
    assert measure(found, 2).measured.shape == (3, 2)
