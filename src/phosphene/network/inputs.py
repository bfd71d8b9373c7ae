"""What a network expects as input, and the one place where pictures become its numbers."""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ChannelError, InputError, SettingError
from phosphene.values import Value
from phosphene.words import literal


@dataclass(frozen=True, repr=False)
class Input(Value):
    """Channels, size and normalisation of a network's input.

    A picture p in [0, 1] enters the network as `(low + p * (high - low) - mean) / std`, where
    `(low, high)` is the range of values the network was trained on before mean and deviation
    were taken out: (0, 1) for most, (0, 255) for networks fed with bytes.

    `mean` and `std` have one number per channel; a single number stands for all channels.

    `order` says in which order the network takes the channels of a picture: "bgr" for networks
    that were trained on blue, green, red (Caffe's, and those fed by OpenCV), or any permutation
    such as (2, 1, 0, 3); () is the picture's own. `mean` and `std` are in the network's order, so
    Caffe's (103.939, 116.779, 123.68) stay as they are with `order="bgr"`.

    >>> Input(1, (28, 28), mean=0.1307, std=0.3081).normalise(torch.zeros(1, 1, 28, 28)).min()
    tensor(-0.4242)
    """

    called: ClassVar[str] = "input"
    unsaid: ClassVar[tuple[str, ...]] = ("order",)
    channels: int
    size: tuple[int, int]
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    value_range: tuple[float, float] = (0.0, 1.0)
    order: str | tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Turn single numbers into one per channel and refuse what cannot be an input."""
        if not (isinstance(self.size, tuple | list) and len(self.size) == 2):
            side = self.size if isinstance(self.size, int) else 28
            raise SettingError(
                f"{self.size!r} is no size; give (height, width), such as ({side}, {side})"
            )
        if self.channels < 1 or min(self.size) < 1:
            raise SettingError(
                f"an input of {self} pixels cannot be; channels and size are at least 1"
            )
        for field in ("mean", "std"):
            given = getattr(self, field)
            values = tuple(given) if isinstance(given, tuple | list) else (float(given),)
            if len(values) == 1:
                values *= self.channels
            if len(values) != self.channels:
                raise SettingError(
                    f"{field} has {len(values)} numbers for {self.channels} channels; "
                    "give one, or one per channel"
                )
            object.__setattr__(self, field, tuple(float(v) for v in values))
        numbers = (*self.mean, *self.std, *self.value_range)  # type: ignore[misc]
        if not all(map(isfinite, numbers)):
            raise SettingError(f"{numbers} are its mean, std and range; all of them are finite")
        if not all(self.std):  # type: ignore[arg-type]
            raise SettingError(f"std {self.std} has a zero; a deviation is positive")
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))
        object.__setattr__(self, "order", _order(self.order, self.channels))

    def __repr__(self) -> str:
        """All fields, `order` only where it is not the usual."""
        return self.identity

    def __str__(self) -> str:
        return f"{self.channels} x {self.size[0]} x {self.size[1]}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(channels, height, width)`."""
        return (self.channels, *self.size)

    @property
    def zero(self) -> tuple[float, ...]:
        """The level of each of a picture's channels that the network sees as zero."""
        low, high = self.value_range
        levels = [(m - low) / (high - low) for m in self.mean]  # type: ignore[union-attr]
        places = tuple(self.order) or tuple(range(self.channels))
        return tuple(levels[places.index(c)] for c in range(self.channels))

    def as_pictures(self, weights: Tensor) -> Tensor:
        """What lies in the network's order of channels, `n c …`, in the order of pictures."""
        if not self.order:
            return weights
        return weights[:, torch.tensor(self.order, device=weights.device).argsort()]

    def normalise(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The numbers the network was trained on; always a new tensor."""
        low, high = self.value_range
        mean = pictures.new_tensor(self.mean).view(1, -1, 1, 1)
        std = pictures.new_tensor(self.std).view(1, -1, 1, 1)
        if self.order:
            pictures = pictures[:, list(self.order)]
        return (pictures * ((high - low) / std)) + (low - mean) / std

    def check_shape(self, pictures: object) -> None:
        """Raise `InputError` or `ChannelError` unless `pictures` is `b c h w` with our c."""
        if isinstance(pictures, tuple):
            raise InputError(
                "a tuple was given where pictures are expected; of an item of a dataset give the "
                "picture as a batch: data[3].picture[None], or data[3][0][None]"
            )
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
                + _axes_remedy(pictures)
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
                f"pictures range from {literal(low)} to {literal(high)}; expected [0, 1]. "
                "Pass plain pictures: the network record normalises them itself"
            )


def suggested(given: object) -> str:
    """How the input is written that a side, a size or a shape may stand for.

    >>> suggested((1, 28, 28)), suggested(224)
    ('Input(1, (28, 28))', 'Input(3, (224, 224))')
    """
    sides = tuple(given) if isinstance(given, tuple | list) else (given,)
    if not (1 <= len(sides) <= 3 and all(isinstance(side, int) and side > 0 for side in sides)):
        return "Input(3, (224, 224))"
    size = (sides[-2:] * 2)[:2] if len(sides) > 1 else sides * 2
    channels = sides[0] if len(sides) == 3 else 1 if size[0] <= 28 else 3
    return f"Input({channels}, {size})"


def _order(order: str | tuple[int, ...], channels: int) -> tuple[int, ...]:
    """The picture's channel at each of the network's places; () where that is the same."""
    if isinstance(order, str):
        named = {"": (), "rgb": (0, 1, 2), "bgr": (2, 1, 0)}.get(order.lower())
        if named is None:
            raise SettingError(
                f"order {order!r} is neither 'rgb' nor 'bgr', nor numbers of channels"
            )
        order = named
    order = tuple(int(c) for c in order)
    if order and sorted(order) != list(range(channels)):
        raise SettingError(
            f"order {order} is no order of {channels} channels; each of 0 to {channels - 1} once"
        )
    return () if order == tuple(range(channels)) else order


def _axes_remedy(pictures: Tensor) -> str:
    missing = {
        3: "; add the batch axis with [None]",
        2: "; add the axes of batch and channel with [None, None]",
    }
    return missing.get(pictures.ndim, "")


def _channel_remedy(given: int, expected: int) -> str:
    if given == 3 and expected == 1:
        return "turn them grey with pictures.mean(dim=1, keepdim=True)"
    if given == 1:
        return f"repeat the channel with pictures.expand(-1, {expected}, -1, -1)"
    return "check the order of the axes: b c h w"
