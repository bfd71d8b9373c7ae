"""Poolings as operations of a program."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from torch import Tensor

from phosphene.live.mailed.program import Op
from phosphene.live.mailed.spelling import (
    Given,
    filled,
    op_of,
    two,
)
from phosphene.live.mailed.windows import Windows, even, sliding


def largest(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """A pooling that keeps the largest."""
    x, kernel, *more = args
    stride, padding, dilation, _ = filled(more, [None, 0, 1, False])
    if x.ndim != 4 or len(x) != 1 or set(two(dilation)) != {1}:
        return None
    axes = _slides(x, out, kernel, stride, padding)
    return _pool("largest", given, x, out, axes)


def average(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """A pooling that keeps the mean."""
    x, kernel, *more = args
    stride, padding, _, counted, divisor = filled(more, [None, 0, False, True, None])
    if x.ndim != 4 or len(x) != 1 or divisor is not None or kwargs:
        return None
    axes = _slides(x, out, kernel, stride, padding)
    if not counted:
        axes = [Windows(axis.spans, tuple(b - a for a, b in axis.spans)) for axis in axes]
    return _pool("average", given, x, out, axes)


def _slides(x: Tensor, out: Tensor, kernel: Any, stride: Any, padding: Any) -> list[Windows]:
    sides = (two(kernel), two(stride or kernel), two(padding))
    sizes = zip(x.shape[2:], out.shape[2:], *sides, strict=True)
    return [sliding(*each) for each in sizes]


def adaptive(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """A pooling to a number of windows."""
    x = args[0]
    if x.ndim != 4 or len(x) != 1:
        return None
    axes = [even(*sizes) for sizes in zip(x.shape[2:], out.shape[2:], strict=True)]
    return _pool("average", given, x, out, axes)


def mean(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """The mean over axes that follow each other: all places, all tokens."""
    x, dims = args[:2]
    axes = sorted({dim % x.ndim for dim in dims or range(x.ndim)})
    if kwargs or axes != list(range(axes[0], axes[-1] + 1)) or (0 in axes and len(x) > 1):
        return None
    sides = [prod(x.shape[a:b]) for a, b in pairwise((0, axes[0], axes[-1] + 1, x.ndim))]
    each = Windows(tuple((i, i + 1) for i in range(sides[2])), (1,) * sides[2])
    return _pool("average", given, x, out, [even(sides[1], 1), each], seen=tuple(sides))


def _pool(
    kind: str,
    given: Given,
    x: Tensor,
    out: Tensor,
    axes: Sequence[Windows],
    **more: Any,
) -> Op:
    rows, columns = axes
    settings: dict[str, Any] = {"rows": rows.spans, "columns": columns.spans, **more}
    if kind == "average":
        settings |= {"heights": rows.lengths, "widths": columns.lengths}
    return op_of(kind, given, x, out, settings)
