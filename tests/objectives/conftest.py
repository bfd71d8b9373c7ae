"""Recordings of every shape a layer can have, and a small network that gives them."""

import pytest
import torch
from torch import Tensor, nn

from phosphene.network import Input, Network
from phosphene.network.recorded import Recording
from phosphene.units import LOGITS


class Tokens(nn.Module):
    """Maps `b c h w` as a sequence of tokens `b t c`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


def make_network() -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential()
        module.add_module("conv", nn.Conv2d(1, 4, 3, padding=1))
        module.add_module("act", nn.Softplus())
        module.add_module("tokens", Tokens())
        module.add_module("mix", nn.Linear(4, 5))
        module.add_module("flat", nn.Flatten())
        module.add_module("fc", nn.Linear(5 * 30, 3))
    return Network(module, Input(1, (6, 5), mean=0.3, std=0.5))


@pytest.fixture
def network() -> Network:
    return make_network()


@pytest.fixture
def recording() -> Recording:
    """Four pictures: maps of an odd and an even side, tokens, dense values and logits."""
    g = torch.Generator().manual_seed(1)
    return Recording(
        torch.rand(4, 2, 6, 5, generator=g),
        {
            "maps": torch.randn(4, 3, 5, 4, generator=g),
            "tokens": torch.randn(4, 7, 3, generator=g),
            "dense": torch.randn(4, 3, generator=g),
            LOGITS: torch.randn(4, 3, generator=g),
        },
    )
