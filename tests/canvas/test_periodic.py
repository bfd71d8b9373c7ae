"""The periodic component against the equation that defines it."""

import pytest
import torch
from torch import Tensor

from phosphene.canvas.periodic import periodic_waves


def slow_periodic(picture: Tensor) -> Tensor:
    """u - s, with s from the Poisson equation as one dense system, and of mean zero."""
    height, width = picture.shape
    jumps = torch.zeros(height, width, dtype=torch.float64)
    system = torch.zeros(height * width, height * width, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                there = (y + dy) % height, (x + dx) % width
                system[y * width + x, there[0] * width + there[1]] += 1
                system[y * width + x, y * width + x] -= 1
                if there != (y + dy, x + dx):  # the neighbour is across the border
                    jumps[y, x] += picture[there] - picture[y, x]
    smooth = torch.linalg.lstsq(system, jumps.flatten()[:, None], driver="gelsd").solution
    return picture - (smooth - smooth.mean()).view(height, width)


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (5, 3), (1, 6), (6, 1)])
def test_it_solves_the_equation(size: tuple[int, int]) -> None:
    picture = torch.rand(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.fft.fft2(slow_periodic(picture), norm="ortho")
    torch.testing.assert_close(periodic_waves(picture), expected)


@pytest.mark.later
def test_the_mean_is_kept(crops: Tensor) -> None:
    means = periodic_waves(crops)[..., 0, 0].real / (31 * 40) ** 0.5
    torch.testing.assert_close(means, crops.mean(dim=(2, 3)))


def test_a_ramp_has_little_left_of_its_edge() -> None:
    ramp = torch.linspace(0, 1, 32).expand(1, 32, 32)
    edge, kept = torch.fft.fft2(ramp, norm="ortho")[0, 0, 1:], periodic_waves(ramp)[0, 0, 1:]
    assert float(kept.abs().max() / edge.abs().max()) < 0.05
