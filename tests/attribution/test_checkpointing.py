"""A network that recomputes part of its forward pass while going backwards."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from phosphene.attribution import gradient
from phosphene.canvas import Pixels
from phosphene.maximize import Optimizer, ascend
from phosphene.network import Input, Network
from phosphene.objectives import Logit
from phosphene.streams import Streams


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU())
        self.head = nn.Linear(3 * 6 * 6, 4)

    def forward(self, x: Tensor) -> Tensor:
        inner = checkpoint(self.body, x, use_reentrant=False)
        return self.head(inner.flatten(1))


@pytest.mark.later
def test_recomputing_finds_the_module_frozen_too() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Checkpointed().train()
    network = Network(module, Input(1, (8, 8)))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    pictures = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = gradient(network, pictures, Logit(1))
    leaf = pictures.clone().requires_grad_()
    module.eval()
    (expected,) = torch.autograd.grad(module.head(module.body(leaf).flatten(1))[:, 1].sum(), leaf)
    module.train()
    assert torch.allclose(found, expected, atol=1e-6)
    streams = Streams.seeded(0, "ab")
    canvas = Pixels().build(streams, (1, 8, 8))
    for _ in ascend(network, Logit(1), canvas, streams, steps=3, optimizer=Optimizer()):
        assert all(m.training for m in module.modules())
    after = module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
