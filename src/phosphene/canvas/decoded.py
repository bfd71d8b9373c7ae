"""Pictures held as the codes of a decoder: whatever is drawn is something the decoder can draw."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.canvas.description import Description
from phosphene.canvas.live import Canvas
from phosphene.canvas.spectrum import Spectrum
from phosphene.errors import ChannelError, InputError, SettingError, SizeError, reading
from phosphene.network import fingerprint, frozen
from phosphene.streams import Streams


class Autoencoder(nn.Module, ABC):
    """What `Decoded` needs: pictures of `shape = (c, h, w)` to `codes` numbers and back.

    Codes of the pictures it learnt from are about standard normal. Both ways treat every picture
    by itself, and `decode` is differentiable.
    """

    def __init__(self, shape: tuple[int, int, int], codes: int) -> None:
        super().__init__()
        self.shape = shape
        self.codes = codes

    @abstractmethod
    def encode(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """The codes that come nearest to `pictures`."""

    @abstractmethod
    def decode(self, codes: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """The pictures of `codes`, in [0, 1]."""

    def forward(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """What is left of `pictures` after both ways."""
        return self.decode(self.encode(pictures))

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    @property
    def fingerprint(self) -> str:
        """A hash that differs when the weights or the shape do."""
        return fingerprint(self, type(self).__name__, self.shape, self.codes)


class DecodedCanvas:
    """`decode(codes)` with `|codes| <= reach sqrt(d)`; the decoder itself does not change."""

    def __init__(
        self,
        decoder: Autoencoder,
        codes: Float[Tensor, "b d"],
        *,
        reach: float,
        learning_rate: float,
        device: torch.device | str = "cpu",
    ) -> None:
        self.decoder = decoder
        self.learning_rate = learning_rate
        self.limit = reach * sqrt(decoder.codes)
        self.device = device
        self.codes = codes.detach().to(decoder.device, copy=True).requires_grad_()
        self.project_()

    @property
    def parameters(self) -> Sequence[Tensor]:
        """The codes, `b d`."""
        return (self.codes,)

    def __call__(self) -> Float[Tensor, "b c h w"]:
        """The pictures, in [0, 1]."""
        with frozen(self.decoder):  # gradients reach the codes and not the weights
            return self.decoder.decode(self.codes).to(self.device)

    @torch.no_grad()
    def project_(self) -> None:
        """Shorten codes that are longer than the limit."""
        length = self.codes.norm(dim=1, keepdim=True)
        self.codes.mul_((self.limit / length.clamp_min(1e-12)).clamp_max(1))


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded(Description):
    """Optimise the codes of a decoder, so that a picture is sought among those it can draw.

    The codes z stay within `|z| <= reach sqrt(d)`, where d is their number: codes of real pictures
    are about standard normal, and those are `sqrt(d)` long. From "noise" the codes start standard
    normal times `spread`; a "grey" or "black" picture, or a given one, is encoded first, and comes
    back as well as the decoder can draw it.

    What is drawn is likely because the decoder makes it so: only what differs between units tells
    about the network.

    *Source:* Nguyen et al. 2016, "Synthesizing the preferred inputs for neurons in neural networks
    via deep generator networks" (arXiv 1605.09304). There the decoder inverts the features of a
    network, and each code is cut off by itself at three deviations of those of real pictures; here
    it is any autoencoder's, and the length of the whole code is kept.
    """

    kind: ClassVar[str] = "decoded"
    decoder: Autoencoder = field(repr=False)
    spread: float = 1.0
    reach: float = 1.0
    learning_rate: float = 0.05

    def __post_init__(self) -> None:
        """Refuse a reach that leaves no codes; raises `InputError`."""
        super().__post_init__()
        if not self.reach > 0:
            raise InputError(
                f"a reach of {self.reach} leaves no codes; give one above 0, such as 1"
            )

    def build(
        self,
        streams: Streams,
        shape: tuple[int, int, int],
        spectrum: Spectrum | None = None,
        pictures: Float[Tensor, "n c h w"] | None = None,
        device: torch.device | str = "cpu",
    ) -> Canvas:
        """A live canvas of one picture of `shape = (c, h, w)` per stream.

        The spectrum is the decoder's own affair. Raises `ChannelError` or `SizeError` when `shape`
        is not that of the decoder's pictures, or `pictures` do not fit.
        """
        _check_shape(self.decoder.shape, shape)
        if pictures is None and self.start == "noise":
            return self._canvas(self.spread * streams.normal(self.decoder.codes), device)
        return super().build(streams, shape, pictures=pictures, device=device)

    @torch.no_grad()
    def hold(self, pictures: Float[Tensor, "b c h w"], spectrum: Spectrum) -> DecodedCanvas:
        """What the decoder makes of the given pictures; the spectrum is not used."""
        with frozen(self.decoder):
            codes = self.decoder.encode(pictures.to(self.decoder.device))
        return self._canvas(codes, pictures.device)

    def _canvas(self, codes: Float[Tensor, "b d"], device: torch.device | str) -> DecodedCanvas:
        return DecodedCanvas(
            self.decoder, codes, reach=self.reach, learning_rate=self.learning_rate, device=device
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; the decoder is named by its fingerprint."""
        told: dict[str, Any] = super().to_json()
        return told | {"decoder": self.decoder.fingerprint}

    @classmethod
    def from_json(cls, value: Any, decoder: Autoencoder | None = None) -> "Decoded":
        """The inverse of `to_json`; raises `SettingError` when it names another `decoder`."""
        with reading(value, cls.called):
            told = dict(value)
            kind, named = told.pop(cls.tag, None), told.get("decoder")
            if kind != cls.kind:
                raise SettingError(f"{kind!r} is no {cls.kind} canvas; read it with Description")
            if decoder is not None and named != decoder.fingerprint:
                raise SettingError(
                    f"the canvas was drawn on by the decoder {named}; {decoder.fingerprint} was "
                    "given. Load the weights it had then"
                )
            return cls.read(told | {"decoder": decoder})

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Decoded":
        """A canvas of the decoder that is among the fields; see `Value.read`."""
        if not isinstance(told.get("decoder"), Autoencoder):
            raise SettingError(
                "a decoded canvas needs its decoder; read it with Decoded.from_json(value, decoder)"
            )
        return super().read(told)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decoded) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(tuple(self.to_json().values()))


def _check_shape(known: tuple[int, int, int], wanted: tuple[int, int, int]) -> None:
    if known == wanted:
        return
    drawn, asked = (" x ".join(str(side) for side in shape) for shape in (known, wanted))
    raise (ChannelError if known[0] != wanted[0] else SizeError)(
        f"the decoder draws pictures of {drawn}; the canvas is {asked}. Whole pictures need a "
        "decoder trained at the size of the network's input; for the patches of neurons take "
        "another canvas"
    )
