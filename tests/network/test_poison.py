"""The quick search for receptive fields against the slow one: every line, nothing left out."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import modern
import tiny
from phosphene.network import Input, Network, frozen
from phosphene.network.fields.hollow import Hollow
from phosphene.network.fields.poison import COLUMNS, ROWS, Poison
from phosphene.network.tapping import tap


def exhaustive(network: Network, axis: int) -> dict[str, list[tuple[int, int]]]:
    """For every position the first and last line whose NaN reaches it, one whole pass for each."""
    lines = network.input.shape[axis - 1]
    reached: dict[str, list[list[bool]]] = {name: [] for name in network.layers}
    for line in range(lines):
        picture = torch.zeros(1, *network.input.shape)
        picture.select(axis, line).fill_(torch.nan)
        sites = [layer.site for layer in network.layers.values()]
        with frozen(network.module), torch.no_grad(), tap(network.module, sites) as values:
            network.module(picture)
        for name, value in values.items():
            nan = value[0].isnan()
            if nan.ndim == 3:
                nan = nan.any(0).any(3 - axis)
            elif nan.ndim == 2:
                nan = nan.any(1)
            else:
                nan = nan.any(0, keepdim=True)
            reached[name].append(nan.tolist())
    found = {}
    for name, marks in reached.items():
        found[name] = []
        for of_position in zip(*marks, strict=True):
            seen = [line for line, mark in enumerate(of_position) if mark]
            found[name].append((seen[0], seen[-1]) if seen else (0, lines - 1))
    return found


class Turned(nn.Module):
    """Rows and columns change places between two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 2, (5, 1)), nn.Conv2d(2, 2, (1, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x).transpose(2, 3)).mean((2, 3))


class Fixed(nn.Module):
    """Runs on narrow pictures too, but cuts its rows by a width it knows by heart."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.same = nn.Conv2d(3, 2, 3, padding=1), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        rows = F.pad(x.flatten(2), (0, 36 * 40 - x.shape[2] * x.shape[3]))
        return self.same(rows.view(-1, 2, 36, 40)).mean((2, 3))


class Divided(nn.Module):
    """Divides by its spread: where all numbers are equal, that is 0 / 0."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.same = nn.Conv2d(3, 4, 3, bias=False), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x + torch.linspace(0, 1, 3).view(-1, 1, 1))
        spread = x - x.mean(1, keepdim=True)
        return self.same(spread / spread.square().mean(1, keepdim=True).sqrt()).mean((2, 3))


class Branches(nn.Module):
    """Full resolution and an eighth of it, joined; sides that are no multiples of 8 do not fit."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(3, 2, 9, 8, 4)
        self.joined = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        coarse = F.interpolate(self.coarse(x), scale_factor=8)
        return self.joined(self.fine(x) + coarse).mean((2, 3))


def dilated() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=8, dilation=8), nn.ReLU(),
        nn.Conv2d(4, 4, 3, 2, 3, dilation=3, groups=2), nn.MaxPool2d(3, 2, 1),
        nn.AdaptiveAvgPool2d((5, 4)), nn.Conv2d(4, 2, 2),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int]]] = {
    "dilated": (dilated, (36, 40)),
    "turned": (Turned, (36, 40)),
    "fixed": (Fixed, (36, 40)),
    "divided": (Divided, (36, 40)),
    "branches": (Branches, (40, 72)),
    "vit": (modern.ViT, (32, 40)),
    "swin": (modern.Swin, (32, 36)),
    "one window": (lambda: modern.Windows(16, fitting=False), (32, 32)),
    "windows": (lambda: modern.Windows(8, fitting=True), (32, 32)),
    "mobile": (modern.Mobile, (33, 35)),
    "detector": (modern.Detector, (12, 34)),
}


def made(name: str) -> Network:
    build, size = NETWORKS[name]
    return Network(tiny.seeded(build).eval(), Input(3, size))


@pytest.mark.parametrize("name", [*NETWORKS, *tiny.NETWORKS])
@pytest.mark.slow
def test_extents_equal_those_of_the_exhaustive_search(name: str) -> None:
    network = made(name) if name in NETWORKS else tiny.network(name)
    rows, columns = exhaustive(network, ROWS), exhaustive(network, COLUMNS)
    assert network.fields.keys() == rows.keys()
    for layer, field in network.fields.items():
        assert list(field.rows) == rows[layer], layer
        assert list(field.columns) == columns[layer], layer


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.slow
def test_extents_are_the_same_without_onednn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = made(name).fields
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    found = made(name).fields
    assert [*found] == [*expected]
    for layer, field in found.items():
        assert (field.rows, field.columns) == (expected[layer].rows, expected[layer].columns), layer


def poison(name: str) -> Poison:
    network = made(name)
    with frozen(network.module), torch.no_grad():
        made_of_nan = Poison(network.module, network.layers.values(), network.input.shape)
        made_of_nan.extents(ROWS)
        return made_of_nan


@pytest.mark.later
def test_narrow_pictures_serve_where_they_agree() -> None:
    assert {"0", "1", "2", "3"} <= poison("dilated").narrow[ROWS].keys()
    assert "same" not in poison("fixed").narrow[ROWS]
    assert "conv" in poison("fixed").narrow[ROWS]


def test_somewhat_narrow_pictures_serve_where_branches_must_fit() -> None:
    narrow = poison("branches").narrow[ROWS]
    assert (narrow["fine"], narrow["coarse"], narrow["joined"]) == (0, 0, 1)


def test_hollow_layers_are_left_where_they_make_a_nan_of_their_own() -> None:
    assert poison("dilated").hollow
    assert not poison("divided").hollow


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 3),
        nn.Conv2d(4, 6, (2, 3), (2, 1), (1, 2), (1, 2), groups=2, bias=False),
        nn.Conv2d(4, 8, 3, padding="same", groups=4),
        nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"),
        nn.Linear(9, 5),
        nn.Linear(9, 5, bias=False),
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d(2, ceil_mode=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("whole", [True, False])
def test_hollow_layers_spread_nan_as_real_ones_do(layer: nn.Module, whole: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(3, 4, 8, 9, generator=generator)
    places = torch.rand(3, 1 if whole else 4, 8, 9, generator=generator) < 0.04
    inputs[places.expand_as(inputs)] = torch.nan
    with torch.no_grad():
        real = layer(inputs)
        with Hollow():
            hollow = layer(inputs)
    assert hollow.shape == real.shape
    assert real.isnan().any()
    assert not real.isnan().all()
    assert torch.equal(hollow.isnan(), real.isnan())
    assert hollow.is_contiguous()  # so that what follows may change it in place


class Counted(nn.Module):
    """Counts the pictures that it is shown."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.seen = inner, 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += len(x)
        return self.inner(x)


@pytest.mark.later
def test_what_mixes_everything_is_found_by_few_pictures() -> None:
    network = Network(Counted(tiny.seeded(modern.ViT)).eval(), Input(3, (64, 64)))
    late = network.layers["inner.blocks.1"]
    with frozen(network.module), torch.no_grad():
        probe = Poison(network.module, [late], network.input.shape)
        network.module.seen = 0
        assert set(probe.extents(ROWS)["inner.blocks.1"]) == {(0, 63)}
    assert network.module.seen <= 4


def test_a_class_token_that_has_seen_nothing_yet_is_found_by_few_pictures() -> None:
    network = Network(Counted(tiny.seeded(modern.ViT)).eval(), Input(3, (64, 64)))
    name = "inner.blocks.0.norm1[class]"
    with frozen(network.module), torch.no_grad():
        probe = Poison(network.module, [network.layers[name]], network.input.shape)
        network.module.seen = 0
        assert probe.extents(ROWS)[name] == ((0, 63),)
    assert network.module.seen < 40  # of 64 lines
