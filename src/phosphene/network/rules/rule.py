"""Backward rules: what a rectifier does to the gradient that flows back through it.

For a rectifier y = max(x, 0) that receives the gradient g from above, all rules are
g·[x > 0 if the rule looks at the forward pass]·[g > 0 if it looks at the backward pass]:

| rule     | looks forward | looks back | source                                          |
|----------|---------------|------------|-------------------------------------------------|
| plain    | yes           | no         | the derivative                                  |
| deconvnet| no            | yes        | Zeiler & Fergus 2013, arXiv 1311.2901, sec. 2.1 |
| guided   | yes           | yes        | Springenberg et al. 2014, arXiv 1412.6806, fig 1|
| straight | no            | no         | straight-through; wakes units no gradient reaches|

A rule is a context: while it holds, every call of a rectifier (module, functional, method,
in-place, reused) is replaced. What it could not replace is found in the autograd graph and
refused; a plain gradient is never passed off as something else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.overrides import TorchFunctionMode

from phosphene.errors import NetworkError, RectifierError
from phosphene.network.rules.masks import Marks, written_rectifier
from phosphene.network.rules.switches import graph, switched


@dataclass(frozen=True)
class Rule:
    """Which gates a rectifier applies to the gradient."""

    name: str
    forward_gate: bool
    backward_gate: bool

    def __str__(self) -> str:
        return self.name


PLAIN = Rule("plain", forward_gate=True, backward_gate=False)
DECONVNET = Rule("deconvnet", forward_gate=False, backward_gate=True)
GUIDED = Rule("guided", forward_gate=True, backward_gate=True)
STRAIGHT = Rule("straight", forward_gate=False, backward_gate=False)


@contextmanager
def backward_rule(rule: Rule, careful: bool = False) -> Iterator[None]:
    """While it holds, rectifiers called in this thread send gradients back by `rule`.

    If `careful`, a closed gate lets nothing through that is not a number either, which takes
    longer.

    Raises:
        RectifierError: the network recomputes parts of itself on the way back, out of reach.
    """
    if rule == PLAIN:
        yield
        return
    with nothing_recomputed(f"the rule {rule.name!r}", RectifierError), _Rectifiers(rule, careful):
        yield


@contextmanager
def nothing_recomputed(what: str, error: type[NetworkError] = NetworkError) -> Iterator[None]:
    """Raise `error`, about `what`, if a pass leaves parts of itself to be computed on the way back.

    There neither rules nor replaced values hold.
    """
    recomputes = (
        f"{what} cannot reach what this network computes anew on the way back "
        "(checkpointing, or other hooks on saved tensors); "
        "switch it off for the study, or ask for the plain gradient of the pictures"
    )
    try:
        with torch.autograd.graph.disable_saved_tensors_hooks(recomputes):
            yield
    except RuntimeError as failure:
        if recomputes not in str(failure):
            raise
        raise error(recomputes) from failure


def refuse_uncaught(rule: Rule, values: Iterable[Tensor], pictures: Tensor) -> None:
    """Raise `RectifierError` if what lies between `pictures` and `values` escaped `rule`.

    See `switches` for what is let through.
    """
    if rule == PLAIN:
        return
    values = list(values)
    for node in graph(values, pictures):
        custom = isinstance(node, BackwardCFunction)
        if custom and not isinstance(node, _Rectify._backward_cls):
            raise RectifierError(
                f"the rule {rule.name!r} cannot see inside the custom autograd function "
                f"{node.name()!r} (checkpointing and compiled parts look like this too); "
                "switch it off for the study, or ask for the plain gradient"
            )
    said = switched(values, pictures)
    if said is not None:
        raise RectifierError(
            f"the rule {rule.name!r} is defined for ReLU, and {said}. "
            "Ask for the plain gradient or integrated gradients"
        )


class _Rectify(torch.autograd.Function):
    """clamp(x, low, high) whose gradient follows a rule.

    A gate is kept as what may pass at most, infinite where it is open and zero where it is closed,
    so that guided backpropagation is one clamp. Booleans would take several times as long.
    """

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd gives them in order
        ctx: Any,
        x: Tensor,
        bounds: tuple[float, float],
        rule: Rule,
        in_place: bool,
        careful: bool,
    ) -> Tensor:
        ctx.rule, ctx.careful, (low, high) = rule, careful, bounds
        if rule.forward_gate:
            gate = torch.where((x > low) & (x < high), inf, 0.0)
            ctx.save_for_backward(gate.to(x.dtype))
        if in_place:
            ctx.mark_dirty(x)
            return x.clamp_(low, high)
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        (gate,) = ctx.saved_tensors if ctx.rule.forward_gate else (None,)
        if ctx.careful and gate is not None and ctx.rule.backward_gate:
            grad = torch.ops.aten.threshold_backward(grad.clamp(min=0), gate, 0)
        elif ctx.rule.backward_gate:
            grad = grad.clamp(grad.new_zeros(()), gate)
        elif gate is not None:
            grad = torch.ops.aten.threshold_backward(grad, gate, 0)
        return grad, None, None, None, None


class _Rectifiers(TorchFunctionMode):
    """Swaps every call of a rectifier for `_Rectify`, and follows what masks are made of."""

    def __init__(self, rule: Rule, careful: bool) -> None:
        super().__init__()
        self.rule, self.careful = rule, careful
        self.marks = Marks()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = _name(func)
        found = None if name == _PROPERTY else self._rectifies(func, name, args, kwargs)
        if found is not None:
            x, bounds, in_place = found
            made = _Rectify.apply(  # type: ignore[no-untyped-call]
                x, bounds, self.rule, in_place, self.careful
            )
            self.marks.follow("rectify_" if in_place else "rectify", [x], {}, made)
            return None if name == "__setitem__" else made
        result = func(*args, **kwargs)
        if (isinstance(result, _MAY_HOLD_TENSORS) and not isinstance(result, torch.Size)) or (
            name == "__setitem__"
        ):
            self.marks.follow(name, args, kwargs, result)
        return result

    def _rectifies(
        self, func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Tensor, tuple[float, float], bool] | None:
        """x, its bounds and whether in place, where a call is a rectifier of x."""
        call = _RECTIFIERS.get(_OF_ATEN.get(name, func) if isinstance(func, _ATEN) else func)
        x: Any = args[0] if args else kwargs.get("input")
        if call is not None and torch.is_grad_enabled() and x.requires_grad:
            bounds = call.bounds(*args, **kwargs)
            if bounds is not None:
                return x, bounds, call.in_place(*args, **kwargs)
        written = written_rectifier(name, args, kwargs, self.marks)
        return None if written is None else (written[0], (0.0, inf), written[1])


_ATEN = (torch._ops.OpOverload, torch._ops.OpOverloadPacket)

_MAY_HOLD_TENSORS = (Tensor, tuple, list)

_PROPERTY = "__get__"
"""What a look at a tensor's shape, type or place is called: as frequent as all else together."""


def _name(func: Callable[..., Any]) -> str:
    """What a function is called, without the overload that `torch.ops` adds."""
    return str(getattr(func, "__name__", func)).partition(".")[0]


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
