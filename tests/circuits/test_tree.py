"""Trees of parts: every part is an edge, every edge was measured, what is left out is counted."""

import json

import pytest
import torch
from torch import nn

from circuits.branching import branching
from laws import unchanged
from phosphene.circuits import edges, measure, parts
from phosphene.circuits.acting import acts_in
from phosphene.errors import InputError
from phosphene.network import Input, Network
from phosphene.objectives import Channel
from phosphene.results import sheet
from phosphene.units import Unit
from planted import ALL, Planted
from tiny import network, pictures, seeded


@pytest.mark.parametrize("planted", ALL, ids=str)
def test_parts_that_are_there_are_those_that_were_planted(planted: Planted) -> None:
    """From zero a unit is there if it answers; those that change the target are parts."""
    net, truth = planted.network(), planted.truth
    for row, picture in enumerate(planted.pictures):
        tree = parts(net, picture, planted.target, planted.source, k=99, data=planted.data,
                     baseline="zero")  # fmt: skip
        found = {part.unit.index: part for part in tree.root.parts}
        for unit, part in found.items():
            assert part.edge.removed == pytest.approx(truth.from_zero.removed[row][unit], abs=1e-4)
            assert part.edge.kept == pytest.approx(truth.from_zero.kept[row][unit], abs=1e-4)
            assert part.edge.raised == pytest.approx(truth.raised[row][unit], abs=1e-4)
            assert part.value > 0
        assert not set(found) & {
            u for u in truth.idle if not truth.from_zero.removed[row][u]
        } or all(
            found[u].edge.removed == pytest.approx(0, abs=1e-4)
            for u in set(found) & set(truth.idle)
        )


@pytest.mark.later
@pytest.mark.parametrize(
    ("name", "target"), [("branching", "1"), ("functional", "2"), ("dense", "1"), ("residual", "3")]
)
def test_each_level_is_the_edges_of_the_one_above(name: str, target: str) -> None:
    net = branching(4) if name == "branching" else network(name)
    (shown,) = pictures(net, 1)
    data = pictures(net, 12, seed=5)
    with unchanged(net.module):
        tree = parts(net, shown, int(target), k=2, depth=2, data=data)
    assert tree.root.parts
    above = [tree.root]
    for layer in tree.layers:
        below = []
        for whole in above:
            meant = (
                Channel(whole.unit.layer, whole.unit.index) if whole.unit.y is None else whole.unit
            )
            alone = measure(edges(net, shown, meant, layer, data=data), None)
            order = alone.measured[0].tolist()
            for part in whole.parts:
                at = order.index(part.unit.index)
                assert part.unit.layer == layer
                assert part.edge.score == pytest.approx(
                    float(alone.score[0, part.unit.index]), abs=1e-5
                )
                assert part.edge.removed == pytest.approx(float(alone.removed[0, at]), abs=1e-5)
                assert part.edge.kept == pytest.approx(float(alone.kept[0, at]), abs=1e-5)
                assert part.edge.contradicted in {True, False}
            if whole.parts:
                total = sum(part.edge.score for part in whole.parts) + whole.rest.score
                assert total == pytest.approx(float(alone.explained[0]), abs=1e-4)
                assert whole.rest.units + len(whole.parts) == net.layer(layer).units
            below += whole.parts
        above = below


def test_a_part_stands_where_it_adds_most_and_sees_that_patch() -> None:
    """A convolution that looks for a light corner, on a picture with one."""
    conv, head = nn.Conv2d(1, 2, 2, bias=False), nn.Conv2d(2, 1, 5, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[[[1.0, 1], [1, 1]]], [[[-1.0, 0], [0, 0]]]]))
        head.weight.fill_(1.0)
    net = Network(nn.Sequential(conv, nn.ReLU(), head, nn.Flatten()), Input(1, (6, 6)))
    shown = torch.zeros(1, 6, 6)
    shown[0, 3:5, 1:3] = 1
    tree = parts(net, shown, Unit("2", 0), k=2)
    (part,) = tree.root.parts
    assert part.unit == Unit("1", 0, 3, 1)
    assert (part.value, part.box) == (4.0, (3, 1, 5, 3))
    assert torch.equal(part.patch, torch.ones(1, 2, 2))
    assert float(part.edge.score) == 16.0  # the corner and what touches it
    assert tree.root.rest.units == 1


@pytest.mark.later
def test_a_share_decides_how_many() -> None:
    net = branching(2)
    (shown,) = pictures(net, 1)
    few = parts(net, shown, 1, "both", k=None, share=0.3)
    more = parts(net, shown, 1, "both", k=None, share=0.9)
    assert len(few.root.parts) <= few.root.rest.needed <= more.root.rest.needed
    sizes = (
        edges(net, shown, 1, "both", baseline="zero").score[0].abs().sort(descending=True).values
    )
    assert sizes[: more.root.rest.needed].sum() >= 0.9 * sizes.sum()
    assert sizes[: more.root.rest.needed - 1].sum() < 0.9 * sizes.sum()


@pytest.mark.later
def test_units_of_several_branches_are_taken_before_their_own_rectifier() -> None:
    net = branching(3)
    (shown,) = pictures(net, 1)
    tree = parts(net, shown, "last:2", k=9)
    layers = {net.before_rectifier(Unit("both", part.unit.index)).layer for part in tree.root.parts}
    assert layers == {"left", "right"}
    assert not any("rectified in several layers" in remark for remark in tree.remarks)


@pytest.mark.later
def test_it_tells_itself_in_words_json_and_a_picture() -> None:
    net = network("functional")
    tree = parts(net, pictures(net, 1)[0], 1, k=2)
    told = json.loads(json.dumps(tree.to_json()))
    assert told["root"]["parts"][0]["edge"]["removed"] == tree.root.parts[0].edge.removed
    assert tree.root.name in tree.summary
    assert sheet(tree).width > 400


def test_what_cannot_be_asked_is_refused() -> None:
    net = network("functional")
    (shown,) = pictures(net, 1)
    with pytest.raises(InputError, match="0 parts and 2 stages"):
        parts(net, shown, 1, k=0)
    with pytest.raises(InputError, match="a share of 0"):
        parts(net, shown, 1, share=0)
    with pytest.raises(InputError, match="has no one stage below it"):
        parts(net, shown, Channel("conv1", 0) + Channel("conv2", 0))


def test_a_network_of_tokens_has_a_tree() -> None:
    net = network("tokens")
    tree = parts(net, pictures(net, 1)[0], "output:1", "patches", k=3)
    assert tree.root.parts
    assert all(part.unit.y is not None for part in tree.root.parts)


def test_a_network_seeded_otherwise_has_another() -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))

    shown = torch.rand(1, 8, 8)
    nets = [Network(seeded(build, seed), Input(1, (8, 8))) for seed in (0, 1)]
    told = [parts(net, shown, 1).to_json() for net in nets]
    assert told[0] != told[1]
    assert told[0] == parts(nets[0], shown, 1).to_json()


def test_of_a_large_field_the_part_is_shown_that_counts() -> None:
    map_ = torch.zeros(3, 60, 48)
    map_[:, 40:46, 5:11] = -1
    box = acts_in(map_, (-20, -20, 70, 60))
    assert box[2] - box[0] == box[3] - box[1] == 10
    assert (box[0] <= 40, box[2] >= 46) == (box[1] <= 5, box[3] >= 11) == (True, True)
    assert acts_in(map_, (38, 3, 50, 15)) == (38, 3, 50, 15)  # small enough as it is
    assert acts_in(map_ * 0, (-20, -20, 70, 60)) == (-20, -20, 70, 60)
    assert acts_in(torch.ones(3, 60, 48), (-20, -20, 70, 60)) == (0, 0, 60, 48)
    corner = torch.zeros(1, 60, 60)
    corner[0, 59, 0] = 1
    assert acts_in(corner, (0, 0, 60, 60)) == (50, 0, 60, 10)
