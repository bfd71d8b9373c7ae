"""Stages: the layers through which all has to pass, one for each step with weights."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from circuits.branching import branching
from phosphene.circuits import stages
from phosphene.circuits.staging import called
from phosphene.errors import ObjectiveError, UnknownLayerError
from phosphene.network import Input, Network
from phosphene.units import Unit
from tiny import network


class Block(nn.Module):
    """Two convolutions, with a connection around them."""

    def __init__(self, around: bool = True) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu, self.around = nn.ReLU(), around

    def forward(self, x: Tensor) -> Tensor:
        y = self.two(self.relu(self.one(x)))
        return self.relu(x + y if self.around else y)


def blocks() -> nn.Module:
    """The second block is bare of its connection, and a block all the same."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Sequential(Block(), Block(around=False)),
        nn.Dropout(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )


class Wrapped(nn.Module):
    """A backbone and a head: the backbone is more than a list, and no block."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = Backbone(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x).mean((2, 3)))


class Backbone(nn.Module):
    """What is inside of it counts."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 4, 3), Block()

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.stem(x))


class Beside(nn.Module):
    """Two ways, from the picture on."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 2, 3), nn.Conv2d(3, 2, 3)
        self.head = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((self.left(x).relu() + self.right(x).relu()).mean((2, 3)))


@pytest.mark.parametrize(
    ("build", "layer", "found"),
    [
        (blocks, "8", ("4.1", "4.0", "2")),
        (blocks, "4.1", ("4.0", "2")),
        (blocks, "4.1.two", ("4.1.relu@0", "4.0", "2")),
        (blocks, "4.0", ("2",)),
        (Wrapped, "head", ("backbone.block", "backbone.stem")),
    ],
)
def test_each_step_with_weights_is_one(
    build: Callable[[], nn.Module], layer: str, found: tuple[str, ...]
) -> None:
    assert stages(Network(build().eval(), Input(3, (16, 16))), layer) == found


def test_of_networks_of_all_kinds() -> None:
    assert stages(network("functional"), "fc2") == ("fc1", "conv2", "conv1")
    assert stages(network("dense"), "3") == ("2",)
    assert stages(network("residual"), "fc") == ("relu@2", "relu@0")
    assert stages(branching(0), "head") == ("out", "both", "join", "stem.1")


def test_where_there_is_none_it_says_so() -> None:
    net = Network(Beside(), Input(3, (8, 8)))
    with pytest.raises(ObjectiveError, match="no layer of Beside is a stage below 'head'"):
        stages(net, "head")
    with pytest.raises(ObjectiveError, match="stage below 'left'"):
        stages(net, "left")
    with pytest.raises(UnknownLayerError, match="head"):
        stages(net, "heat")


def test_all_that_a_layer_is_made_of_passes_each_stage() -> None:
    """With the stage's values held, another picture changes nothing after it."""
    net = Network(blocks().eval(), Input(3, (16, 16)))
    one, other = torch.rand(2, 1, 3, 16, 16)
    for name in stages(net, "8"):
        held = net.record(one, [name])[name]
        assert torch.allclose(
            net.onward(name, held, ["8"])["8"], net.record(one, ["8"])["8"], atol=1e-6
        )
        assert not torch.allclose(net.record(one, ["8"])["8"], net.record(other, ["8"])["8"])


def test_units_are_called_as_a_study_calls_them() -> None:
    net = Network(blocks().eval(), Input(3, (16, 16)))
    assert called(net, Unit("2", 3, 1, 4)) == "1:3@1,4"  # a rectifier, by the norm before it
    assert called(net, Unit("4.0", 2)) == "4.0:2"  # a block is more than what it rectifies
    assert called(branching(0), Unit("both", 5)) == "both:5"  # rectified in two layers
    assert called(network("functional"), Unit("fc2", 1)) == "class 1"
