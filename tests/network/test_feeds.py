"""Which layer feeds which, as one pass shows it."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tiny
from phosphene.network import Input, Network

GREY = Input(1, (8, 8))


def chain() -> nn.Module:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True)),
        nn.Dropout(),
        nn.Flatten(),
        nn.Linear(72, 3),
    )


class Added(nn.Module):
    """A residual block: what comes in is added to what a branch makes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3, padding=1)
        self.fc = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.conv(F.relu(x))
        y += x
        return self.fc(F.relu_(y).mean((2, 3)))


class Joined(nn.Module):
    """Two branches side by side, one of them written into a part of a tensor."""

    def __init__(self, written: bool) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 3, 3)
        self.fc = nn.Linear(5, 3)
        self.written = written

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.left(x), self.right(x)]
        if not self.written:
            return self.fc(torch.cat(parts, 1).mean((2, 3)))
        whole = x.new_zeros(len(x), 5, 6, 6)
        whole[:, :2], whole[:, 2:] = parts
        return self.fc(whole.mean((2, 3)))


class Reused(nn.Module):
    """One layer called twice, the second time on its own answer."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.fc = nn.Flatten(), nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(self.flat(x))
        return self.fc(x.relu()) + x


class Hidden(torch.autograd.Function):
    """Doubles, out of sight of whoever watches calls of functions."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return 2 * x


class Custom(nn.Module):
    """Its own function makes the value."""

    def forward(self, x: Tensor) -> Tensor:
        return Hidden.apply(x)


def custom() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), Custom(), nn.Conv2d(2, 2, 3))


JOINED = {"left": (), "right": (), "fc": ("left", "right"), "output": ("fc",)}

FEEDS: dict[str, tuple[Callable[[], nn.Module], dict[str, tuple[str, ...]]]] = {
    "chain": (
        chain,
        {
            "0.0": (),
            "0.1": ("0.0",),
            "0": ("0.1",),
            "1": ("0",),
            "2": ("1",),
            "3": ("2",),
            "output": ("3",),
        },
    ),
    "added": (
        Added,
        {"stem": (), "conv": ("stem",), "fc": ("stem", "conv"), "output": ("fc",)},
    ),
    "joined": (lambda: Joined(False), JOINED),
    "written": (lambda: Joined(True), JOINED),
    "reused": (
        Reused,
        {"flat": (), "fc@0": ("flat",), "fc@1": ("fc@0",), "output": ("fc@0", "fc@1")},
    ),
    "out of sight": (custom, {"0": (), "1": ("0",), "2": ("1",), "output": ("2",)}),
}


@pytest.mark.parametrize("name", FEEDS)
def test_a_layer_is_fed_by_those_it_is_made_of(name: str) -> None:
    build, expected = FEEDS[name]
    network = Network(tiny.seeded(build), GREY)
    assert network.feeds == expected


def test_a_derived_layer_is_fed_by_the_one_it_is_derived_from() -> None:
    network = Network(tiny.seeded(chain), GREY)
    seen = network.with_lens("sum", of="0.0", directions=torch.ones(1, 2))
    assert seen.feeds["0.0[sum]"] == ("0.0",)
    assert seen.feeds["0.1"] == ("0.0",)


@pytest.mark.parametrize("name", tiny.NETWORKS)
def test_all_that_comes_before_the_last_layer_feeds_it(name: str) -> None:
    network = tiny.network(name)
    places = {layer: i for i, layer in enumerate(network.layers)}
    for layer, sources in network.feeds.items():
        assert all(places[source] < places[layer] for source in sources), layer
    reached, waiting = set[str](), [list(network.layers)[-1]]
    while waiting:
        layer = waiting.pop()
        reached.add(layer)
        waiting += set(network.feeds[layer]) - reached
    weighted = {layer.name for layer in network.layers.values() if layer.weights}
    assert weighted <= reached
