"""What batch normalisations remember is what their layers were in training, however made."""

import pytest
import torch
from torch import nn

from phosphene.network import Input, Network, remembered


class Frozen(nn.Module):
    """A batch normalisation of another class, its state in buffers; `gate` comes after it."""

    def __init__(self, norm: nn.BatchNorm2d, gate: nn.Module | None = None) -> None:
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, getattr(norm, name).detach().clone())
        self.gate = gate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = self.weight * (self.running_var + 1e-5).rsqrt()
        shift = self.bias - self.running_mean * scale
        out = x * scale[:, None, None] + shift[:, None, None]
        return out if self.gate is None else self.gate(out)


def trained(pictures: torch.Tensor) -> nn.Sequential:
    torch.manual_seed(0)
    norms = nn.BatchNorm2d(4, momentum=None), nn.BatchNorm2d(5, momentum=None)
    for norm in norms:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    module = nn.Sequential(
        *(nn.Conv2d(3, 4, 3), norms[0], nn.ReLU(inplace=True)),
        *(nn.Conv2d(4, 5, 3), norms[1], nn.ReLU(inplace=True)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2)),
    )
    module(pictures)
    return module.eval()


def test_the_memory_is_what_the_layers_were_in_training() -> None:
    pictures = torch.rand(40, 3, 12, 12)
    network = Network(trained(pictures), Input(3, (12, 12)))
    found = remembered(network)
    assert list(found) == ["1", "4"]
    seen = network.record(pictures, found)
    for name, known in found.items():
        places = seen[name].transpose(0, 1).flatten(1)
        torch.testing.assert_close(known.mean, places.mean(1), atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(known.deviation, places.std(1), atol=1e-2, rtol=1e-2)


def test_it_is_told_by_what_a_layer_does_and_not_by_its_class() -> None:
    module = trained(torch.rand(40, 3, 12, 12))
    expected = remembered(Network(module, Input(3, (12, 12))))
    module[1], module[4] = Frozen(module[1]), Frozen(module[4], nn.ReLU())
    found = remembered(Network(module, Input(3, (12, 12))))
    assert list(found) == ["1"]  # what is rectified has other moments
    torch.testing.assert_close(found["1"].deviation, expected["1"].deviation)


def test_in_half_the_precision_it_is_the_same() -> None:
    module = trained(torch.rand(40, 3, 12, 12))
    expected = remembered(Network(module, Input(3, (12, 12))))
    found = remembered(Network(module.bfloat16(), Input(3, (12, 12))))
    assert list(found) == list(expected)
    for name, known in found.items():
        torch.testing.assert_close(known.mean, expected[name].mean, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.Identity()])
def test_what_was_not_trained_remembers_nothing(norm: nn.Module) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.Flatten(), nn.Linear(400, 2))
    network = Network(module, Input(3, (12, 12)))
    assert remembered(network) == {}
    assert not any(m._forward_hooks for m in module.modules())
