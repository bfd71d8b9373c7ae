"""What one item of a dataset is: a picture in [0, 1] with its label, or a file nobody can read."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from phosphene.data.modes import plain
from phosphene.errors import DataError
from phosphene.words import literal

FULL_SCALE = {torch.uint8: 255, torch.uint16: 65535}
"""The integer that means 1.0, for each integer type a picture may have."""

ROUNDING = 1e-5
"""How far beyond [0, 1] a float may lie and still be taken for rounding, and clipped."""


class Example(NamedTuple):
    """A picture `c h w` in [0, 1] and its class, None where nobody labelled it.

    Where several labels may hold together it is `Labelled`, and `label` is None.
    """

    picture: Float[Tensor, "c h w"]
    label: int | None = None

    @property
    def members(self) -> Bool[Tensor, "classes"] | None:
        """Which of all labels hold, where several may."""
        return None


class Labelled(Example):
    """A picture `c h w` in [0, 1], and which of several labels hold that may do so together."""

    _members: Bool[Tensor, "classes"] | None

    def __new__(cls, picture: Tensor, members: Tensor | None = None) -> "Labelled":
        """A picture with its members."""
        made = super().__new__(cls, picture, None)
        made._members = members
        return made

    @property
    def members(self) -> Bool[Tensor, "classes"] | None:
        """Which of all labels hold."""
        return self._members


@dataclass(frozen=True)
class Unreadable:
    """A dataset's answer, in place of an `Example`, for a file that cannot be decoded."""

    path: str
    reason: str


def read(item: object) -> Example | Unreadable:
    """Understand one item of any `torch.utils.data.Dataset`.

    An item is `(picture, label)`, `(picture,)`, a picture alone, an `Example` or an `Unreadable`;
    for pictures see `picture`. A label is one integer as a number, tensor or array; None or a
    negative number means there is none. A row of zeros and ones says which of several labels hold.
    Raises `DataError` for anything else.

    >>> example = read((torch.full((1, 2, 2), 255, dtype=torch.uint8), 7))
    >>> example.label, example.picture.max().item()
    (7, 1.0)
    """
    if isinstance(item, Unreadable):
        return item
    if isinstance(item, Labelled):
        return Labelled(picture(item.picture), item.members)
    if not isinstance(item, tuple | list):
        return Example(picture(item), None)
    if len(item) not in (1, 2):
        raise DataError(
            f"an item of {len(item)} parts; expected (picture, label), (picture,) or a picture"
        )
    if len(item) == 1:
        return Example(picture(item[0]))
    members = _members(item[1])
    if members is not None:
        return Labelled(picture(item[0]), members)
    return Example(picture(item[0]), _label(item[1]))


def picture(value: object) -> Float[Tensor, "c h w"]:
    """One picture as float32 `c h w` in [0, 1].

    Takes a tensor `c h w` or `h w`, a NumPy array `h w c` or `h w`, or a Pillow image. Floats must
    lie in [0, 1] already; uint8 is divided by 255 and uint16 by 65535. Raises `DataError` for other
    types and shapes, for NaN, and for values outside [0, 1].

    >>> picture(np.zeros((5, 4, 3))).shape
    torch.Size([3, 5, 4])
    """
    tensor = _tensor(value)
    if tensor.ndim == 2:
        tensor = tensor[None]
    if tensor.ndim != 3 or tensor.numel() == 0:
        raise DataError(
            f"a picture of shape {tuple(tensor.shape)}; "
            "expected one picture, channels x height x width, with at least one pixel"
        )
    if tensor.dtype in FULL_SCALE:
        return tensor.to(torch.float32) / FULL_SCALE[tensor.dtype]
    if not tensor.is_floating_point():
        raise DataError(f"a picture of {tensor.dtype}; pass floats in [0, 1], or uint8 in 0..255")
    return _in_range(tensor.to(torch.float32))


def _tensor(value: object) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, Image.Image):
        value = np.asarray(plain(value))
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "uif":
        kind = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise DataError(f"a picture of type {kind}; expected a tensor, an array or a Pillow image")
    # NumPy and Pillow put channels last; the copy gives torch memory that is writable and in order.
    return torch.from_numpy(np.array(np.moveaxis(value, -1, 0) if value.ndim == 3 else value))


def _in_range(tensor: Tensor) -> Tensor:
    low, high = (bound.item() for bound in tensor.aminmax())
    if low >= 0 and high <= 1:
        return tensor
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return tensor.clamp(0, 1)
    if math.isnan(low):  # aminmax hands NaN on
        raise DataError("a picture holds NaN; pass pictures in [0, 1]")
    raise DataError(
        f"a picture has values from {literal(low)} to {literal(high)}; pass pictures in [0, 1]: "
        "leave mean and deviation out of the dataset's transform, the Network normalises"
    )


def _members(value: object) -> Bool[Tensor, "classes"] | None:
    """Which labels hold, from a row of zeros and ones; None for anything else."""
    if not isinstance(value, Tensor | np.ndarray | list | tuple):
        return None
    row = np.asarray(value.cpu() if isinstance(value, Tensor) else value)
    if row.ndim != 1 or row.size < 2 or row.dtype.kind not in "iubf":
        return None
    return torch.from_numpy(row == 1) if np.isin(row, (0, 1)).all() else None


def _label(value: object) -> int | None:
    if value is None:
        return None
    number = np.asarray(value.cpu() if isinstance(value, Tensor) else value)
    if number.size != 1 or number.dtype.kind not in "iub":
        raise DataError(
            f"label {value!r:.80}; expected one integer, None for a picture without one, or a row "
            "of zeros and ones where several labels may hold"
        )
    label = int(number.item())
    return label if label >= 0 else None
