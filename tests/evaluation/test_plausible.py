"""Whether a network is likely to be the one that is meant."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from phosphene.data import ArrayDataset, digits
from phosphene.evaluation import plausible
from phosphene.network import Input, Network
from phosphene.training import seeded
from phosphene.zoo import hvass


class Bright(nn.Module):
    """Reads a picture as class 0 where its mean number is below `level`, else as class 1."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(level))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2, 3))
        return torch.stack([self.level - mean, mean - self.level], 1) * 9


def pictures(channels: int = 3) -> ArrayDataset:
    """Dark ones and light ones, as in folders: class by class."""
    light = torch.arange(600) >= 300
    values = torch.where(light, 200, 60).to(torch.uint8).view(-1, 1, 1, 1)
    noise = torch.randint(0, 20, (600, channels, 8, 8), generator=torch.Generator().manual_seed(0))
    return ArrayDataset(
        values + noise.byte(), light.long(), name="light", classes=["dark", "light"]
    )


@pytest.mark.later
@pytest.mark.parametrize(
    ("level", "trained"),
    [
        (130.0, {"value_range": (0.0, 255.0)}),
        (0.0, {"mean": (0.5,), "std": (0.5,)}),
        (0.0, {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}),
    ],
)
def test_another_way_to_normalise_is_found(level, trained):
    network = Network(Bright(level), Input(3, (8, 8)))
    found = plausible(network, pictures(), others=True)
    assert (found.count, found.accuracy, found.chance) == (512, 0.5, 0.5)
    assert found.by_chance
    assert found.better is not None
    other, accuracy = found.better
    assert accuracy == 1.0
    expected = Network(network.module, replace(network.input, **trained))
    assert plausible(expected, pictures(), others=True).accuracy == 1.0
    assert not plausible(expected, pictures(), others=True).by_chance
    assert plausible(Network(network.module, other), pictures(), others=False).accuracy == 1.0


def test_nothing_is_tried_where_the_input_was_told():
    network = Network(Bright(130.0), Input(3, (8, 8)))
    assert plausible(network, pictures(), others=False).better is None


@pytest.mark.later
def test_a_network_that_was_not_trained_reads_by_chance():
    network = Network(seeded(hvass, 0), Input(1, (28, 28)))
    found = plausible(network, digits("test"), others=True)
    assert found.by_chance
    assert found.better is None
    assert found.classes == 10


def test_data_without_classes_tell_nothing():
    data = ArrayDataset(torch.zeros(3, 3, 8, 8, dtype=torch.uint8), name="none")
    assert plausible(Network(Bright(0.0), Input(3, (8, 8))), data, others=True) is None
    maps = Network(nn.Conv2d(1, 2, 3), Input(1, (28, 28)))
    assert plausible(maps, digits("test"), others=True) is None
