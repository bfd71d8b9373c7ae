"""Colour axes that vary independently of each other in the data."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ColorBasis:
    """Orthonormal colour axes, one per column of `axes`, strongest first.

    In photographs the first axis is brightness and the others are opponent colours. A step along
    one of them leaves the others alone, so an optimiser does not paint everything in the
    saturated colours that correlated channels favour.

    *Source:* Olah, Mordvintsev & Schubert, "Feature Visualization", Distill 2017. There the
    channels are whitened; here the basis only turns them, because the `Spectrum` holds the
    amplitude of each axis.

    >>> ColorBasis.of_covariance(torch.eye(3)).correlate(torch.ones(1, 3, 2, 2)).shape
    torch.Size([1, 3, 2, 2])
    """

    axes: Float[Tensor, "c c"]

    @classmethod
    def of_covariance(cls, covariance: Float[Tensor, "c c"]) -> "ColorBasis":
        """The eigenvectors of a covariance between channels.

        Their signs, which are arbitrary, are set so that the first channels count positive.
        """
        axes = torch.linalg.eigh(covariance.double()).eigenvectors.flip(-1)
        leading = 0.5 ** torch.arange(len(axes), device=axes.device).double() @ axes
        signs = torch.where(leading < 0, -1.0, 1.0)
        return cls((axes * signs).float())

    def correlate(self, independent: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """From colour axes to channels."""
        return (self.axes @ independent.flatten(2)).view_as(independent)

    def decorrelate(self, channels: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """From channels to colour axes; the inverse of `correlate`."""
        return (self.axes.T @ channels.flatten(2)).view_as(channels)

    def to(self, device: torch.device | str) -> "ColorBasis":
        """The same basis on another device."""
        return ColorBasis(self.axes.to(device))
