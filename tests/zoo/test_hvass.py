"""The article's network, for any picture, any widths."""

import pytest
import torch
from torch import nn

from phosphene.errors import SettingError
from phosphene.network import Input, Network
from phosphene.training import seeded
from phosphene.zoo import hvass


@pytest.mark.later
def test_the_default_is_the_network_of_the_article() -> None:
    module = hvass()
    counts = {name: p.numel() for name, p in module.named_parameters()}
    assert counts == {
        "conv1.weight": 16 * 25,
        "conv1.bias": 16,
        "conv2.weight": 36 * 16 * 25,
        "conv2.bias": 36,
        "fc1.weight": 128 * 1764,
        "fc1.bias": 128,
        "fc2.weight": 1280,
        "fc2.bias": 10,
    }
    assert sum(counts.values()) == 242_062
    network = Network(module, Input(1, (28, 28)))
    found = [(layer.name, layer.shape) for layer in network.default_layers]
    assert found == [
        ("conv1", (16, 28, 28)),
        ("conv2", (36, 14, 14)),
        ("fc1", (128,)),
        ("fc2", (10,)),
    ]
    assert sum(layer.units for layer in network.default_layers) == 190
    assert network.fields["conv1"].size == (5, 5)
    assert network.fields["conv2"].size == (14, 14)


@pytest.mark.parametrize(
    ("shape", "widths", "dense", "classes"),
    [
        ((3, 32, 32), (16, 36), (128,), 10),
        ((1, 28, 28), (4, 5, 6), (7,), 3),
        ((1, 28, 28), (4,), (9, 8), 2),
        ((2, 9, 30), (3, 4, 5), (6, 7, 8), 4),
        ((1, 8, 8), (4, 5), (), 5),
        ((1, 6, 5), (), (3,), 2),
    ],
)
def test_any_shape(
    shape: tuple[int, int, int], widths: tuple[int, ...], dense: tuple[int, ...], classes: int
) -> None:
    module = hvass(shape, classes, widths, dense)
    assert module(torch.rand(2, *shape)).shape == (2, classes)
    network = Network(module, Input(shape[0], shape[1:]))
    names = [f"conv{i + 1}" for i in range(len(widths))]
    names += [f"fc{i + 1}" for i in range(len(dense) + 1)]
    assert [layer.name for layer in network.default_layers] == names
    assert [layer.units for layer in network.default_layers] == [*widths, *dense, classes]
    assert isinstance(module[-1], nn.Linear)
    assert sum(isinstance(m, nn.ReLU) for m in module) == len(widths) + len(dense)


def test_more_poolings_than_halvings() -> None:
    with pytest.raises(SettingError, match="4 poolings by 2 leave nothing of a picture of 28 x 8"):
        hvass((1, 28, 8), widths=(2, 2, 2, 2))
    assert hvass((1, 28, 8), widths=(2, 2, 2))(torch.rand(1, 1, 28, 8)).shape == (1, 10)


def test_weights_start_glorot_uniform_and_depend_on_the_seed_alone() -> None:
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    one = seeded(hvass, 3).state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(1)
    again, other = seeded(hvass, 3).state_dict(), seeded(hvass, 4).state_dict()
    for name, value in one.items():
        assert torch.equal(value, again[name])
        if name.endswith("bias"):
            assert not value.any()
        else:
            assert not torch.equal(value, other[name])
    bound = (6 / (1764 + 128)) ** 0.5
    assert 0.99 * bound < one["fc1.weight"].abs().max() <= bound
