"""What the operations of a program are made of: arguments of PyTorch's, as they come."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from phosphene.live.mailed.program import Op

Given = Callable[[Tensor], int | None]
"""The number of a value that is made of the picture; None for what is not."""

Spelled = Op | Sequence[Op] | None
"""An operation, or several, each of which takes what those before it give as -1, -2, …"""

Spell = Callable[[Given, Tensor, tuple[Any, ...], dict[str, Any]], Spelled]
"""What gives a tensor, by its arguments; None where there is nothing for them."""

BEFORE = -1
"""What the operation before gives, in a list of operations."""


def one_picture(tensor: Tensor) -> tuple[int, ...]:
    """The shape of a value without the axis for the batch, where it has one."""
    return tuple(tensor.shape[1:] if len(tensor) == 1 else tensor.shape)


def op_of(
    kind: str, given: Given, x: Tensor, out: Tensor, settings: dict[str, Any], **tensors: Tensor
) -> Op:
    """An operation on x, its weights in single precision."""
    kept = {name: each.detach().float().contiguous() for name, each in tensors.items()}
    return Op(kind, (number_of(given, x),), one_picture(out), settings, kept)


def is_made(given: Given, value: Any) -> bool:
    """Whether a value is made of the picture."""
    return isinstance(value, Tensor) and given(value) is not None


def number_of(given: Given, value: Tensor) -> int:
    """The number of a value that is made of the picture."""
    number = given(value)
    assert number is not None, "one of its arguments is made of the picture"
    return number


def filled(given: Sequence[Any], defaults: Sequence[Any]) -> list[Any]:
    """Arguments with the defaults of those that were not given."""
    return [*given, *defaults[len(given) :]]


def two(sides: Any) -> tuple[int, int]:
    """One number for each axis, where one may stand for both."""
    given = list(sides) if isinstance(sides, list | tuple) else [sides]
    return (given * 2)[0], (given * 2)[1]
