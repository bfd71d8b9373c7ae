"""Transparency: the places that an ascent was about are opaque, and no others."""

import pytest
import torch
from torch import Tensor, nn

from phosphene.canvas import Fourier, Pixels
from phosphene.maximize import Above, Optimizer, Recipe, ascend, draw, opacity, traced
from phosphene.maximize.transparency import GRAINS, coarse
from phosphene.network import Input, Network
from phosphene.objectives import Channel
from phosphene.streams import Streams
from phosphene.transforms import Identity, RandomAffine


def corner(size: int, seen: int, channels: int = 3) -> Network:
    """Unit 0 looks at the upper left corner alone, `seen` pixels wide; unit 1 at everything."""
    weights = torch.zeros(2, channels, size, size)
    weights[0, :, :seen, :seen] = 1.0
    weights[1] = 1.0
    dense = nn.Linear(channels * size * size, 2, bias=False)
    dense.weight.data = weights.flatten(1)
    return Network(nn.Sequential(nn.Flatten(), dense), Input(channels, (size, size)))


@pytest.mark.parametrize("canvas", [Pixels(spread=0.5), Fourier()], ids=repr)
def test_a_unit_of_one_corner_is_opaque_there_alone(canvas: Pixels | Fourier) -> None:
    recipe = Recipe(canvas=canvas, steps=3, transform=Identity())
    of_corner, of_all = draw(corner(24, 6), ["1:0", "1:1"], recipe)
    assert of_corner.alpha is not None
    assert of_all.alpha is not None
    assert of_corner.alpha.shape == (24, 24)
    assert (of_corner.alpha[:6, :6] > 0.9).all()
    assert of_corner.alpha[6:].max() == of_corner.alpha[:, 6:].max() == 0
    assert (of_all.alpha > 0.9).all()


def test_moves_blur_it_and_keep_it_in_its_corner() -> None:
    recipe = Recipe(canvas=Pixels(), steps=16, transform=RandomAffine(shift=2 / 24, rotate=5.0))
    (drawing,) = draw(corner(24, 6), ["1:0"], recipe)
    assert drawing.alpha is not None
    assert drawing.alpha[:5, :5].min() > 0.5
    assert drawing.alpha[12:].max() == drawing.alpha[:, 12:].max() == 0


def test_the_cells_of_large_pictures_are_smooth_and_as_large_as_the_picture() -> None:
    recipe = Recipe(canvas=Pixels(), steps=1, transform=Identity())
    (drawing,) = draw(corner(2 * GRAINS, 40, channels=1), ["1:0"], recipe)
    assert drawing.alpha is not None
    assert drawing.alpha.shape == drawing.picture.shape[1:]
    assert (drawing.alpha[:38, :38] == 1).all()
    assert drawing.alpha[42:].max() == 0
    assert coarse(drawing.alpha[None]).shape == (1, GRAINS, GRAINS)


def test_what_a_stopped_picture_is_asked_does_not_count() -> None:
    network = corner(8, 4)

    def asked(stop: Above | None) -> Tensor:
        streams = Streams.seeded(0, ["a", "b"])
        canvas = Pixels().build(streams, network.input.shape)
        slow = Optimizer(learning_rate=0.001)
        steps = ascend(
            network, Channel("1", (0, 1)), canvas, streams, steps=4, optimizer=slow, stop=stop
        )
        return traced(steps)[1]

    free, half = asked(None), asked(Above(50.0))  # unit 1 begins above 50, unit 0 below
    assert torch.equal(free[0], half[0])
    torch.testing.assert_close(5 * half[1], free[1])


def test_what_was_asked_of_places_is_divided_by_the_percentile_of_those_asked() -> None:
    asked = torch.zeros(1, 10, 10)
    asked[0, 0] = torch.arange(1.0, 11.0)
    expected = (torch.arange(1.0, 11.0) / 8.2).clamp_max(1)
    torch.testing.assert_close(opacity(asked)[0, 0], expected)
    assert opacity(asked)[0, 1:].max() == 0
    assert (opacity(torch.zeros(2, 3, 4)) == 1).all()
