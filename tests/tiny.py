"""Tiny seeded networks of many builds, shared by the tests: one builder per habit of their authors.

Each builder gives a fresh module with the same weights every time; `NETWORKS` wraps them with the
input they take.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.network import Input, Network
from phosphene.zoo import VariationalAutoencoder


def quantised(picture: np.ndarray) -> np.ndarray:
    """A picture as a screen shows it: float32 in [0, 1], rounded to steps of 1/255."""
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.float32) / 255


def seeded(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """What `build` builds, with weights that depend on `seed` alone; the global state is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build()
        for m in module.modules():
            if (
                isinstance(m, nn.BatchNorm2d) and m.running_mean is not None
            ):  # fresh statistics would make it the identity
                m.running_mean.normal_(0, 0.3)
                m.running_var.uniform_(0.5, 2)
                nn.init.uniform_(m.weight, 0.5, 1.5)
                nn.init.normal_(m.bias, 0, 0.3)
    return module


def decoder(shape: tuple[int, int, int], seed: int = 0) -> VariationalAutoencoder:
    """An untrained decoder of 5 codes whose pictures differ as much as those of a trained one."""
    made = seeded(lambda: VariationalAutoencoder(shape, codes=5, widths=(4, 6)), seed)
    with torch.no_grad():
        made.decoder[-1].weight *= 10
    return made


def pictures(network: Network, count: int = 3, seed: int = 1) -> Tensor:
    """Random pictures in [0, 1] of the size the network takes.

    They lie in memory as the record lays them, so that a plain call of the module is equal to it
    bit for bit.
    """
    generator = torch.Generator().manual_seed(seed)
    found = torch.rand(count, *network.input.shape, generator=generator)
    return found.to(memory_format=torch.channels_last)


class Rectified(nn.Module):
    """conv - R - pool - conv - R - dense - R - dense, for any rectifier R, one callable for all."""

    def __init__(self, rectify: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 5, 3, padding=1)
        self.conv2 = nn.Conv2d(5, 6, 3)
        self.fc1 = nn.Linear(6 * 3 * 2, 9)
        self.fc2 = nn.Linear(9, 4)
        self.rectify = rectify

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.rectify(self.conv1(x)), 2)
        x = self.rectify(self.conv2(x)).flatten(1)
        return self.fc2(self.rectify(self.fc1(x)))


RECTIFIED = Input(2, (10, 8), mean=(0.4, 0.6), std=(0.2, 0.3))


def rectified(rectify: Callable[[Tensor], Tensor], seed: int = 0) -> Network:
    """A `Rectified` network; half of its units are closed on pictures of [0, 1]."""
    return Network(seeded(lambda: Rectified(rectify), seed), RECTIFIED)


class Residual(nn.Module):
    """A ResNet in miniature: BatchNorm, ReLU in place and reused, shortcut that is its input."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6))
        self.conv1 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(6)
        self.shortcut = nn.Sequential()
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.stem(x))
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += self.shortcut(x)
        y = self.relu(y)
        return self.fc(self.drop(y.mean((2, 3))))


class Functional(nn.Module):
    """What can be functional is functional, the result is log-probabilities, channels are grey."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.fc1 = nn.Linear(24, 10)
        self.fc2 = nn.Linear(10, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        x = F.dropout(F.relu(self.fc1(x)), 0.5, self.training)
        return F.log_softmax(self.fc2(x), dim=1)


class Tokens(nn.Module):
    """A vision transformer in miniature, with ReLU, position codes and a module `output`."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.places = nn.Parameter(0.3 * torch.randn(1, 12, 8))
        self.block = nn.TransformerEncoderLayer(8, 2, 16, activation="relu", batch_first=True)
        self.output = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.places
        return self.output(self.block(x).mean(1)).softmax(1)


def maps() -> nn.Module:
    """Fully convolutional: gives maps, not class scores."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, dilation=2, padding=2),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.ConvTranspose2d(4, 3, 2, 2),
        nn.ReLU6(),
    )


def dense() -> nn.Module:
    """No convolution at all."""
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 12), nn.ReLU(), nn.Linear(12, 3))


_BUILDERS: dict[str, tuple[Callable[[], nn.Module], Input]] = {
    "rectified": (lambda: Rectified(nn.ReLU()), RECTIFIED),
    "residual": (Residual, Input(3, (16, 12), mean=0.5, std=0.25)),
    "functional": (Functional, Input(1, (16, 16), mean=0.1307, std=0.3081)),
    "tokens": (Tokens, Input(3, (16, 12), value_range=(0, 255), mean=120.0, std=60.0)),
    "maps": (maps, Input(2, (12, 10))),
    "dense": (dense, Input(1, (6, 8))),
}

NETWORKS: tuple[str, ...] = tuple(_BUILDERS)
"""The names `network` knows."""


def network(
    name: str, wrap: Callable[[nn.Module], nn.Module] = lambda m: m, **kwargs: Any
) -> Network:
    """The tiny network called `name`, its module put through `wrap`."""
    build, input = _BUILDERS[name]
    return Network(wrap(seeded(build)), input, **kwargs)
