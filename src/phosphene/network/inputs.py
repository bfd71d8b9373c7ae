"""What a network expects as input, and the one place where pictures become its numbers."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ChannelError, InputError, SpecError


@dataclass(frozen=True)
class Input:
    """Channels, size and normalisation of a network's input.

    A picture p in [0, 1] enters the network as `(low + p * (high - low) - mean) / std`, where
    `(low, high)` is the range of values the network was trained on before mean and deviation
    were taken out: (0, 1) for most, (0, 255) for networks fed with bytes.

    `mean` and `std` have one number per channel; a single number stands for all channels.

    >>> Input(1, (28, 28), mean=0.1307, std=0.3081).normalise(torch.zeros(1, 1, 28, 28)).min()
    tensor(-0.4242)
    """

    channels: int
    size: tuple[int, int]
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    value_range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Turn single numbers into one per channel and refuse what cannot be an input."""
        if self.channels < 1 or min(self.size) < 1:
            raise SpecError(
                f"an input of {self} pixels cannot be; channels and size are at least 1"
            )
        for field in ("mean", "std"):
            given = getattr(self, field)
            values = tuple(given) if isinstance(given, tuple | list) else (float(given),)
            if len(values) == 1:
                values *= self.channels
            if len(values) != self.channels:
                raise SpecError(
                    f"{field} has {len(values)} numbers for {self.channels} channels; "
                    "give one, or one per channel"
                )
            object.__setattr__(self, field, tuple(float(v) for v in values))
        if not all(self.std):  # type: ignore[arg-type]
            raise SpecError(f"std {self.std} has a zero; a deviation is positive")
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))

    def __str__(self) -> str:
        return f"{self.channels} x {self.size[0]} x {self.size[1]}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(channels, height, width)`."""
        return (self.channels, *self.size)

    @property
    def zero(self) -> tuple[float, ...]:
        """The picture level of each channel that the network sees as zero."""
        low, high = self.value_range
        return tuple((m - low) / (high - low) for m in self.mean)  # type: ignore[union-attr]

    def normalise(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The numbers the network was trained on; always a new tensor."""
        low, high = self.value_range
        mean = pictures.new_tensor(self.mean).view(1, -1, 1, 1)
        std = pictures.new_tensor(self.std).view(1, -1, 1, 1)
        return (pictures * ((high - low) / std)) + (low - mean) / std

    def check_shape(self, pictures: object) -> None:
        """Raise `InputError` or `ChannelError` unless `pictures` is `b c h w` with our c."""
        if not isinstance(pictures, Tensor):
            raise InputError(
                f"pictures of type {type(pictures).__name__} were given; expected a tensor of "
                f"floats of shape (b, {self.channels}, h, w) in [0, 1]; turn an array into one "
                "with torch.from_numpy(array).float(), read a file with phosphene.read_image"
            )
        if pictures.ndim != 4 or not pictures.is_floating_point():
            raise InputError(
                f"pictures of shape {tuple(pictures.shape)} and type {pictures.dtype} were given; "
                f"expected floats of shape (b, {self.channels}, h, w) in [0, 1]"
                + ("; add the batch axis with [None]" if pictures.ndim == 3 else "")
            )
        if pictures.shape[1] != self.channels:
            raise ChannelError(
                f"pictures with {pictures.shape[1]} channels were given to a network that takes "
                f"{self.channels}; " + _channel_remedy(pictures.shape[1], self.channels)
            )

    def check_values(self, pictures: Tensor) -> None:
        """Raise `InputError` unless all values are finite and in [0, 1]."""
        if pictures.numel() == 0:
            return
        low, high = (float(v) for v in torch.aminmax(pictures.detach()))
        if not (low >= -1e-4 and high <= 1 + 1e-4):  # also true for NaN
            raise InputError(
                f"pictures range from {low:.4g} to {high:.4g}; expected [0, 1]. "
                "Pass plain pictures: the network record normalises them itself"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Input":
        """The inverse of `to_json`."""
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in value.items()
        }
        return cls(**fields)


def _channel_remedy(given: int, expected: int) -> str:
    if given == 3 and expected == 1:
        return "turn them grey with pictures.mean(dim=1, keepdim=True)"
    if given == 1:
        return f"repeat the channel with pictures.expand(-1, {expected}, -1, -1)"
    return "check the order of the axes: b c h w"
