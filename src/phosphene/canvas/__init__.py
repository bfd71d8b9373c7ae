"""Differentiable ways to hold pictures: pixels, Fourier coefficients, phases, codes."""

from phosphene.canvas.bounded import Bounded, BoundedCanvas
from phosphene.canvas.chosen import Chosen
from phosphene.canvas.color import ColorBasis
from phosphene.canvas.decoded import Autoencoder, Decoded, DecodedCanvas
from phosphene.canvas.description import Description
from phosphene.canvas.fourier import Fourier, FourierCanvas
from phosphene.canvas.maco import Maco, MacoCanvas
from phosphene.canvas.pixels import PixelCanvas, Pixels
from phosphene.canvas.spectrum import Spectrum

__all__ = [
    "Autoencoder",
    "Bounded",
    "BoundedCanvas",
    "Chosen",
    "ColorBasis",
    "Decoded",
    "DecodedCanvas",
    "Description",
    "Fourier",
    "FourierCanvas",
    "Maco",
    "MacoCanvas",
    "PixelCanvas",
    "Pixels",
    "Spectrum",
]
