"""A program run by PyTorch, operation by operation: what the page's own engine has to answer."""

from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.live.mailed.program import Op, Program


@torch.no_grad()
def answers(program: Program, picture: Float[Tensor, "c h w"]) -> list[Tensor]:
    """All values of a program for one picture, the picture first."""
    values: list[Tensor] = [picture]
    for op in program.ops:
        values.append(_KINDS[op.kind](op, [values[number] for number in op.takes]))
    return values


def _conv(op: Op, given: Sequence[Tensor]) -> Tensor:
    settings = {name: tuple(op.settings[name]) for name in ("stride", "padding", "dilation")}
    weight, bias, groups = op.tensors["weight"], op.tensors["bias"], op.settings["groups"]
    return F.conv2d(given[0][None], weight, bias, groups=groups, **settings)[0]


def _affine(op: Op, given: Sequence[Tensor]) -> Tensor:
    (x,), last = given, op.settings.get("last", False)
    scale, shift = (_like(op.tensors[name], x, last) for name in ("scale", "shift"))
    return x * scale + shift


def _like(short: Tensor, x: Tensor, last: bool) -> Tensor:
    if last:
        return short
    if len(short) == x.numel():
        return short.view(x.shape)
    return short.view(-1, *(1,) * (x.ndim - 1))


def _clip(op: Op, given: Sequence[Tensor]) -> Tensor:
    low, high = op.settings["low"], op.settings["high"]
    return given[0].clamp(-inf if low is None else low, inf if high is None else high)


def _largest(op: Op, given: Sequence[Tensor]) -> Tensor:
    return _pooled(op, lambda rows, columns, _: given[0][:, rows, columns].amax((1, 2)))


def _average(op: Op, given: Sequence[Tensor]) -> Tensor:
    x = given[0].reshape(op.settings.get("seen", given[0].shape))
    return _pooled(op, lambda rows, columns, area: x[:, rows, columns].sum((1, 2)) / area)


def _pooled(op: Op, of: Callable[[slice, slice, int], Tensor]) -> Tensor:
    rows, columns = op.settings["rows"], op.settings["columns"]
    heights = op.settings.get("heights", [1] * len(rows))
    widths = op.settings.get("widths", [1] * len(columns))
    made = [
        of(slice(*row), slice(*column), height * width)
        for row, height in zip(rows, heights, strict=True)
        for column, width in zip(columns, widths, strict=True)
    ]
    return torch.stack(made, dim=1).reshape(op.shape)


def _pad(op: Op, given: Sequence[Tensor]) -> Tensor:
    (x,), (top, left) = given, (op.settings["top"], op.settings["left"])
    made = x.new_full(op.shape, op.settings["value"])
    made[:, top : top + x.shape[1], left : left + x.shape[2]] = x
    return made


def _dense(op: Op, given: Sequence[Tensor]) -> Tensor:
    return F.linear(given[0], op.tensors["weight"], op.tensors["bias"])


def _move(op: Op, given: Sequence[Tensor]) -> Tensor:
    flat = given[0].flatten()
    if "from" in op.settings:
        places = torch.tensor(op.settings["from"])
        return torch.where(places < 0, 0.0, flat[places.clamp_min(0)]).reshape(op.shape)
    places = torch.tensor(op.settings["begin"])
    for axis, (extent, step) in enumerate(
        zip(op.settings["sizes"], op.settings["strides"], strict=True)
    ):
        after = [1] * (len(op.settings["sizes"]) - 1 - axis)
        places = places + step * torch.arange(extent).view(-1, *after)
    return flat[places].reshape(op.shape)


def _join(op: Op, given: Sequence[Tensor]) -> Tensor:
    values = iter(given)
    parts = [op.tensors[name] if name else next(values) for name in op.settings["parts"]]
    return torch.cat([part.flatten() for part in parts]).reshape(op.shape)


def _softmax(op: Op, given: Sequence[Tensor]) -> Tensor:
    of = torch.log_softmax if op.settings["log"] else torch.softmax
    return of(given[0].reshape(op.settings["rows"], -1), 1).reshape(op.shape)


def _norm(op: Op, given: Sequence[Tensor]) -> Tensor:
    rows = given[0].reshape(op.settings["rows"], -1)
    return F.layer_norm(rows, rows.shape[1:], eps=op.settings["eps"]).reshape(op.shape)


def _matmul(op: Op, given: Sequence[Tensor]) -> Tensor:
    sides = op.settings
    batches, m, k, n = (sides[name] for name in ("batches", "m", "k", "n"))
    x = given[0].reshape(batches, m, k)
    y = given[1].reshape(batches, n, k).mT if sides["turned"] else given[1].reshape(batches, k, n)
    made: Tensor = sides["by"] * (x @ y)
    return made.reshape(op.shape)


_POINTS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "log": torch.log,
    "exp": torch.exp,
    "softplus": F.softplus,
    "mish": F.mish,
    "gelu": F.gelu,
    "gelu tanh": partial(F.gelu, approximate="tanh"),
}

_KINDS: dict[str, Callable[[Op, Sequence[Tensor]], Any]] = {
    "conv": _conv,
    "dense": _dense,
    "affine": _affine,
    "clip": _clip,
    "leaky": lambda op, given: F.leaky_relu(given[0], op.settings["slope"]),
    "point": lambda op, given: _POINTS[op.settings["of"]](given[0]),
    "largest": _largest,
    "average": _average,
    "same": lambda op, given: given[0].reshape(op.shape),
    "take": lambda op, given: given[0][op.settings["channels"]],
    "pad": _pad,
    "add": lambda op, given: given[0] + given[1] * op.settings["by"],
    "times": lambda op, given: given[0] * given[1],
    "move": _move,
    "join": _join,
    "softmax": _softmax,
    "norm": _norm,
    "matmul": _matmul,
}
