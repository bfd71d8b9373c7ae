"""Pieces of pictures on which a position answers as on the whole."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from phosphene.attribution import cross, each_gradient, gradient
from phosphene.errors import ObjectiveError
from phosphene.network import (
    DECONVNET,
    GUIDED,
    PLAIN,
    Input,
    Network,
    Rule,
    backward_rule,
)
from phosphene.objectives import Neuron, Term


def seeded(*modules: nn.Module, seed: int = 3) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    whole = nn.Sequential(*modules)
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return whole.eval()


class Branches(nn.Module):
    """Two paths of different reach beside each other, and one past them."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 2, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(torch.cat([self.narrow(x), self.wide(x)], 1)) + x


class Knowing(nn.Module):
    """Adds to each place how far down it is."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.arange(x.shape[2], dtype=x.dtype)[:, None]


class Silent(nn.Module):
    """Far below zero: what answers with nothing proves nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x - 100


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int]]] = {
    "padded": (lambda: seeded(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), Branches()), (32, 27)),
    "strides": (
        lambda: seeded(nn.Conv2d(3, 4, 3, 2), nn.ReLU(True), nn.Conv2d(4, 5, 3, 2, 1)),
        (45, 38),
    ),
    "pools": (
        lambda: seeded(
            nn.Conv2d(3, 4, 5, 2, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), Branches()
        ),
        (76, 81),
    ),
    "dilated": (
        lambda: seeded(nn.Conv2d(3, 4, 3, padding=2, dilation=2), nn.ReLU(), nn.AvgPool2d(2)),
        (33, 40),
    ),
    "upright": (lambda: seeded(nn.Conv2d(3, 4, (7, 1), (3, 1)), nn.ReLU()), (50, 9)),
}


def slow(network: Network, pictures: Tensor, objective: Term, rule: Rule) -> Tensor:
    """The gradient of the whole pictures, by nothing but autograd."""
    leaf = pictures.clone().requires_grad_()
    with backward_rule(rule):
        recording = network.record(leaf, objective.layers)
    (maps,) = torch.autograd.grad(objective(recording).sum(), leaf)
    return maps


@pytest.mark.later
@pytest.mark.parametrize("name", NETWORKS)
def test_every_position_answers_to_its_piece_as_to_the_whole(name: str) -> None:
    make, size = NETWORKS[name]
    network = Network(make(), Input(3, size))
    layer = list(network.layers)[-2]  # the last is the output
    pieces = network.pieces(layer)
    assert pieces is not None
    assert pieces.size[0] * pieces.size[1] <= size[0] * size[1] / 2
    picture = torch.rand(3, *size, generator=torch.Generator().manual_seed(1))
    whole = network.record(picture[None], [layer])[layer][0]
    places = list(product(range(whole.shape[1]), range(whole.shape[2])))
    parts = torch.stack([picture[:, *pieces.box(y, x)] for y, x in places])
    answers = network.record(parts, [layer])[layer]
    for answer, (y, x) in zip(answers, places, strict=True):
        here = answer[:, pieces.rows[y][1], pieces.columns[x][1]]
        torch.testing.assert_close(here, whole[:, y, x], rtol=1e-5, atol=1e-6)


@pytest.mark.later
@pytest.mark.parametrize("rule", [PLAIN, GUIDED, DECONVNET], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_maps_from_pieces_are_maps_of_the_whole(name: str, rule: Rule) -> None:
    make, size = NETWORKS[name]
    network = Network(make(), Input(3, size))
    layer = network.layer(list(network.layers)[-2])
    last_row, last_column = layer.shape[1] - 1, layer.shape[2] - 1
    objective = Neuron(layer.name, (0, 1, 2, 3), (0, last_row, 3, 1), (last_column, 0, 2, 1))
    pictures = torch.rand(4, 3, *size, generator=torch.Generator().manual_seed(2))
    expected = slow(network, pictures, objective, rule)
    assert network.pieces(layer.name) is not None
    assert expected.abs().amax((1, 2, 3)).gt(0).sum() > 1
    torch.testing.assert_close(gradient(network, pictures, objective, rule), expected)
    every = slow(network, *cross(pictures, objective), rule)
    torch.testing.assert_close(each_gradient(network, pictures, objective, rule), every)
    centre = Neuron(layer.name, 1)
    expected = slow(network, pictures, centre, rule)
    torch.testing.assert_close(gradient(network, pictures, centre, rule), expected)


def test_pieces_run_in_the_memory_of_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    make, size = NETWORKS["padded"]
    network = Network(make(), Input(3, size))
    layer = list(network.layers)[-2]
    network.pieces(layer)
    pixels = []
    record = Network.record

    def watched(self: Network, pictures: Tensor, *others: object) -> object:
        pixels.append(pictures[:, 0].numel())
        return record(self, pictures, *others)

    monkeypatch.setattr(Network, "record", watched)
    pictures = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2))
    each_gradient(network, pictures, Neuron(layer, tuple(range(4)) * 8))
    assert len(pixels) > 1
    assert max(pixels) <= pictures[:, 0].numel()


@pytest.mark.later
def test_fields_are_measured_for_many_maps_only() -> None:
    make, size = NETWORKS["padded"]
    network = Network(make(), Input(3, size))
    layer = list(network.layers)[-2]
    pictures = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2))
    few, many = Neuron(layer, (0, 1), 3, 4), Neuron(layer, (0, 1) * 32, 3, 4)
    before = each_gradient(network, pictures, few)
    assert not network.measured
    each_gradient(network, pictures, many)
    assert network.measured
    torch.testing.assert_close(each_gradient(network, pictures, few), before)


@pytest.mark.parametrize(
    "module",
    [
        lambda: seeded(nn.Conv2d(3, 4, 3), Knowing(), nn.ReLU()),
        lambda: seeded(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4), nn.ReLU()),
        lambda: seeded(nn.Conv2d(3, 4, 21), nn.Identity(), nn.ReLU()),
        lambda: seeded(nn.Conv2d(3, 4, 3), Silent(), nn.ReLU()),
        lambda: seeded(nn.AdaptiveAvgPool2d(5), nn.Conv2d(3, 4, 1), nn.ReLU()),
    ],
)
def test_what_needs_the_whole_picture_gets_it(module: Callable[[], nn.Module]) -> None:
    network = Network(module(), Input(3, (24, 24)))
    assert network.pieces("2") is None
    pictures = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    objective = Neuron("2", (0, 1), 2, 3)
    expected = slow(network, pictures, objective, PLAIN)
    torch.testing.assert_close(gradient(network, pictures, objective), expected)


def test_places_beyond_the_layer_are_refused() -> None:
    make, size = NETWORKS["padded"]
    network = Network(make(), Input(3, size))
    layer = list(network.layers)[-2]
    pictures = torch.rand(2, 3, *size)
    assert network.pieces(layer) is not None
    with pytest.raises(ObjectiveError, match=r"row 32 was asked for; there are 32, 0 to 31"):
        gradient(network, pictures, Neuron(layer, 0, y=32, x=0))
    with pytest.raises(ObjectiveError, match=r"for 3 images was given 2"):
        gradient(network, pictures, Neuron(layer, (0, 1, 2)))
