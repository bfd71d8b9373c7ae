"""What transformers are made of: normed rows, and values times values."""

from math import inf, prod
from typing import Any

import torch
from torch import Tensor

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


def rows_normed(
    given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Spelled:
    """A layer normalisation: rows less their mean, by their deviation, then scaled and shifted."""
    x, shape, weight, bias, eps = args
    if not is_made(given, x):
        return None
    norm = _norm(given, x, out, x.numel() // prod(shape), eps)
    if weight is None:
        return norm
    tensors = {"scale": weight, "shift": weight.new_zeros(1) if bias is None else bias}
    return [norm, _affine(out, len(shape) == 1 and len(one_picture(out)) > 1, tensors)]


def groups_normed(
    given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Spelled:
    """A group normalisation."""
    x, weight, bias, _, _, _, groups, eps = args
    if not is_made(given, x) or len(x) != 1:
        return None
    norm = _norm(given, x, out, groups, eps)
    if weight is None:
        return norm
    tensors = {"scale": weight, "shift": weight.new_zeros(1) if bias is None else bias}
    return [norm, _affine(out, False, tensors)]


def _norm(given: Given, x: Tensor, out: Tensor, rows: int, eps: float) -> Op:
    return Op("norm", (number_of(given, x),), one_picture(out), {"rows": rows, "eps": eps})


def _affine(out: Tensor, last: bool, tensors: dict[str, Tensor]) -> Op:
    """x · scale + shift; what is neither of the last axis nor of the first is there for all."""
    kept = {}
    for name, each in tensors.items():
        whole = not last and each.numel() > 1 and (each.ndim > 1 or len(each) != len(out[0]))
        flat = each.detach().float().reshape(-1)
        kept[name] = flat.repeat(out.numel() // len(flat)) if whole else flat.contiguous()
    return Op("affine", (BEFORE,), one_picture(out), {"last": True} if last else {}, kept)


def products(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Spelled:
    """x · y of a batch; a linear layer where y is one matrix of constants."""
    x, y = args
    if not is_made(given, x) or x.ndim != 3:
        return None
    if not is_made(given, y):
        one = bool((y == y[:1]).all())
        shift = out.new_zeros(out.shape[2])
        return op_of("dense", given, x, out, {}, weight=y[0].t(), bias=shift) if one else None
    takes = (number_of(given, x), number_of(given, y))
    return Op("matmul", takes, one_picture(out), _sides(x, y, turned=False))


def _sides(x: Tensor, y: Tensor, turned: bool, by: float = 1.0) -> dict[str, Any]:
    return {
        "batches": prod(x.shape[:-2]),
        "m": x.shape[-2],
        "k": x.shape[-1],
        "n": y.shape[-2 if turned else -1],
        "turned": turned,
        "by": by,
    }


def attention(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Spelled:
    """softmax(q · k · scale + mask) · v, of as many heads of each; the mask is constant."""
    q, k, v, *more = args
    mask, scale = kwargs.get("attn_mask"), kwargs.get("scale")
    if any(more) or kwargs.get("is_causal") or not all(is_made(given, x) for x in (q, k, v)):
        return None
    if q.shape[:-2] != k.shape[:-2] or (mask is not None and is_made(given, mask)):
        return None
    first = _sides(q, k, turned=True, by=q.shape[-1] ** -0.5 if scale is None else scale)
    shape = (first["batches"], first["m"], first["n"])
    rows = {"rows": shape[0] * shape[1], "log": False}
    second = _sides(q, v, turned=False) | {"k": shape[2]}
    return [
        Op("matmul", (number_of(given, q), number_of(given, k)), shape, first),
        *([] if mask is None else [_masked(mask, (*q.shape[:-1], shape[2]), shape)]),
        Op("softmax", (BEFORE,), shape, rows),
        Op("matmul", (BEFORE, number_of(given, v)), one_picture(out), second),
    ]


def _masked(mask: Tensor, whole: tuple[int, ...], shape: tuple[int, ...]) -> Op:
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape).masked_fill(~mask, -inf)
    shift = mask.detach().float().expand(whole).reshape(-1).contiguous()
    return Op("affine", (BEFORE,), shape, {}, {"scale": torch.ones(1), "shift": shift})
