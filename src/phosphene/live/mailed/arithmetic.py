"""Sums, products and linear layers, of values and constants, as operations of a program."""

from typing import Any

import torch
from torch import Tensor

from phosphene.live.mailed.program import Op
from phosphene.live.mailed.spelling import (
    Given,
    is_made,
    number_of,
    one_picture,
    op_of,
)


def _scaled(
    given: Given, x: Tensor, out: Tensor, scale: Tensor | float, shift: Tensor | float
) -> Op | None:
    """x · scale + shift by constants, which are kept as short as they may be."""
    if out.shape != x.shape or out.dtype != x.dtype:
        return None
    tensors = {"scale": _short(scale, x), "shift": _short(shift, x)}
    return op_of("affine", given, x, out, {}, **tensors)


def _short(constant: Tensor | float, x: Tensor) -> Tensor:
    if not isinstance(constant, Tensor):
        return x.new_tensor([constant])
    if constant.numel() == 1:
        return constant.reshape(1)
    whole = constant.expand(x.shape)
    channels = whole.reshape(*whole.shape[:2], -1)
    if bool((channels == channels[..., :1]).all()):
        return channels[0, :, 0]
    return whole.reshape(-1)


def added(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """x + y · alpha."""
    x, y = args[:2]
    by = kwargs.get("alpha", 1)
    return _sum(given, out, x, y, by)


def subtracted(
    given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Op | None:
    """x - y · alpha."""
    x, y = args[:2]
    return _sum(given, out, x, y, -kwargs.get("alpha", 1))


def _sum(given: Given, out: Tensor, x: Any, y: Any, by: float) -> Op | None:
    if not is_made(given, y):
        return _scaled(given, x, out, 1.0, y * by)
    if not is_made(given, x):
        return _scaled(given, y, out, float(by), x)
    if not x.shape == y.shape == out.shape:
        return None
    return Op("add", (number_of(given, x), number_of(given, y)), one_picture(out), {"by": by})


def subtracted_from(
    given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Op | None:
    """A constant less x."""
    x, constant = args[:2]
    if is_made(given, constant) or kwargs or len(args) > 2:
        return None
    return _scaled(given, x, out, -1.0, constant)


def multiplied(
    given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Op | None:
    """x · y."""
    x, y = args if is_made(given, args[0]) else args[::-1]
    if not is_made(given, y):
        return _scaled(given, x, out, y, 0.0)
    x, y = (x, y) if x.shape == out.shape else (y, x)
    if x.shape != out.shape or y.shape not in {x.shape, (1, x.shape[1], 1, 1)}:
        return None
    return Op("times", (number_of(given, x), number_of(given, y)), one_picture(out))


def divided(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """x by a constant."""
    x, y = args
    if kwargs or not is_made(given, x) or is_made(given, y):
        return None
    return _scaled(given, x, out, 1 / y, 0.0)


def negated(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """-x."""
    return _scaled(given, args[0], out, -1.0, 0.0)


def normed(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """What a batch normalisation in eval mode is: a scale and a shift."""
    x, weight, bias, mean, variance, *settings = args
    if len(settings) == 3 and settings[0] is not False:
        return None
    one = torch.ones_like(mean, dtype=torch.float64)
    scale = (one if weight is None else weight) / (variance.double() + settings[-1]).sqrt()
    shift = (0 * one if bias is None else bias) - mean * scale
    return op_of("affine", given, x, out, {}, scale=scale, shift=shift)


def dense(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """A linear layer."""
    *bias, x, weight = args
    if kwargs or given(x) is None or given(weight) is not None or x.ndim != 2:
        return None
    if bias and (given(bias[0]) is not None or bias[0].numel() != out.numel()):
        return None
    shift = bias[0].reshape(-1) if bias else out.new_zeros(out.shape[1])
    return op_of("dense", given, x, out, {}, weight=weight.t(), bias=shift)
