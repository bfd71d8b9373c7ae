"""Networks that others trained: they load, score what their makers say, and are read alike."""

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from laws import unchanged
from mnist_cnn import MnistCnn, trained
from phosphene.attribution import gradient
from phosphene.errors import WeightsError
from phosphene.network import (
    DECONVNET,
    GUIDED,
    Input,
    Network,
    Rule,
    load_weights,
    read_weights,
)
from phosphene.objectives import Channel, Logit, Neuron

pytestmark = pytest.mark.slow  # together more than a few seconds


@pytest.fixture
def mnist_cnn(shared_data: Path) -> Network:
    return trained(shared_data, "mnist_cnn.pt")


def mnist(shared_data: Path, count: int) -> tuple[Tensor, Tensor]:
    folder = shared_data / "mnist"
    images = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = torch.tensor(np.frombuffer(images, np.uint8).reshape(-1, 1, 28, 28)[:count].copy())
    return pixels / 255, torch.tensor(list(labels[:count]))


def test_the_legacy_file_and_safetensors_hold_the_same(shared_data: Path) -> None:
    legacy = read_weights(shared_data / "mnist_cnn" / "mnist_cnn.pt")
    safe = read_weights(shared_data / "mnist_cnn" / "mnist_cnn.safetensors")
    assert legacy.keys() == safe.keys() == MnistCnn().state_dict().keys()
    assert all(torch.equal(legacy[name], value) for name, value in safe.items())


def test_mnist_cnn_is_read_as_its_maker_made_it(mnist_cnn: Network, shared_data: Path) -> None:
    assert mnist_cnn.logits.name == "fc2"
    assert [layer.name for layer in mnist_cnn.default_layers] == ["conv1", "conv2", "fc1", "fc2"]
    assert [mnist_cnn.fields[name].size for name in ("conv1", "conv2")] == [(5, 5), (14, 14)]
    pictures, labels = mnist(shared_data, 10_000)
    right = sum(
        int((mnist_cnn.probabilities(p).argmax(1) == y).sum())
        for p, y in zip(pictures.split(1000), labels.split(1000), strict=True)
    )
    assert right == 9895


def test_weights_of_another_network_say_what_does_not_fit(shared_data: Path) -> None:
    with pytest.raises(WeightsError, match=r"missing: fc1\.weight .*nearest: .*conv1\.weight"):
        load_weights(MnistCnn(), resnet20_file(shared_data))


class Block(nn.Module):
    """A basic block with the option-A shortcut: every second pixel, zeros for new channels."""

    def __init__(self, inner: int, outer: int, functional: bool) -> None:
        super().__init__()
        stride = 1 if inner == outer else 2
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.relus = None if functional else nn.ModuleList([nn.ReLU(), nn.ReLU()])
        self.grow = (outer - inner) // 2

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.relus or (F.relu, F.relu)
        y = self.bn2(self.conv2(first(self.bn1(self.conv1(x)))))
        if self.grow:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.grow, self.grow))
        return second(y + x)


class ResNet20(nn.Module):
    """He et al.'s ResNet-20 for CIFAR-10; with `functional` ReLU, or with a module for each."""

    def __init__(self, functional: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = None if functional else nn.ReLU()
        for i, (inner, outer) in enumerate([(16, 16), (16, 32), (32, 64)], 1):
            blocks = [Block(inner if k == 0 else outer, outer, functional) for k in range(3)]
            self.add_module(f"layer{i}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = (self.relu or F.relu)(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(F.avg_pool2d(x, x.shape[3]).flatten(1))


CIFAR = Input(3, (32, 32), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def resnet20_file(shared_data: Path) -> Path:
    return shared_data / "resnet20_cifar10" / "resnet20_cifar10.safetensors"


@pytest.fixture
def checkpoint(shared_data: Path, tmp_path: Path) -> Path:
    """The weights wrapped as their maker's training loop wrote them, as a legacy file."""
    state = load_file(resnet20_file(shared_data))
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in state.items()}, "best_prec1": 91.78},
        tmp_path / "resnet20.th",
        _use_new_zipfile_serialization=False,
    )
    return tmp_path / "resnet20.th"


@pytest.fixture
def resnet20(checkpoint: Path) -> Network:
    module = ResNet20()
    load_weights(module, checkpoint)
    return Network(module, CIFAR)


def cifar(shared_data: Path) -> tuple[Tensor, Tensor]:
    folder = shared_data / "cifar10"
    with Image.open(folder / "cifar10_batch_50.png") as image:
        pixels = np.array(image).reshape(1000, 32, 32, 3)
    labels = [int(line) for line in (folder / "labels.txt").read_text().split()]
    return torch.tensor(pixels).permute(0, 3, 1, 2) / 255, torch.tensor(labels[10_000:])


def test_resnet20_is_right_on_915_of_1000(resnet20: Network, shared_data: Path) -> None:
    pictures, labels = cifar(shared_data)
    with unchanged(resnet20.module):
        right = sum(
            int((resnet20.probabilities(p).argmax(1) == y).sum())
            for p, y in zip(pictures.split(250), labels.split(250), strict=True)
        )
    assert right == 915


def test_resnet20_is_looked_at_where_its_stages_end(resnet20: Network) -> None:
    names = [layer.name for layer in resnet20.default_layers]
    assert names == ["layer1", "layer2", "layer3", "linear"]
    assert [layer.shape for layer in resnet20.default_layers][1] == (32, 16, 16)
    weights = {name: layer.weights for name, layer in resnet20.layers.items()}
    assert weights["layer2.0.bn1"] == weights["layer2.0.conv1"] == "layer2.0.conv1"


@pytest.mark.parametrize(("rule", "peer"), [(GUIDED, GuidedBackprop), (DECONVNET, Deconvolution)])
def test_maps_of_functional_relu_equal_captums_of_module_relu(
    resnet20: Network, checkpoint: Path, shared_data: Path, rule: Rule, peer: type
) -> None:
    twin = ResNet20(functional=False)
    load_weights(twin, checkpoint)
    twin.eval()
    pictures = cifar(shared_data)[0][:4]
    inputs = CIFAR.normalise(pictures).requires_grad_()
    std = torch.tensor(CIFAR.std).view(1, -1, 1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Setting backward hooks on ReLU activations"
        theirs = peer(twin).attribute(inputs, target=torch.tensor([0, 3, 5, 9])) / std
    ours = gradient(resnet20, pictures, Logit((0, 3, 5, 9)), rule=rule)
    scale = theirs.abs().amax()
    torch.testing.assert_close(ours / scale, theirs / scale, atol=1e-5, rtol=1e-4)
    plain = gradient(resnet20, pictures, Logit((0, 3, 5, 9)))
    assert (ours - plain).abs().amax() > 0.1 * scale


Step = Callable[[Tensor], Tensor]
"""From the gradient above a step to the gradient below it."""


class ByHand:
    """ResNet-20's guided backpropagation step by step, without autograd."""

    def __init__(self, module: ResNet20) -> None:
        self.module = module.eval()

    def conv_norm(self, x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Step]:
        gain = (norm.weight / (norm.running_var + norm.eps).sqrt()).view(-1, 1, 1)
        more = conv.stride[0] - 1  # a stride of two forgets whether the size was odd or even

        def back(g: Tensor) -> Tensor:
            return F.conv_transpose2d(g * gain, conv.weight, None, conv.stride, 1, more)

        return norm(conv(x)), back

    def block(self, x: Tensor, block: Block) -> tuple[Tensor, Step]:
        first, back1 = self.conv_norm(x, block.conv1, block.bn1)
        second, back2 = self.conv_norm(first.clamp(min=0), block.conv2, block.bn2)
        stride, grow = block.conv1.stride[0], block.grow
        total = second + F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, grow, grow))

        def back(g: Tensor) -> Tensor:
            g = g.clamp(min=0) * (total > 0)
            deep = back1(back2(g).clamp(min=0) * (first > 0))
            deep[:, :, ::stride, ::stride] += g[:, grow : g.shape[1] - grow]
            return deep

        return total.clamp(min=0), back

    @torch.no_grad()
    def guided(self, inputs: Tensor, classes: list[int]) -> Tensor:
        """The map of each input for its class."""
        net = self.module
        stem, back = self.conv_norm(inputs, net.conv1, net.bn1)
        x, backs = stem.clamp(min=0), [lambda g: back(g.clamp(min=0) * (stem > 0))]
        for block in (*net.layer1, *net.layer2, *net.layer3):
            x, step = self.block(x, block)
            backs.append(step)
        height, width = x.shape[2:]
        g = net.linear.weight[classes][:, :, None, None].expand_as(x) / (height * width)
        for step in reversed(backs):
            g = step(g)
        return g


def test_guided_maps_equal_a_backward_pass_written_by_hand(
    resnet20: Network, shared_data: Path
) -> None:
    pictures, classes = cifar(shared_data)[0][4:8], [6, 1, 0, 9]
    std = torch.tensor(CIFAR.std).view(1, -1, 1, 1)
    slow = ByHand(resnet20.module).guided(CIFAR.normalise(pictures), classes) / std
    fast = gradient(resnet20, pictures, Logit(tuple(classes)), rule=GUIDED)
    scale = slow.abs().amax()
    torch.testing.assert_close(fast / scale, slow / scale, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("objective", [Channel("layer2.1.bn2", 7), Neuron("layer3.0.bn1", 11)])
def test_maps_of_inner_units_equal_those_of_the_module_twin(
    resnet20: Network, checkpoint: Path, shared_data: Path, objective: Channel | Neuron
) -> None:
    twin = ResNet20(functional=False)
    load_weights(twin, checkpoint)
    pictures = cifar(shared_data)[0][:2]
    for rule in (GUIDED, DECONVNET):
        ours = gradient(resnet20, pictures, objective, rule=rule)
        assert torch.equal(ours, gradient(Network(twin, CIFAR), pictures, objective, rule=rule))
        assert ours.abs().max() > 0
