"""Kernels of one pixel: the quicker way gives what the other does, and is taken where it gains."""

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.network import Input, Network
from phosphene.network.pointwise import quick

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(
        not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN"
    ),
]


def build() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.ReLU(),
        nn.Conv2d(16, 8, 1),
        nn.Conv2d(8, 8, 1, stride=2, padding=1, groups=2, bias=False),
        nn.Conv2d(8, 4, 1, padding="same"),
        nn.Conv2d(4, 4, 3, dilation=2, padding=2),
    )


def asked(network: Network, pictures: Tensor) -> tuple[set[str], Tensor, Tensor]:
    """Which operations a pass is made of, what it gives, and its gradient."""
    pictures = pictures.clone().requires_grad_()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        values = network.record(pictures, ["5"])["5"]
    (gradient,) = torch.autograd.grad(values.square().sum(), pictures)
    return {event.key for event in profile.key_averages()}, values, gradient


@pytest.mark.parametrize("count", [1, 4, 5, 15, 16])
def test_it_is_the_same_in_another_way(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(tiny.seeded(build), Input(3, (24, 24)))
    pictures = torch.rand(count, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    network.record(pictures[:1], ["5"])  # which is looked at first
    operations, values, gradient = asked(network, pictures)
    by_itself = {"aten::_slow_conv2d_forward", "aten::thnn_conv2d"} & operations
    assert bool(by_itself) == (count < 5)
    assert "aten::mkldnn_convolution" in operations
    monkeypatch.setattr("phosphene.network.pointwise._SOME", ())
    _, expected, slope = asked(network, pictures)
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(gradient, slope)


def test_where_it_would_not_gain_a_pass_goes_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, module = torch.rand(8, 3, 24, 24), tiny.seeded(build)
    assert type(quick(module, inputs)).__name__ == "_Pointwise"
    assert type(quick(module[:2], inputs)).__name__ == "nullcontext"
    assert type(quick(module, inputs[:4])).__name__ == "nullcontext"
    with monkeypatch.context() as patch:
        patch.setattr(torch.backends.mkldnn, "enabled", False)
        assert type(quick(module, inputs)).__name__ == "nullcontext"
    torch.set_num_threads(2)
    assert type(quick(module, inputs)).__name__ == "nullcontext"
