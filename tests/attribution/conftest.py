"""Small networks in grey and colour whose maps can be worked out in other ways."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from phosphene.network import Input, Network


class Double(nn.Module):
    """In double precision from here on, whatever comes in."""

    def forward(self, x: Tensor) -> Tensor:
        return x.double()


def make_network(
    channels: int = 3,
    size: tuple[int, int] = (9, 8),
    activation: Callable[[], nn.Module] = nn.ReLU,
    bias: bool = True,
    seed: int = 0,
) -> Network:
    """Two convolutions with pooling and two dense layers, in double precision."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential()
        module.add_module("cast", Double())
        module.add_module("conv1", nn.Conv2d(channels, 4, 3, bias=bias))
        module.add_module("act1", activation())
        module.add_module("pool", nn.AvgPool2d(2))
        module.add_module("conv2", nn.Conv2d(4, 5, 2, bias=bias))
        module.add_module("act2", activation())
        module.add_module("flat", nn.Flatten())
        features = 5 * ((size[0] - 2) // 2 - 1) * ((size[1] - 2) // 2 - 1)
        module.add_module("fc1", nn.Linear(features, 6, bias=bias))
        module.add_module("act3", activation())
        module.add_module("fc2", nn.Linear(6, 4, bias=bias))
    mean = tuple(0.3 + 0.1 * i for i in range(channels))
    std = tuple(0.5 - 0.1 * i for i in range(channels))
    return Network(module.double(), Input(channels, size, mean, std, (0.0, 2.0)))


@pytest.fixture(params=[1, 3], scope="module")
def network(request: pytest.FixtureRequest) -> Network:
    return make_network(request.param)


def make_pictures(network: Network, count: int = 3, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, *network.input.shape, generator=generator, dtype=torch.double)


@pytest.fixture
def pictures(network: Network) -> Tensor:
    return make_pictures(network)


@pytest.fixture(name="make_network")
def make_network_fixture() -> Callable[..., Network]:
    return make_network


@pytest.fixture(name="make_pictures")
def make_pictures_fixture() -> Callable[..., Tensor]:
    return make_pictures
