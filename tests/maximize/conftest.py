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


@pytest.fixture(scope="session")
def tempting() -> Network:
    """Of pixels (x, y) its first class is `relu(x + y / 2 - 0.4 - 2 relu(y - 2))`.

    The inner rectifier never opens. On black that class is closed; whoever looks straight through
    rectifiers all the way keeps y at 0 and ends at 0.6, where 1.1 is what it can reach.
    """
    module = nn.Sequential(nn.Flatten(), nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU())
    weights = module.state_dict()
    weights["1.weight"].copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
    weights["1.bias"].copy_(torch.tensor([0.0, 0.1, -2.0]))
    weights["3.weight"].copy_(torch.tensor([[1.0, 0.5, -2.0], [0.0, 0.0, 0.0]]))
    weights["3.bias"].copy_(torch.tensor([-0.45, 0.1]))
    return Network(module, Input(1, (1, 2)))
