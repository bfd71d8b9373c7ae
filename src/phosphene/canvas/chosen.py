"""The canvas that the data asks for: held where its mean picture says where things are."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas.bounded import Bounded
from phosphene.canvas.description import Description
from phosphene.canvas.fourier import Fourier
from phosphene.canvas.live import Canvas
from phosphene.canvas.spectrum import Spectrum
from phosphene.errors import InputError
from phosphene.streams import Streams

CENTRED = 0.1
"""Of the variance: 30 and 55 % of two sets of handwritten digits, 1 and 2 % of photographs."""


@dataclass(frozen=True, kw_only=True)
class Chosen(Description):
    """`Bounded` or `Fourier`, as the spectrum of the data says: the choice of the tool.

    Where the mean picture of the data makes up a tenth of its variance or more, things have their
    places and pictures are held near the usual ones (`Bounded`). Where it says nothing, as with
    photographs, or for a unit that sees a small window anywhere, a bound on what is usual on
    average starves what is strong in one place, and pictures are free (`Fourier`).

    >>> Chosen().suited(Spectrum.natural(3, (8, 8)))
    Fourier(start='noise', spread=0.1, learning_rate=0.045)
    """

    kind: ClassVar[str] = "chosen"
    unsaid: ClassVar[tuple[str, ...]] = ("learning_rate",)
    learning_rate: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a rate, which belongs to the canvas that is chosen; raises `InputError`."""
        super().__post_init__()
        if self.learning_rate:
            raise InputError(
                f"a rate of {self.learning_rate} for a canvas that is yet to be chosen; name the "
                "canvas, or give the rate to the optimiser"
            )

    def suited(self, spectrum: Spectrum) -> Description:
        """The canvas for data of this spectrum, with this one's start and spread."""
        canvas = Bounded if spectrum.centred >= CENTRED else Fourier
        return canvas(start=self.start, spread=self.spread)

    def build(
        self,
        streams: Streams,
        shape: tuple[int, int, int],
        spectrum: Spectrum | None = None,
        pictures: Float[Tensor, "n c h w"] | None = None,
        device: torch.device | str = "cpu",
    ) -> Canvas:
        """What `suited` builds; see `Description.build`."""
        if spectrum is None:
            spectrum = Spectrum.natural(shape[0], shape[1:])
        spectrum = spectrum.fitted(shape)
        return self.suited(spectrum).build(streams, shape, spectrum, pictures, device)

    def hold(self, pictures: Float[Tensor, "b c h w"], spectrum: Spectrum) -> Canvas:
        """The given pictures on the suited canvas."""
        return self.suited(spectrum).hold(pictures, spectrum)
