"""Receptive fields against published ones, and against gradients of positive-weight networks."""

import random

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.network import Input, Network, ReceptiveField
from phosphene.objectives import Neuron
from phosphene.zoo import hvass

pytestmark = pytest.mark.slow  # together more than a few seconds


def sizes(network: Network, *names: str) -> list[tuple[int, int]]:
    return [network.fields[name].size for name in names]


def square(*sides: int) -> list[tuple[int, int]]:
    return [(side, side) for side in sides]


def test_hvass() -> None:
    network = Network(hvass(), Input(1, (28, 28)))
    assert sizes(network, "conv1", "conv2") == square(5, 14)
    assert sizes(network, "pool1", "pool2") == square(6, 16)
    assert network.fields["fc1"].whole
    assert sizes(network, "fc1", "fc2") == square(28, 28)


def alexnet() -> nn.Sequential:
    """The convolutions of AlexNet as torchvision has them, with a sixteenth of the channels."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 11, 4, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        nn.Conv2d(4, 12, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(24, 16, 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(inplace=True),
    )  # fmt: skip


def test_alexnet() -> None:
    network = Network(alexnet(), Input(3, (224, 224)))
    assert sizes(network, "0", "3", "6", "8", "10") == square(11, 51, 99, 131, 163)


class Block(nn.Module):
    """A ResNet's basic block."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Sequential()
        if stride != 1:
            self.down = nn.Sequential(
                nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += self.down(x)
        return self.relu(y)


def resnet18() -> nn.Module:
    """ResNet-18 with a sixteenth of the channels, and its global pooling."""
    network = nn.Sequential()
    network.add_module("conv1", nn.Conv2d(3, 4, 7, 2, 3, bias=False))
    network.add_module("bn1", nn.BatchNorm2d(4))
    network.add_module("relu", nn.ReLU(inplace=True))
    network.add_module("maxpool", nn.MaxPool2d(3, 2, 1))
    inner = 4
    for i, outer in enumerate((4, 8, 16), 1):
        blocks = nn.Sequential(Block(inner, outer, 1 if i == 1 else 2), Block(outer, outer, 1))
        network.add_module(f"layer{i}", blocks)
        inner = outer
    network.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc", nn.Linear(16, 10))
    return network


def test_resnet18() -> None:
    network = Network(resnet18(), Input(3, (224, 224)))
    assert sizes(network, "conv1", "layer1", "layer2", "layer3") == square(7, 43, 99, 211)
    assert not network.fields["layer3"].whole
    for name in ("avgpool", "flatten", "fc", "output"):
        assert network.fields[name].whole
        assert network.fields[name].size == (224, 224)
        assert network.fields[name].rows == ((0, 223),)


def test_fields_larger_than_the_picture_are_measured_on_a_larger_one() -> None:
    network = Network(resnet18(), Input(3, (64, 64)))
    assert sizes(network, "conv1", "layer1", "layer2") == square(7, 43, 99)


def test_attention_sees_the_whole_picture() -> None:
    fields = tiny.network("tokens").fields
    assert fields["patches"].size == (4, 4)
    for name in ("block", "block.linear1", "output"):
        assert fields[name].whole
        assert fields[name].size == (16, 12)
    assert len(fields["block"].rows) == 4  # the rows and columns of the patches
    assert len(fields["block"].columns) == 3
    assert fields["block"].box(1, 2) == (0, 0, 16, 12)


class TokensOnly(nn.Module):
    """Patches as tokens, each seen through dense layers alone."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 6, 4, 4)
        self.mlp = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(self.patches(x).flatten(2).transpose(1, 2))


def test_tokens_without_attention_see_their_patch() -> None:
    network = Network(tiny.seeded(TokensOnly), Input(1, (12, 20)))
    field = network.fields["mlp"]
    assert field.size == (4, 4)
    assert not field.whole
    assert [field.box(y, x) for y in range(3) for x in range(5)] == [
        (4 * y, 4 * x, 4 * y + 4, 4 * x + 4) for y in range(3) for x in range(5)
    ]
    patch = network.patch("mlp")
    assert patch.size == (4, 4)
    picture = torch.rand(1, 1, *patch.size)
    recording = network.record(picture, ["mlp"])
    value = Neuron("mlp", 3, patch.y, patch.x)(recording)
    assert torch.equal(value, recording["mlp"][:, 3, 0, 0])


def test_the_patch_of_tokens_that_take_no_other_size() -> None:
    network = tiny.network("tokens")
    patch = network.patch("block")
    assert patch.size == network.input.size
    assert patch.box == (0, 0, 16, 12)
    recording = network.record(tiny.pictures(network), ["block"])
    value = Neuron("block", 2, patch.y, patch.x)(recording)
    assert torch.equal(value, recording["block"][:, 2, 2, 1])


def test_dilation_and_oblong_pictures() -> None:
    assert tiny.network("maps").fields["0"].size == (5, 5)
    module = nn.Sequential(nn.Conv2d(1, 2, (3, 7), (1, 2), dilation=(4, 1)), nn.AvgPool2d((1, 3)))
    network = Network(module, Input(1, (20, 60)))
    assert sizes(network, "0", "1") == [(9, 7), (9, 11)]
    assert network.fields["0"].box(0, 0) == (0, 0, 9, 7)
    assert network.fields["0"].box(3, 2) == (3, 4, 12, 11)


class Normalised(nn.Module):
    """A norm over positions couples what convolutions keep apart; one over channels does not."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, padding=1), norm

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


def test_norms_over_positions_see_the_whole_picture() -> None:
    input = Input(2, (12, 16))
    for norm in (nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)):
        field = Network(Normalised(norm), input).fields["norm"]
        assert field.whole
        assert field.size == (12, 16)
    for norm in (nn.BatchNorm2d(4), nn.LocalResponseNorm(3)):
        assert Network(Normalised(norm), input).fields["norm"].size == (3, 3)


class Strips(nn.Module):
    """Pools the whole width but not the height."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(3, keepdim=True)


def test_a_field_may_be_whole_in_one_direction() -> None:
    network = Network(nn.Sequential(nn.Conv2d(1, 2, 3), Strips()), Input(1, (10, 14)))
    field = network.fields["1"]
    assert field.size == (3, 14)
    assert not field.whole
    assert field.box(2, 0) == (2, 0, 5, 14)


class Constant(nn.Module):
    """A layer that depends on no pixel, with a row for each picture all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.same = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x + self.same(torch.ones_like(x))


def test_a_layer_that_sees_nothing_is_given_the_whole_picture() -> None:
    fields = Network(Constant(), Input(1, (10, 14))).fields
    assert fields["same"].size == (10, 14)
    assert fields["conv"].size == fields["output"].size == (3, 3)


# --- against gradients -----------------------------------------------------------------------


def positive(draw: random.Random) -> nn.Sequential:
    """A random stack of convolutions and average poolings whose weights are all positive.

    Nothing cancels, so that an input pixel matters exactly where its gradient is not zero.
    """
    layers: list[nn.Module] = []
    channels = 2
    for _ in range(draw.randint(1, 4)):
        kernel = (draw.randint(1, 4), draw.randint(1, 4))
        stride = (draw.randint(1, 2), draw.randint(1, 3))
        if draw.random() < 0.3:
            padding = (kernel[0] // 2, kernel[1] // 2)
            layers.append(nn.AvgPool2d(kernel, stride, padding, ceil_mode=draw.random() < 0.5))
            continue
        dilation = (draw.randint(1, 2), draw.randint(1, 2))
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        padding = (draw.randint(0, reach[0] // 2), draw.randint(0, reach[1] // 2))
        out = draw.randint(1, 3)
        layers.append(nn.Conv2d(channels, out, kernel, stride, padding, dilation))
        layers.append(nn.ReLU(inplace=draw.random() < 0.5))
        channels = out
    module = nn.Sequential(*layers)
    for p in module.parameters():
        nn.init.uniform_(p, 0.1, 1)
    return module


def extents_by_gradient(
    network: Network, name: str, size: tuple[int, int]
) -> dict[tuple[int, int], tuple[int, int, int, int]]:
    """(top, left, bottom, right) of the non-zero gradient of every position, one by one."""
    leaf = torch.rand(1, network.input.channels, *size, requires_grad=True)
    values = network.record(leaf, [name])[name][0].sum(0)
    found = {}
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            (g,) = torch.autograd.grad(values[y, x], leaf, retain_graph=True)
            lines = g[0].abs().sum(0).nonzero()
            (top, left), (bottom, right) = lines.amin(0).tolist(), lines.amax(0).tolist()
            found[y, x] = (top, left, bottom + 1, right + 1)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_extents_sizes_boxes_and_patches_equal_those_of_gradients(seed: int) -> None:
    draw = random.Random(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = positive(draw)
    size = (draw.randint(24, 40), draw.randint(36, 48))
    network = Network(module, Input(2, size))
    assert network.layers
    for name, layer in network.layers.items():
        field = network.fields[name]
        found = extents_by_gradient(network, name, size)
        for (y, x), (top, left, bottom, right) in found.items():
            assert field.rows[y] == (top, bottom - 1)
            assert field.columns[x] == (left, right - 1)
        check_boxes(field, found)
        patch = network.patch(name)
        on_patch = extents_by_gradient(network, name, patch.size)
        assert on_patch[patch.y, patch.x] == patch.box
        height, width = patch.box[2] - patch.box[0], patch.box[3] - patch.box[1]
        if patch.size != size:
            assert (height, width) == field.size
            assert patch.size[0] * patch.size[1] <= size[0] * size[1] // 2
        assert layer.spatial


def check_boxes(
    field: ReceptiveField, found: dict[tuple[int, int], tuple[int, int, int, int]]
) -> None:
    """All boxes have one size and hold what their position sees: no more, where nothing is cut."""
    height, width = (min(s, p) for s, p in zip(field.size, field.picture, strict=True))
    for (y, x), seen in found.items():
        top, left, bottom, right = field.box(y, x)
        assert (bottom - top, right - left) == (height, width)
        assert top <= seen[0]
        assert left <= seen[1]
        assert bottom >= seen[2]
        assert right >= seen[3]


def test_a_dilated_kernel_whose_taps_leave_the_picture() -> None:
    module = nn.Conv2d(1, 1, 3, padding=4, dilation=4)  # taps 4 apart, on 8 rows: never all three
    field = Network(module, Input(1, (8, 40))).fields["output"]
    assert field.size == (9, 9)
    assert field.rows[1] == (1, 5)
    assert field.columns[2] == (2, 6)
    assert field.box(1, 2)[1::2] == (-2, 7)
    assert field.box(1, 20)[1::2] == (16, 25)


def test_boxes_have_one_size_where_the_field_exceeds_the_picture() -> None:
    module = nn.Sequential(*[nn.Conv2d(1, 1, 5, padding=2) for _ in range(5)])
    network = Network(module, Input(1, (16, 12)))
    field = network.fields["4"]
    assert field.size == (21, 21)
    boxes = [field.box(y, x) for y in range(16) for x in range(12)]
    assert {(b - t, r - left) for t, left, b, r in boxes} == {(16, 12)}


@pytest.mark.parametrize("name", ["conv1", "pool1", "conv2", "pool2"])
def test_a_patch_sees_exactly_the_field(name: str) -> None:
    """On its patch a neuron answers as it does in the middle of a large picture."""
    network = Network(tiny.seeded(hvass), Input(1, (28, 28)))
    patch, field = network.patch(name), network.fields[name]
    assert (patch.box[2] - patch.box[0], patch.box[3] - patch.box[1]) == field.size
    picture = tiny.pictures(network, 1)
    y, x = (n // 2 for n in network.layers[name].shape[1:])
    top, left, bottom, right = field.box(y, x)
    if top < 0 or left < 0 or bottom > 28 or right > 28:
        pytest.fail("the middle of this layer sees beyond the border")
    small = torch.rand(1, 1, *patch.size)  # what lies outside the box must not matter
    pt, pl, pb, pr = patch.box
    small[:, :, pt:pb, pl:pr] = picture[:, :, top:bottom, left:right]
    on_patch = Neuron(name, 3, patch.y, patch.x)(network.record(small, [name]))
    in_place = Neuron(name, 3, y, x)(network.record(picture, [name]))
    torch.testing.assert_close(on_patch, in_place)
