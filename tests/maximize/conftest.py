"""Small networks to draw for: grey and colour, square and not, with units that cannot fire."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from phosphene.network import Input, Network


def make_network(channels: int = 1, size: tuple[int, int] = (12, 12)) -> Network:
    """Unit 1 of conv2 can never fire; unit 2 of it is closed on black and nearly so elsewhere."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential()
        module.add_module("conv1", nn.Conv2d(channels, 4, 3, padding=1))
        module.add_module("relu1", nn.ReLU(inplace=True))
        module.add_module("conv2", nn.Conv2d(4, 5, 3, stride=2))
        module.add_module("relu2", nn.ReLU())
        module.add_module("flat", nn.Flatten())
        features = 5 * ((size[0] - 1) // 2) * ((size[1] - 1) // 2)
        module.add_module("fc", nn.Linear(features, 3))
    module.get_parameter("conv2.bias").data[1] = -1000.0
    return Network(module, Input(channels, size, mean=0.4, std=0.3))


@pytest.fixture(
    params=[(1, (12, 12)), (3, (9, 14))],
    ids=["grey square", "colour wide"],
    scope="module",
)
def network(request: pytest.FixtureRequest) -> Network:
    return make_network(*request.param)


@pytest.fixture(name="make_network", scope="session")
def make_network_fixture() -> Callable[..., Network]:
    return make_network
