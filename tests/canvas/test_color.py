"""Colour bases: orthonormal, inverse, decorrelating, for any number of channels."""

import pytest
import torch
from torch import Tensor

from phosphene.canvas import ColorBasis


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_decorrelated_pixels_have_a_diagonal_covariance(channels: int) -> None:
    generator = torch.Generator().manual_seed(channels)
    mixing = torch.randn(channels, channels, generator=generator)
    pictures = torch.einsum(
        "ij,bjhw->bihw", mixing, torch.rand(4, channels, 16, 15, generator=generator)
    )
    basis = ColorBasis.measure(pictures)
    turned = basis.decorrelate(pictures)
    covariance = torch.cov(turned.movedim(1, 0).flatten(1)).reshape(channels, channels)
    assert torch.allclose(covariance, covariance.diag().diag(), atol=1e-4)
    assert (covariance.diag().diff() <= 1e-6).all()
    assert torch.allclose(basis.correlate(turned), pictures, atol=1e-5)


def test_the_identity_changes_nothing(crops: Tensor) -> None:
    basis = ColorBasis.identity(3)
    assert torch.equal(basis.correlate(crops), crops)
    assert torch.equal(basis.decorrelate(crops), crops)


def test_one_channel_has_only_the_identity() -> None:
    basis = ColorBasis.measure(torch.rand(3, 1, 4, 4))
    assert torch.equal(basis.axes, torch.ones(1, 1))
