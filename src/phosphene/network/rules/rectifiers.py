"""Rectifiers: every way to call one, and what each lets back through.

For a rectifier y = max(x, 0) that receives the gradient g from above, what goes on is
g·[x > 0 if the forward gate holds]·[g > 0 if the backward gate holds].
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.network.rules.masks import Marks, written_rectifier


@dataclass(frozen=True)
class Gates:
    """Which gates a rectifier applies to the gradient."""

    forward: bool
    backward: bool


class Rectify(torch.autograd.Function):
    """clamp(x, low, high) whose gradient follows a rule.

    A gate is kept as what may pass at most, infinite where it is open and zero where it is closed,
    so that guided backpropagation is one clamp. Booleans would take several times as long.
    """

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd gives them in order
        ctx: Any,
        x: Tensor,
        bounds: tuple[float, float],
        gates: Gates,
        in_place: bool,
        careful: bool,
    ) -> Tensor:
        ctx.gates, ctx.careful, (low, high) = gates, careful, bounds
        if gates.forward:
            gate = torch.where((x > low) & (x < high), inf, 0.0)
            ctx.save_for_backward(gate.to(x.dtype))
        if in_place:
            ctx.mark_dirty(x)
            return x.clamp_(low, high)
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        (gate,) = ctx.saved_tensors if ctx.gates.forward else (None,)
        if ctx.careful and gate is not None and ctx.gates.backward:
            grad = torch.ops.aten.threshold_backward(grad.clamp(min=0), gate, 0)
        elif ctx.gates.backward:
            grad = grad.clamp(grad.new_zeros(()), gate)
        elif gate is not None:
            grad = torch.ops.aten.threshold_backward(grad, gate, 0)
        return grad, None, None, None, None


def rectifies(
    func: Callable[..., Any],
    name: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    marks: Marks,
) -> tuple[Tensor, tuple[float, float], bool] | None:
    """x, its bounds and whether in place, where a call is a rectifier of x."""
    call = _RECTIFIERS.get(_OF_ATEN.get(name, func) if isinstance(func, _ATEN) else func)
    x: Any = args[0] if args else kwargs.get("input")
    if call is not None and torch.is_grad_enabled() and x.requires_grad:
        bounds = call.bounds(*args, **kwargs)
        if bounds is not None:
            return x, bounds, call.in_place(*args, **kwargs)
    written = written_rectifier(name, args, kwargs, marks)
    return None if written is None else (written[0], (0.0, inf), written[1])


_ATEN = (torch._ops.OpOverload, torch._ops.OpOverloadPacket)


@dataclass(frozen=True)
class _RectifierCall:
    """How to read a rectifier's arguments: its bounds, or None if this call does not rectify."""

    bounds: Callable[..., tuple[float, float] | None]
    in_place: Callable[..., bool]


def _relu(*args: Any, **kwargs: Any) -> tuple[float, float]:
    return 0.0, inf


def _relu6(*args: Any, **kwargs: Any) -> tuple[float, float]:
    return 0.0, 6.0


def _hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> tuple[float, float] | None:
    return (0.0, float(max_val)) if min_val == 0 else None


def _threshold(
    input: Tensor, threshold: float, value: float, inplace: bool = False
) -> tuple[float, float] | None:
    return (0.0, inf) if threshold == 0 and value == 0 else None


def _clamp(input: Tensor, min: Any = None, max: Any = None) -> tuple[float, float] | None:
    if isinstance(min, Tensor) or isinstance(max, Tensor) or min != 0:
        return None
    return 0.0, inf if max is None else float(max)


def _flag(position: int) -> Callable[..., bool]:
    def in_place(*args: Any, **kwargs: Any) -> bool:
        return bool(args[position] if len(args) > position else kwargs.get("inplace", False))

    return in_place


def _yes(*args: Any, **kwargs: Any) -> bool:
    return True


def _no(*args: Any, **kwargs: Any) -> bool:
    return False


_RECTIFIERS: dict[Callable[..., Any], _RectifierCall] = {
    F.relu: _RectifierCall(_relu, _flag(1)),
    F.relu6: _RectifierCall(_relu6, _flag(1)),
    F.hardtanh: _RectifierCall(_hardtanh, _flag(3)),
    F.threshold: _RectifierCall(_threshold, _flag(3)),
    **dict.fromkeys((torch.relu, Tensor.relu), _RectifierCall(_relu, _no)),
    **dict.fromkeys((torch.relu_, Tensor.relu_), _RectifierCall(_relu, _yes)),
    **dict.fromkeys(
        (torch.clamp, Tensor.clamp, torch.clip, Tensor.clip), _RectifierCall(_clamp, _no)
    ),
    **dict.fromkeys(
        (torch.clamp_, Tensor.clamp_, torch.clip_, Tensor.clip_), _RectifierCall(_clamp, _yes)
    ),
    **dict.fromkeys((torch.clamp_min, Tensor.clamp_min), _RectifierCall(_clamp, _no)),
    **dict.fromkeys((torch.clamp_min_, Tensor.clamp_min_), _RectifierCall(_clamp, _yes)),
}

_OF_ATEN: dict[str, Callable[..., Any]] = {
    "relu": torch.relu,
    "relu_": torch.relu_,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "threshold": F.threshold,
    "clamp": torch.clamp,
    "clamp_": torch.clamp_,
    "clamp_min": torch.clamp_min,
    "clamp_min_": torch.clamp_min_,
}
"""What operations of `torch.ops` are called in Python, where they take their arguments alike."""
