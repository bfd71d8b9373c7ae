"""Sums, products and linear layers, of values and constants, as operations of a program."""

from typing import Any

import torch
from torch import Tensor

from phosphene.live.mailed.places import repeated
from phosphene.live.mailed.program import Op
from phosphene.live.mailed.spelling import (
    BEFORE,
    Given,
    Spelled,
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
    last = all(_is_last(constant, x) for constant in (scale, shift))
    tensors = {"scale": _short(scale, x, last), "shift": _short(shift, x, last)}
    return op_of("affine", given, x, out, {"last": True} if last else {}, **tensors)


def _is_last(constant: Tensor | float, x: Tensor) -> bool:
    """Whether a constant differs along the last of several axes alone, or not at all."""
    if not isinstance(constant, Tensor) or constant.numel() == 1:
        return True
    return len(one_picture(x)) > 1 and constant.numel() == constant.shape[-1] == x.shape[-1]


def _short(constant: Tensor | float, x: Tensor, last: bool) -> Tensor:
    if not isinstance(constant, Tensor):
        return x.new_tensor([constant])
    if constant.numel() == 1 or last:
        return constant.reshape(-1)
    whole = constant.expand(x.shape).reshape(one_picture(x))
    channels = whole.reshape(len(whole), -1)
    if bool((channels == channels[:, :1]).all()):
        return channels[:, 0]
    return whole.reshape(-1)


def added(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Spelled:
    """x + y · alpha."""
    x, y = args[:2]
    by = kwargs.get("alpha", 1)
    return _sum(given, out, x, y, by)


def subtracted(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Spelled:
    """x - y · alpha."""
    x, y = args[:2]
    return _sum(given, out, x, y, -kwargs.get("alpha", 1))


def _sum(given: Given, out: Tensor, x: Any, y: Any, by: float) -> Spelled:
    if not is_made(given, y):
        return _scaled(given, x, out, 1.0, y * by)
    if not is_made(given, x):
        return _scaled(given, y, out, float(by), x)
    numbers, several = [number_of(given, x), number_of(given, y)], list[Op]()
    for place, each in enumerate((x, y)):
        if each.shape != out.shape and not several:
            several, numbers[place] = [repeated(given, each, out)], BEFORE
        elif each.shape != out.shape:
            return None
    return [*several, Op("add", tuple(numbers), one_picture(out), {"by": by})]


def subtracted_from(
    given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Op | None:
    """A constant less x."""
    x, constant = args[:2]
    if is_made(given, constant) or kwargs or len(args) > 2:
        return None
    return _scaled(given, x, out, -1.0, constant)


def multiplied(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Spelled:
    """x · y."""
    x, y = args if is_made(given, args[0]) else args[::-1]
    if not is_made(given, y):
        return _scaled(given, x, out, y, 0.0)
    x, y = (x, y) if x.shape == out.shape else (y, x)
    if x.shape != out.shape:
        return None
    if y.shape in {x.shape, (1, x.shape[1], *[1] * (x.ndim - 2))}:
        return Op("times", (number_of(given, x), number_of(given, y)), one_picture(out))
    takes = (number_of(given, x), BEFORE)
    return [repeated(given, y, out), Op("times", takes, one_picture(out))]


def scaled_sum(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Spelled:
    """x + y · z · value, of which x or y alone is made of the picture."""
    x, y, z = args
    y, z = (y, z) if is_made(given, y) else (z, y)
    by = kwargs.get("value", 1)
    if is_made(given, z) or not is_made(given, y):
        return None
    if not is_made(given, x):
        return _scaled(given, y, out, z * by, x)
    if not x.shape == y.shape == out.shape:
        return None
    scaled = _scaled(given, y, out, z * by, 0.0)
    takes = (number_of(given, x), BEFORE)
    return scaled and [scaled, Op("add", takes, one_picture(out), {"by": 1})]


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
    rows = x.ndim == 2 and len(x) > 1
    if (len(settings) == 3 and settings[0] is not False) or (len(x) > 1 and not rows):
        return None
    one = torch.ones_like(mean, dtype=torch.float64)
    scale = (one if weight is None else weight) / (variance.double() + settings[-1]).sqrt()
    shift = (0 * one if bias is None else bias) - mean * scale
    along = {"last": True} if rows else {}
    return op_of("affine", given, x, out, along, scale=scale, shift=shift)


def dense(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """A linear layer, of one row or several."""
    *bias, x, weight = args
    if kwargs or given(x) is None or given(weight) is not None or x.ndim != 2:
        return None
    if bias and (given(bias[0]) is not None or bias[0].numel() != out.shape[1]):
        return None
    shift = bias[0].reshape(-1) if bias else out.new_zeros(out.shape[1])
    return op_of("dense", given, x, out, {}, weight=weight.t(), bias=shift)
