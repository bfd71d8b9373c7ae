"""The plainest canvas: the pixels themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas.description import Description
from phosphene.canvas.spectrum import Spectrum


class PixelCanvas:
    """Pictures held as their pixels and cut to [0, 1] after each step."""

    def __init__(self, pictures: Float[Tensor, "b c h w"], learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.pixels = pictures.clone().requires_grad_()

    @property
    def parameters(self) -> Sequence[Tensor]:
        """The pixels."""
        return (self.pixels,)

    def __call__(self) -> Float[Tensor, "b c h w"]:
        """The pictures, in [0, 1]."""
        return self.pixels.clone()  # steps are taken in place; what was shown stays

    @torch.no_grad()
    def project_(self) -> None:
        """Cut the pixels to [0, 1]."""
        self.pixels.clamp_(0, 1)


@dataclass(frozen=True, kw_only=True)
class Pixels(Description):
    """Optimise the pixels; free to become any picture, so also the noisiest.

    *Source:* Simonyan, Vedaldi & Zisserman, "Deep Inside Convolutional Networks", 2013
    (arXiv 1312.6034).
    """

    kind: ClassVar[str] = "pixels"
    learning_rate: float = 0.01

    def hold(self, pictures: Float[Tensor, "b c h w"], spectrum: Spectrum) -> PixelCanvas:
        """The given pictures exactly; the spectrum only shapes the noise one starts from."""
        return PixelCanvas(pictures, self.learning_rate)
