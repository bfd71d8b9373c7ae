"""Convolutions with kernels of one pixel by the quicker of two ways that PyTorch has.

On one thread PyTorch multiplies them by itself, and not by oneDNN, where fewer than 16 pictures go
through together (`use_mkldnn` in ATen's Convolution.cpp), which from five pictures on takes longer.
It asks for oneDNN where a kernel is dilated; one of a single pixel has nothing to dilate.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.network.calls import Calls

_SOME = range(5, 16)
"""So many pictures together gain."""

_DILATION = 5  # which argument of torch.conv2d

_ONE, _TWO = (1, 1), (2, 2)


def quick(module: nn.Module, inputs: Tensor) -> AbstractContextManager[object]:
    """What a pass of `module` over these inputs is made in: the same values up to rounding."""
    gains = len(inputs) in _SOME and inputs.device.type == "cpu" and torch.get_num_threads() == 1
    known = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    if gains and known and any(map(_of_one_pixel, module.modules())):
        return _Pointwise()
    return nullcontext()


def _of_one_pixel(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.kernel_size == _ONE


class _Pointwise(Calls):
    """Says of kernels of one pixel that they are dilated."""

    def call(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        if func is torch.conv2d and not kwargs and len(args) > _DILATION and _gains(*args):
            args = (*args[:_DILATION], _TWO, *args[_DILATION + 1 :])
        return func(*args, **kwargs)


def _gains(inputs: Tensor, weight: Tensor, *rest: Any) -> bool:
    dilation = rest[_DILATION - 2]
    return weight.shape[2:] == _ONE and dilation in (1, _ONE) and inputs.dtype == torch.float32
