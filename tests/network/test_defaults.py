"""Which layers of a large network a study looks at, and what layers cost."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import modern
import tiny
from phosphene.network import Input, Network


def defaults(module: nn.Module, size: int = 64) -> list[str]:
    return [layer.name for layer in Network(module.eval(), Input(3, (size, size))).default_layers]


class Basic(nn.Module):
    """A ResNet's block."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2, self.relu = nn.BatchNorm2d(outer), nn.ReLU(inplace=True)
        self.down = nn.Conv2d(inner, outer, 1, stride) if inner != outer else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.down(x))


def resnet(*blocks: int) -> nn.Sequential:
    """A stem, stages of so many blocks, each at half the resolution of the one before, a head."""
    network = nn.Sequential()
    network.add_module("conv1", nn.Conv2d(3, 4, 7, 2, 3, bias=False))
    network.add_module("bn1", nn.BatchNorm2d(4))
    network.add_module("relu", nn.ReLU(inplace=True))
    network.add_module("maxpool", nn.MaxPool2d(3, 2, 1))
    inner = 4
    for i, count in enumerate(blocks):
        outer = 4 * 2**i
        stage = [Basic(inner if k == 0 else outer, outer, 2 if i and k == 0 else 1)
                 for k in range(count)]  # fmt: skip
        network.add_module(f"layer{i + 1}", nn.Sequential(*stage))
        inner = outer
    network.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc", nn.Linear(inner, 10))
    return network


@pytest.mark.later
def test_a_resnet_is_told_by_its_stages() -> None:
    assert defaults(resnet(2, 2, 2, 2)) == ["bn1", "layer1", "layer2", "layer3", "layer4", "fc"]


def test_a_small_network_is_told_whole() -> None:
    names = defaults(resnet(1, 1))
    assert names == ["bn1", "layer1.0.bn1", "layer1.0.bn2", "layer2.0.bn1", "layer2.0.bn2",
                     "layer2.0.down", "fc"]  # fmt: skip


@pytest.mark.later
def test_a_stage_of_more_than_half_the_network_is_told_in_quarters() -> None:
    assert defaults(resnet(1, 1, 9)) == [
        "bn1", "layer1", "layer2", "layer3.2", "layer3.4", "layer3.6", "layer3.8", "fc",
    ]  # fmt: skip


def vgg() -> nn.Sequential:
    """VGG-16's convolutions with few channels, and its three dense layers."""
    layers: list[nn.Module] = []
    inner = 3
    for count, outer in ((2, 4), (2, 8), (3, 12), (3, 16), (3, 16)):
        for _ in range(count):
            layers += [nn.Conv2d(inner, outer, 3, padding=1), nn.ReLU(inplace=True)]
            inner = outer
        layers.append(nn.MaxPool2d(2))
    network = nn.Sequential()
    network.add_module("features", nn.Sequential(*layers))
    network.add_module("flatten", nn.Flatten())
    dense = [nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 10)]
    network.add_module("classifier", nn.Sequential(*dense))
    return network


def test_a_plain_stack_is_told_by_the_last_convolution_before_each_change() -> None:
    assert defaults(vgg()) == [
        "features.2", "features.7", "features.14", "features.21", "features.28",
        "classifier.2", "classifier.4",
    ]  # fmt: skip


class Wrapped(nn.Module):
    """A library's wrapper: the network proper gives back a dictionary to the head."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk, self.head = trunk, nn.Linear(8, 10)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": self.head(self.trunk(x)["hidden"][:, 0])}


class Trunk(nn.Module):
    """A transformer whose blocks are in a list and give back a tuple each."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, 8, 16, 16), nn.Parameter(torch.zeros(1, 1, 8))
        self.layer = nn.ModuleList([Tupled() for _ in range(blocks)])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.patches(x).flatten(2).mT
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        for layer in self.layer:
            (x,) = layer(x)
        return {"hidden": x}


class Tupled(modern.Encoder):
    """A block that gives back a tuple."""

    def __init__(self) -> None:
        super().__init__(8)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (super().forward(x),)


@pytest.mark.later
@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (lambda: modern.ViT(blocks=8), ["blocks.1", "blocks.3", "blocks.5", "blocks.7", "head"]),
        (
            lambda: Wrapped(Trunk(6)),
            [*(f"trunk.layer.{i}[0]" for i in (1, 2, 4, 5)), "head"],
        ),
    ],
)
def test_transformers_are_told_in_quarters(
    module: Callable[[], nn.Module], expected: list[str]
) -> None:
    assert defaults(module()) == expected


def test_costs_are_multiply_adds_of_all_that_runs_inside() -> None:
    network = Network(modern.Mobile(), Input(3, (16, 16)))
    costs = network.costs
    assert costs["features.0"] == 8 * 8 * 4 * 3 * 9
    assert costs["features.2"] == 8 * 8 * 4 * 9  # depthwise
    assert costs["features.5"] == 8 * 8 * 8 * 4 * 9  # in two groups
    assert costs["features.1"] == 0
    assert costs["features.6"] == 8 * 2 + 2 * 8
    assert costs["head"] == 8 * 5
    assert costs["features"] == sum(costs[f"features.{i}"] for i in range(7))
    assert costs["output"] == costs["features"] + costs["head"]


@pytest.mark.later
def test_costs_of_calls_and_of_attention() -> None:
    vit = Network(modern.ViT(), Input(3, (16, 16)))
    tokens, width = 17, 8
    projections, products = 4 * tokens * width**2, 2 * tokens**2 * width
    assert "places[class]" not in vit.costs
    assert vit.costs["blocks.0.attention[0]"] == projections + products
    assert vit.costs["blocks.0"] == projections + products + 2 * tokens * width * 12
    reused = tiny.network("residual")
    assert {reused.costs[f"relu@{i}"] for i in range(3)} == {0}
    shared = Network(Shared(), Input(3, (16, 16)))
    assert shared.costs["conv@0"] == 4 * shared.costs["conv@1"]


class Shared(nn.Module):
    """One convolution at two resolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.conv(x)).mean((2, 3))
