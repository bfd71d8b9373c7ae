"""Pictures as Fourier coefficients, each counted in units of what is usual at its frequency."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas.description import Description
from phosphene.canvas.spectrum import Spectrum
from phosphene.canvas.squash import to_logits, to_pictures

_FAINTEST = 1e-3
"""Of the usual magnitude; the unit of frequencies that the data hardly has."""


class FourierCanvas:
    """`squash(level + basis irfft2(scale * coefficients))`."""

    def __init__(
        self, pictures: Float[Tensor, "b c h w"], spectrum: Spectrum, learning_rate: float
    ) -> None:
        self.learning_rate = learning_rate
        self.spectrum = spectrum
        usual = spectrum.magnitude.square().mean().sqrt()
        scale = spectrum.half.clamp_min(_FAINTEST * float(usual))
        waves = spectrum.waves(to_logits(pictures)) / scale
        self.scale = torch.stack([scale, scale], dim=-1)
        self.coefficients = torch.view_as_real(waves).clone().requires_grad_()

    @property
    def parameters(self) -> Sequence[Tensor]:
        """Real and imaginary parts, `b c h wf 2`."""
        return (self.coefficients,)

    def __call__(self) -> Float[Tensor, "b c h w"]:
        """The pictures, in [0, 1]."""
        waves = torch.view_as_complex(self.scale * self.coefficients)
        return to_pictures(self.spectrum.logits(waves))

    def project_(self) -> None:
        """Nothing to do: any coefficients make a picture."""


@dataclass(frozen=True, kw_only=True)
class Fourier(Description):
    """Optimise Fourier coefficients, so that a step changes coarse and fine structure alike.

    *Source:* Olah, Mordvintsev & Schubert, "Feature Visualization", Distill 2017. There the scale
    is 1/f; here it is the spectrum of the data when there is one.
    """

    kind: ClassVar[str] = "fourier"
    learning_rate: float = 0.045

    def hold(self, pictures: Float[Tensor, "b c h w"], spectrum: Spectrum) -> FourierCanvas:
        """The given pictures, to rounding."""
        return FourierCanvas(pictures, spectrum, self.learning_rate)
