"""Colour bases: orthonormal, inverse, decorrelating, for any number of channels."""

import pytest
import torch
from torch import Tensor

from phosphene.canvas import ColorBasis


def measured(pictures: Tensor) -> ColorBasis:
    pixels = pictures.movedim(1, 0).flatten(1)
    return ColorBasis.of_covariance(torch.cov(pixels).reshape(len(pixels), len(pixels)))


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_decorrelated_pixels_have_a_diagonal_covariance(channels: int) -> None:
    generator = torch.Generator().manual_seed(channels)
    mixing = torch.randn(channels, channels, generator=generator)
    pictures = torch.einsum(
        "ij,bjhw->bihw", mixing, torch.rand(4, channels, 16, 15, generator=generator)
    )
    basis = measured(pictures)
    turned = basis.decorrelate(pictures)
    covariance = torch.cov(turned.movedim(1, 0).flatten(1)).reshape(channels, channels)
    assert torch.allclose(covariance, covariance.diag().diag(), atol=1e-4)
    assert (covariance.diag().diff() <= 1e-6).all()
    assert torch.allclose(basis.correlate(turned), pictures, atol=1e-5)


def test_one_channel_has_only_the_identity() -> None:
    basis = measured(torch.rand(3, 1, 4, 4))
    assert torch.equal(basis.axes, torch.ones(1, 1))
