"""PyTorch's operations, as it runs them in the end, as operations of a program."""

from collections.abc import Sequence
from math import inf
from typing import Any

import torch
from torch import Tensor

from phosphene.live.mailed import arithmetic, attended, pooled
from phosphene.live.mailed.places import SpellParts, joined, moved, padded, parted
from phosphene.live.mailed.program import Op
from phosphene.live.mailed.spelling import (
    Given,
    Spell,
    Spelled,
    filled,
    number_of,
    one_picture,
    op_of,
    two,
)

aten = torch.ops.aten


def _same(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    x = args[0]
    if out.dtype != x.dtype:
        return None
    return Op("same", (number_of(given, x),), one_picture(out))


def _laid(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    """One number for each channel, laid in memory as it was: only axes of one place differ."""
    x, shape, stride, *begin = args
    several = [by for by, extent in zip(stride, shape, strict=True) if extent > 1]
    if kwargs or any(begin) or several not in ([], [1]) or x.numel() != out.numel():
        return None
    return _same(given, out, args, kwargs)


def _conv(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    x, weight, bias, stride, padding, dilation, transposed, _, groups = args
    if transposed or out.ndim != 4 or len(out) != 1 or given(weight) is not None:
        return None
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    sides = {"stride": stride, "padding": padding, "dilation": dilation}
    settings = {name: two(side) for name, side in sides.items()} | {"groups": groups}
    return op_of("conv", given, x, out, settings, weight=weight, bias=bias)


def _clip(low: float | None, high: float | None, edges: bool) -> Spell:
    """A clamp; its ends are the arguments after x where they are not given here."""

    def spell(
        given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Op | None:
        x, *ends = args
        low_end = low if low is not None else _end(ends, kwargs, 0, "min", -inf)
        high_end = high if high is not None else _end(ends, kwargs, 1, "max", inf)
        if isinstance(low_end, Tensor) or isinstance(high_end, Tensor):
            return None
        bounds = {"low": _finite(low_end), "high": _finite(high_end)}
        return op_of("clip", given, x, out, bounds | {"edges": edges})

    return spell


def _end(
    given: Sequence[Any], kwargs: dict[str, Any], place: int, name: str, default: float
) -> Any:
    found = given[place] if len(given) > place else kwargs.get(name)
    return default if found is None else found


def _finite(end: float) -> float | None:
    """None for no end, as JSON has no infinity."""
    return None if end in {inf, -inf} else float(end)


def _tanh_like(
    given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Op | None:
    x, *ends = args
    low, high = filled(ends, [-1.0, 1.0])
    return op_of("clip", given, x, out, {"low": float(low), "high": float(high), "edges": False})


def _leaky(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    x, *slope = args
    return op_of("leaky", given, x, out, {"slope": float(slope[0]) if slope else 0.01})


def _point(name: str) -> Spell:
    def spell(
        given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Op | None:
        if len(args) > 1 or kwargs:
            return None
        return op_of("point", given, args[0], out, {"of": name})

    return spell


def _gelu(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op | None:
    approximate = kwargs.get("approximate", "none")
    name = {"none": "gelu", "tanh": "gelu tanh"}[approximate]
    return op_of("point", given, args[0], out, {"of": name})


def _take(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Spelled:
    x, places = args
    channels = len(places) == 2 and places[0] is None and len(x) == 1 and places[1].ndim == 1
    if not channels:
        return moved(aten.index.Tensor)(given, out, args, kwargs)
    if given(places[1]) is not None:
        return None
    return op_of("take", given, x, out, {"channels": [int(c) % x.shape[1] for c in places[1]]})


def _slice(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Spelled:
    x, dim, start, end, step = filled(args, [None, 0, None, None, 1])
    if dim % x.ndim != 1 or len(x) != 1 or kwargs:
        return moved(aten.slice.Tensor)(given, out, args, kwargs)
    channels = list(range(x.shape[1]))[slice(start, end, step)]
    return op_of("take", given, x, out, {"channels": channels})


def _pad(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Spelled:
    x, border, *value = args
    tone = float(value[0]) if value else 0.0
    if x.ndim != 4 or len(x) != 1 or len(border) > 4 or min(border) < 0:
        return padded(given, x, out, border, tone)
    left, _, top, _ = (*border, 0, 0)[:4]
    return op_of("pad", given, x, out, {"left": left, "top": top, "value": tone})


def _softmax(log: bool) -> Spell:
    def spell(
        given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Op | None:
        x, dim, *_ = args
        if dim % x.ndim != x.ndim - 1:
            return None
        return op_of("softmax", given, x, out, {"log": log, "rows": x.numel() // x.shape[-1]})

    return spell


OPS: dict[Any, Spell] = {
    **dict.fromkeys(
        (
            *(aten.clone.default, aten._to_copy.default, aten.detach.default, aten.alias.default),
            *(aten.view.default, aten._unsafe_view.default, aten.reshape.default),
            *(aten.squeeze.dim, aten.squeeze.dims, aten.squeeze.default, aten.unsqueeze.default),
        ),
        _same,
    ),
    aten.as_strided.default: _laid,
    aten.convolution.default: _conv,
    aten.addmm.default: arithmetic.dense,
    aten.mm.default: arithmetic.dense,
    aten.native_batch_norm.default: arithmetic.normed,
    aten._native_batch_norm_legit_no_training.default: arithmetic.normed,
    aten.add.Tensor: arithmetic.added,
    aten.add.Scalar: arithmetic.added,
    aten.sub.Tensor: arithmetic.subtracted,
    aten.sub.Scalar: arithmetic.subtracted,
    aten.rsub.Scalar: arithmetic.subtracted_from,
    aten.rsub.Tensor: arithmetic.subtracted_from,
    aten.mul.Tensor: arithmetic.multiplied,
    aten.mul.Scalar: arithmetic.multiplied,
    aten.div.Tensor: arithmetic.divided,
    aten.div.Scalar: arithmetic.divided,
    aten.neg.default: arithmetic.negated,
    aten.addcmul.default: arithmetic.scaled_sum,
    aten.relu.default: _clip(0.0, inf, edges=False),
    aten.clamp.default: _clip(None, None, edges=True),
    aten.clamp_min.default: _clip(None, inf, edges=True),
    aten.hardtanh.default: _tanh_like,
    aten.leaky_relu.default: _leaky,
    **{getattr(aten, name).default: _point(name)
       for name in ("sigmoid", "tanh", "silu", "hardsigmoid", "hardswish", "log", "exp", "mish",
                    "softplus")},
    aten.gelu.default: _gelu,
    aten.max_pool2d_with_indices.default: pooled.largest,
    aten.avg_pool2d.default: pooled.average,
    aten._adaptive_avg_pool2d.default: pooled.adaptive,
    aten.mean.dim: pooled.mean,
    aten.cat.default: joined(aten.cat.default),
    aten.stack.default: joined(aten.stack.default),
    aten.index.Tensor: _take,
    aten.slice.Tensor: _slice,
    aten.constant_pad_nd.default: _pad,
    aten._softmax.default: _softmax(log=False),
    aten._log_softmax.default: _softmax(log=True),
    aten.native_layer_norm.default: attended.rows_normed,
    aten.native_group_norm.default: attended.groups_normed,
    aten.bmm.default: attended.products,
    aten._scaled_dot_product_flash_attention_for_cpu.default: attended.attention,
    **{func: moved(func) for func in (
        aten.transpose.int, aten.permute.default, aten.t.default, aten.select.int,
        aten.expand.default, aten.repeat.default, aten.flip.default, aten.roll.default,
        aten.index_select.default, aten.pixel_shuffle.default, aten.upsample_nearest2d.default,
        aten.reflection_pad2d.default, aten.replication_pad2d.default,
    )},
}  # fmt: skip
"""What can be run; an operation that writes in place is the one without its underscore."""

PARTS: dict[Any, SpellParts] = {
    func: parted(func)
    for func in (aten.split.Tensor, aten.split_with_sizes.default, aten.unbind.int)
}
"""What gives several values that can be used."""
