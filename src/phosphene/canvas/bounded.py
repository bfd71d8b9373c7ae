"""Fourier coefficients that may be as strong as real pictures' and no stronger."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas.description import Description
from phosphene.canvas.fourier import FourierCanvas
from phosphene.canvas.spectrum import Spectrum
from phosphene.errors import InputError


class BoundedCanvas(FourierCanvas):
    """A Fourier canvas whose coefficients stay within `limit` times the usual magnitude."""

    def __init__(
        self,
        pictures: Float[Tensor, "b c h w"],
        spectrum: Spectrum,
        learning_rate: float,
        limit: float,
    ) -> None:
        super().__init__(pictures, spectrum, learning_rate)
        self.limit = limit
        self.project_()

    @torch.no_grad()
    def project_(self) -> None:
        """Shorten the coefficients that are longer than the limit."""
        real, imaginary = self.coefficients.unbind(-1)
        length = (real.square() + imaginary.square()).sqrt_()
        shrink = self.limit / length.clamp_min_(self.limit)
        real.mul_(shrink)
        imaginary.mul_(shrink)


@dataclass(frozen=True, kw_only=True)
class Bounded(Description):
    """Optimise Fourier coefficients `z` under `|z| <= limit * magnitude` of the data's spectrum.

    Between `Fourier`, which may pile up any contrast, and `Maco`, which must put its full share of
    every frequency somewhere and so fills quiet places with clutter: what a unit does not ask
    for stays as faint as it started.

    *Source:* Fel et al. 2023 (arXiv 2306.06805), with their equation for magnitudes made an upper
    bound.
    """

    kind: ClassVar[str] = "bounded"
    learning_rate: float = 0.06
    limit: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a limit that lets nothing through; raises `InputError`."""
        super().__post_init__()
        if not self.limit > 0:
            raise InputError(
                f"a limit of {self.limit} times the usual magnitude; it is above 0, usually near 1"
            )

    def hold(self, pictures: Float[Tensor, "b c h w"], spectrum: Spectrum) -> BoundedCanvas:
        """The given pictures, their waves shortened to the limit."""
        return BoundedCanvas(pictures, spectrum, self.learning_rate, self.limit)
