"""A canvas as data: what stands in captions and keys, and builds the live one."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas.live import Canvas
from phosphene.canvas.spectrum import Spectrum
from phosphene.canvas.squash import to_pictures
from phosphene.errors import ChannelError, InputError, SizeError, nearest
from phosphene.streams import Streams
from phosphene.values import Value

STARTS = ("noise", "grey", "black")


@dataclass(frozen=True, kw_only=True)
class Description(Value, ABC):
    """What a canvas starts from and how far an optimiser should step on it.

    `start` is "noise" (random pictures that have the spectrum, their deviation in logits
    multiplied by `spread`), "grey" or "black". `learning_rate` is a good step size for Adam.

    >>> from phosphene.canvas import Maco
    >>> Description.from_json({"canvas": "maco", "spread": 1.0})
    Maco(start='noise', spread=1.0, learning_rate=0.2)
    """

    tag: ClassVar[str] = "canvas"
    called: ClassVar[str] = "canvas"
    start: str = "noise"
    spread: float = 0.1
    learning_rate: float

    def __post_init__(self) -> None:
        """Refuse a start that is none, and what is no size of a spread or a step."""
        if self.start not in STARTS:
            raise InputError(
                f"no start is called {self.start!r}; {nearest(str(self.start), STARTS)}"
            )
        for name in ("spread", "learning_rate"):
            given = getattr(self, name)
            if isinstance(given, bool) or not (isinstance(given, int | float) and 0 <= given < inf):
                raise InputError(f"a {name} of {given!r}; it is a number, 0 or more")

    def build(
        self,
        streams: Streams,
        shape: tuple[int, int, int],
        spectrum: Spectrum | None = None,
        pictures: Float[Tensor, "n c h w"] | None = None,
        device: torch.device | str = "cpu",
    ) -> Canvas:
        """A live canvas of one picture of `shape = (c, h, w)` per stream.

        `spectrum` is brought to `shape`; without one it is 1/f. `pictures`, one or one per
        stream, take the place of `start`. Raises `ChannelError` or `SizeError` when they do not
        fit.
        """
        channels, *size = shape
        if spectrum is None:
            spectrum = Spectrum.natural(channels, (size[0], size[1]))
        spectrum = spectrum.fitted(shape)
        if pictures is None:
            pictures = self._first(streams, spectrum)
        else:
            _check_fit(pictures, len(streams), shape)
            pictures = pictures.detach().expand(len(streams), *shape)
        return self.hold(pictures.to(device), spectrum.to(device))

    @abstractmethod
    def hold(self, pictures: Float[Tensor, "b c h w"], spectrum: Spectrum) -> Canvas:
        """A live canvas that shows `pictures`, or what comes nearest to them."""

    def _first(self, streams: Streams, spectrum: Spectrum) -> Float[Tensor, "b c h w"]:
        shape = (spectrum.channels, *spectrum.size)
        if self.start == "noise":
            waves = torch.fft.rfft2(streams.normal(*shape), norm="ortho") * spectrum.half
            return to_pictures(spectrum.logits(self.spread * waves))
        return torch.full((len(streams), *shape), 0.5 if self.start == "grey" else 0.0)


def _check_fit(pictures: Tensor, count: int, shape: tuple[int, int, int]) -> None:
    given = tuple(pictures.shape)
    if given[1] != shape[0]:
        raise ChannelError(f"start pictures have {given[1]} channels; the canvas has {shape[0]}")
    if given[2:] != shape[1:]:
        raise SizeError(f"start pictures are {given[2:]}; the canvas is {shape[1:]}. Resize them")
    if given[0] not in {1, count}:
        raise SizeError(f"{given[0]} start pictures for {count} images; give 1 or {count}")
