"""Replaced values go on into the network, and nothing stays behind."""

import pytest
import torch
from torch import Tensor, nn

from laws import unchanged
from phosphene.errors import UnknownLayerError
from phosphene.network import Input, Network, replace
from tiny import NETWORKS, network, pictures


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_can_be_replaced_by_itself_without_a_change(name: str) -> None:
    net = network(name)
    shown = pictures(net)
    last = next(reversed(net.layers))
    expected = net.record(shown, [last])[last]
    for layer in (*net.layers, *net.layers.values()):
        with replace(net.module, layer, torch.clone):
            assert torch.equal(net.record(shown, [last])[last], expected), layer


@pytest.mark.parametrize("name", NETWORKS)
def test_what_follows_sees_the_replaced_values(name: str) -> None:
    net = network(name)
    shown = pictures(net)
    first, *_, last = net.layers
    with replace(net.module, first, torch.zeros_like):
        seen = net.record(shown, [first, last])
    assert not seen[first].any()
    assert torch.allclose(seen[last], seen[last][:1].expand_as(seen[last]), atol=1e-6)


class Reused(nn.Module):
    """x -> relu(relu(x) - 1), by one ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.relu(x) - 1).flatten(1)


@pytest.mark.parametrize(
    ("layer", "expected"),
    # 5 -> 5 -> 4 -> 4 untouched
    [("relu@0", 9.0), ("relu@1", 8.0), ("relu", 18.0), ("output", 8.0)],
)
def test_one_call_of_a_reused_module(layer: str, expected: float) -> None:
    module, five = Reused(), torch.full((1, 1, 1, 1), 5.0)
    with replace(module, layer, lambda value: 2 * value):
        for _ in range(2):  # calls are counted anew in each pass
            assert module(five).item() == expected
    assert module(five).item() == 4


def test_in_place_operations_after_the_layer_act_on_the_replaced_values() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True), nn.Flatten())
    net = Network(module, Input(1, (2, 2)))
    with replace(module, "0", lambda value: torch.full_like(value, -1.0)):
        seen = net.record(torch.rand(2, 1, 2, 2), ["0", "2"])
    assert (seen["0"] == -1).all()
    assert (seen["2"] == 0).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_module_is_given_back_as_it_was(name: str) -> None:
    net = network(name)
    layer = next(iter(net.layers))
    with unchanged(net.module), replace(net.module, layer, torch.zeros_like):
        net.record(pictures(net), [layer])

    def fail(value: Tensor) -> Tensor:
        raise ArithmeticError("inside")

    with unchanged(net.module), pytest.raises(ArithmeticError), replace(net.module, layer, fail):
        net.module(net.input.normalise(pictures(net)))


def test_an_unknown_layer_is_named_with_the_nearest() -> None:
    net = network("rectified")
    with (
        pytest.raises(UnknownLayerError, match="nearest: conv2, conv1"),
        replace(net.module, "conv3", torch.clone),
    ):
        pass
