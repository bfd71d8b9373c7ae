"""Pictures of other sizes than the network's own, and the order they lie in."""

import pytest
import torch
from torch import Tensor, nn

from laws import unchanged
from phosphene.errors import NetworkError
from phosphene.network import Input, Network
from phosphene.network.fields.windows import quick
from phosphene.units import LOGITS


def seeded(*modules: nn.Module) -> nn.Sequential:
    generator = torch.Generator().manual_seed(3)
    whole = nn.Sequential(*modules)
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return whole.eval()


class Viewed(nn.Module):
    """Counts on its maps lying in the usual order."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1)


def deep(side: int, pool: nn.Module) -> Network:
    """Fields of 3, 7 and 15 pixels at strides of 2, then a head."""
    convs = [nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 5, 3, 2, 1), nn.ReLU()]
    convs += [nn.Conv2d(5, 6, 3, 2, 1), nn.ReLU()]
    places = 1 if isinstance(pool, nn.AdaptiveAvgPool2d) else (side // 8) ** 2
    head = [pool, nn.Flatten(), nn.Linear(6 * places, 7)]
    return Network(seeded(*convs, *head), Input(3, (side, side)))


@pytest.mark.later
def test_a_channel_is_drawn_on_three_fields_but_no_more_than_the_input() -> None:
    network = deep(96, nn.AdaptiveAvgPool2d(1))
    assert [network.fields[name].size[0] for name in ("0", "2", "4")] == [3, 7, 15]
    assert [network.window(name) for name in ("0", "2", "4")] == [(64, 64)] * 3
    assert network.window("8") == network.window(LOGITS) == (96, 96)
    wide = Network(seeded(nn.Conv2d(1, 2, (9, 31)), nn.ReLU()), Input(1, (80, 120)))
    assert wide.window("0") == (64, 96)  # 93, and what is transformed quickly


def test_sides_of_windows_are_quick_to_transform() -> None:
    for side in range(1, 400):
        found = quick(side)
        assert found >= side
        assert found % 2 == 0
        assert 210**9 % found == 0  # 2, 3, 5 and 7 alone
        assert not any(210**9 % other == 0 for other in range(side + side % 2, found, 2))


def test_small_inputs_are_left_as_they_are() -> None:
    network = deep(64, nn.AdaptiveAvgPool2d(1))
    assert {network.window(name) for name in network.layers} == {(64, 64)}


class Strict(nn.Module):
    """Takes one size only, and says so before its first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (80, 80):
            raise ValueError("80 x 80, please")
        return self.conv(x)


def test_a_network_of_one_size_is_drawn_on_that_size() -> None:
    network = Network(Strict(), Input(1, (80, 80)))
    assert network.window("conv") == (80, 80)
    assert network.takes((80, 80), "conv")
    assert not network.takes((64, 64), "conv")


@pytest.mark.parametrize(
    ("pool", "takes"), [(nn.AdaptiveAvgPool2d(1), True), (nn.Identity(), False)]
)
def test_what_takes_another_size(pool: nn.Module, takes: bool) -> None:
    network = deep(96, pool)
    for size in ((64, 64), (48, 112)):
        assert network.takes(size, "4")
        assert network.takes(size, LOGITS) == takes


def test_pictures_lie_channels_last_unless_the_module_minds() -> None:
    pictures = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    for flat, last in ((nn.Flatten(), True), (Viewed(), False)):
        module = seeded(nn.Conv2d(3, 4, 3), nn.ReLU(), flat, nn.Linear(400, 5))
        network = Network(module, Input(3, (12, 12)))
        maps = network.record(pictures, ["0"])["0"]
        assert maps.is_contiguous(memory_format=torch.channels_last) == last
        with unchanged(module):
            torch.testing.assert_close(network.class_scores(pictures), module(pictures).detach())


def test_a_network_that_fails_either_way_says_why() -> None:
    network = Network(seeded(nn.Conv2d(3, 4, 3), nn.Linear(5, 5)), Input(3, (12, 12)))
    with pytest.raises(
        NetworkError, match=r"failed on one picture of its own input size 3 x 12 x 12"
    ):
        network.layers  # noqa: B018
