"""Windows between layers are refused where they would not give the same."""

import pytest
import torch
from torch import Tensor, nn

from laws import unchanged
from phosphene.network import Input, Network
from tiny import network, pictures, seeded


def windowed(net: Network, source: str, target: str) -> bool:
    """Whether there are windows; every place's are compared with the whole."""
    with unchanged(net.module):
        between = net.between(source, target)
    if between is None:
        return False
    found = net.record(pictures(net, 1), [source, target])
    pieces = between.pieces
    for y in range(len(pieces.rows)):
        for x in range(len(pieces.columns)):
            cut = found[source][:, :, *pieces.box(y, x)]
            here = net.onward(source, cut, [target], between.size)[target]
            inside = here[0, :, pieces.rows[y][1], pieces.columns[x][1]]
            assert torch.allclose(inside, found[target][0, :, y, x], atol=1e-5)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_every_place_answers_to_its_window_as_to_the_whole(seed: int) -> None:
    def build() -> nn.Module:
        def draw(*among: int) -> int:
            return among[int(torch.randint(len(among), ()))]

        kernel, stride = draw(1, 3, 5), draw(1, 2)
        return nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(),
            nn.Conv2d(4, 5, kernel, stride, draw(0, kernel // 2), draw(1, 2)), nn.ReLU(),
            nn.MaxPool2d(3, 2, draw(0, 1), ceil_mode=bool(draw(0, 1))),
            nn.Conv2d(5, 3, 3, padding=draw(0, 1)),
        )  # fmt: skip

    net = Network(seeded(build, seed), Input(2, (48, 40)))
    assert windowed(net, "1", "2")
    windowed(net, "1", "5")
    windowed(net, "3", "5")


@pytest.mark.later
def test_where_layers_take_their_maps_whole_there_are_none() -> None:
    assert network("maps").between("0", "4") is None  # a norm over the whole map
    assert network("tokens").between("patches", "output") is None
    assert network("residual").between("stem.1", "bn2") is None or windowed(
        network("residual"), "stem.1", "bn2"
    )
    assert network("residual").between("conv1", "relu@2") is None  # a connection leads around


class Attended(nn.Module):
    """What an early layer says of the whole picture scales a later one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.third = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.third(self.second(x) * x.mean((2, 3), keepdim=True).sigmoid())


def test_what_leads_around_the_source_in_one_number_is_noticed() -> None:
    net = Network(seeded(Attended), Input(1, (24, 24)))
    assert net.between("second", "third") is None
    assert net.between("first", "second") is not None


def test_the_last_stretch_is_followed_down_as_far_as_it_is_linear() -> None:
    def build() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        )

    net = Network(seeded(build), Input(1, (40, 40)))
    assert net.between("0", "4").linear == "1"
    assert net.between("1", "4").linear == "1"
    assert net.between("0", "1").linear is None
