"""Direct effects: what reaches a target around the layers that are held as they were."""

import pytest
import torch
from torch import nn

from laws import unchanged
from phosphene.circuits import direct, edges, measure
from phosphene.circuits.direct_effects import between
from phosphene.errors import InputError, UnknownUnitError
from phosphene.network import Input, Network
from planted import ALL, Planted
from tiny import network, pictures


@pytest.mark.parametrize("planted", [p for p in ALL if p.truth.routes], ids=str)
def test_a_route_alone_does_what_was_planted(planted: Planted) -> None:
    found = edges(
        planted.network(), planted.pictures, planted.target, planted.source, baseline="zero"
    )
    for route in planted.truth.routes:
        alone = direct(measure(found, None), {route.layer: route.held})
        for row, units in enumerate(alone.measured.tolist()):
            effect = alone.direct[row, units.index(route.unit)]
            assert effect == pytest.approx(route.removed[row], abs=1e-5)


@torch.no_grad()
def test_across_a_skip_it_is_the_skip() -> None:
    net = network("residual")
    shown = pictures(net, 2)
    found = measure(edges(net, shown, "fc:1", "stem.1", baseline="zero"), None)
    assert set(between(net, "stem.1", frozenset({"fc"}))) == {"conv1", "bn1", "conv2", "bn2"}
    with unchanged(net.module):
        alone = direct(found)
    for row in range(2):
        kept = net.record(shown[row : row + 1], ["bn2", "stem.1"])
        bypass = torch.relu(kept["stem.1"])
        for rank, unit in enumerate(found.measured[row].tolist()):
            less = bypass.clone()
            less[:, unit] = 0
            weights, bias = net.module.fc.weight[1], net.module.fc.bias[1]
            # `bn2` holds the sum, which is added in place; so take the branch alone from it
            branch = kept["bn2"]
            t = [
                (torch.relu(branch + some).mean((2, 3)) @ weights + bias) for some in (bypass, less)
            ]
            assert float(alone.direct[row, rank]) == pytest.approx(float(t[0] - t[1]), abs=1e-5)


def test_with_nothing_held_it_is_total_and_without_a_way_around_it_is_nothing() -> None:
    net = network("functional")
    found = measure(edges(net, pictures(net, 2), "fc2:1", "conv1", baseline="zero"), None)
    assert torch.allclose(direct(found, ()).direct, found.removed, atol=1e-5)
    for held in (None, "conv2"):
        assert torch.allclose(direct(found, held).direct, torch.zeros(2, 4), atol=1e-6)
    assert found.removed.abs().max() > 1e-3


def test_what_cannot_be_held_is_refused() -> None:
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3), nn.ReLU())
    found = edges(
        Network(module, Input(1, (9, 9))), torch.rand(1, 1, 9, 9), "2:1", "0", baseline="zero"
    )
    with pytest.raises(InputError, match="what the edges lead from or to"):
        direct(found, ["2"])
    with pytest.raises(UnknownUnitError, match="units 0 to 2"):
        direct(found, {"1": [3]})
