"""Convolutions and dense layers that pass on where a NaN reaches, and compute nothing else.

A sum that has a NaN among its terms is NaN, whatever the weights. So the place of a NaN in the
output of a convolution is found without its products: all channels of a group share it, and a
window has it if one of its pixels has. The rest of the output is 1 plus the bias.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from math import nan
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.network.calls import Calls


@contextmanager
def spreading(hollow: bool) -> Iterator[None]:
    """In which a NaN reaches what depends on it and no more, by hollow layers or by real sums.

    NNPACK, which PyTorch takes where it has no oneDNN, multiplies the Fourier transforms of whole
    tiles, and a NaN is all over a tile then.
    """
    with torch.backends.nnpack.flags(enabled=False), Hollow() if hollow else nullcontext():
        yield


class Hollow(Calls):
    """While it holds, `conv2d` and `linear` of this thread only spread NaN."""

    def call(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        return _CHEAP.get(func, func)(*args, **kwargs)


def _conv2d(  # noqa: PLR0917 - torch's own order
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    if input.ndim != 4 or input.shape[1] != groups * weight.shape[1]:
        return F.conv2d(input, weight, bias, stride, padding, dilation, groups)
    marks = input.unflatten(1, (groups, -1)).sum(2).isnan().to(weight.dtype)
    height, width = weight.shape[2:]
    window = weight.new_ones(groups, 1, height, width)
    spread = F.conv2d(marks, window, None, stride, padding, dilation, groups)
    return _fill(spread > 0.5, bias, len(weight) // groups)


def _fill(marked: Tensor, bias: Tensor | None, copies: int) -> Tensor:
    value = torch.where(marked, nan, 1.0)
    b, groups, h, w = value.shape
    many = value[:, :, None].expand(b, groups, copies, h, w)
    if bias is None:
        return many.reshape(b, groups * copies, h, w).contiguous()
    return (many + bias.view(groups, copies, 1, 1)).flatten(1, 2)


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    value = torch.where(input.sum(-1, keepdim=True).isnan(), nan, 1.0)
    filled: Tensor = value + (weight.new_zeros(len(weight)) if bias is None else bias)
    return filled


def _max_pool2d(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    marks = input.isnan()
    shared = marks[:, :1]
    if input.ndim != 4 or not torch.equal(marks, shared.expand_as(marks)):
        real: Tensor = F.max_pool2d(input, *args, **kwargs)
        return real
    pooled = F.max_pool2d(shared.to(input.dtype), *args, **kwargs)
    return _fill(pooled > 0, None, input.shape[1])


_CHEAP: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.conv2d: _conv2d,
    F.linear: _linear,
    torch.max_pool2d: _max_pool2d,
    F.max_pool2d: _max_pool2d,
}
