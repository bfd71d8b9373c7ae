"""Find activations that are written out of a value and a function of that same value.

SiLU is x·σ(x) or x/(1 + exp(-x)), GELU x·Φ(x), Hardswish x·relu6(x + 3)/6, Mish
x·tanh(softplus(x)), |x| is √x², ReLU x + relu(-x), softplus log(1 + exp(x)). A gate that is made of
something else, as in squeeze-and-excitation or in a gated linear unit, is none of these.
"""

import re
from collections.abc import Callable
from typing import Any

_POINTWISE = re.compile(
    r"^(Mul|Div|Add|Sub|RSub|Neg|Pow|Reciprocal|Exp|Exp2|Expm1|Log|Log1P|Sqrt|Rsqrt|To|ToCopy|Clone"
    r"|View|UnsafeView|Squeeze|Unsqueeze)Backward"
)

_SATURATING = re.compile(
    r"^(Sigmoid|Hardsigmoid|Tanh|Erf|Erfc|Softplus|Hardtanh|Clamp|Exp|Exp2|Expm1|Sqrt|Rsqrt"
    r"|ClampMin|ClampMax|Reciprocal|Atan|Log|Log1P)Backward|^Rectify"
)
_RECTIFIED = re.compile(r"^Rectify")
_EXPONENTIAL = re.compile(r"^Exp\w*Backward")
_SQUARE = re.compile(r"^(Pow|Mul)\w*Backward")

_MOST_STEPS = 16

_Value = tuple[Any, int]
"""A node of the autograd graph and which of its outputs: halves of one split are two values."""


def gates_itself(node: Any) -> bool:
    """Whether an autograd node multiplies a value by a bounded, pointwise function of that value.

    >>> import torch
    >>> x = torch.zeros(3, requires_grad=True).exp()
    >>> gates_itself((x * x.sigmoid()).grad_fn), gates_itself((x * x).grad_fn)
    (True, False)
    >>> gates_itself((x / (1 + (-x).exp())).grad_fn)
    True
    """
    return node.name().startswith(("MulBackward", "DivBackward")) and _meet(node, _SATURATING)


def joins_rectified(node: Any) -> bool:
    """Whether an autograd node adds a value and what a rectifier lets through of that value."""
    return node.name().startswith(("AddBackward", "SubBackward")) and _meet(node, _RECTIFIED)


def hides_absolute(node: Any) -> bool:
    """Whether an autograd node is the root of a square, or the logarithm of an exponential."""
    name = node.name()
    inside = (
        _SQUARE
        if name.startswith("SqrtBackward") or _is_root(node)
        else _EXPONENTIAL
        if re.match(r"Log\d*P?Backward", name)
        else None
    )
    if inside is None:
        return False
    plain, _ = _origins(node.next_functions[0])
    return any(inside.match(found.name()) and _squares(found) for found, _ in plain)


def _is_root(node: Any) -> bool:
    exponent = getattr(node, "_saved_exponent", None)
    return node.name().startswith("PowBackward0") and isinstance(exponent, float) and exponent < 1


def _squares(node: Any) -> bool:
    """Whether a product or a power is of a value with itself; anything else squares nothing."""
    name = node.name()
    if name.startswith("Mul"):
        first, second = node.next_functions[0], node.next_functions[-1]
        return first == second and first[0] is not None
    if name.startswith("PowBackward0"):
        return bool(node._saved_exponent % 2 == 0)
    return not name.startswith("Pow")


def _meet(node: Any, bounded: re.Pattern[str]) -> bool:
    """Whether both sides of a node are made of one value, one of them by a bounded function."""
    parents = [parent for parent in node.next_functions if parent[0] is not None]
    if len(parents) != 2:
        return False
    first, second = (_origins(parent, bounded.match) for parent in parents)
    return bool(first[0] & second[1] or first[1] & second[0])


def _origins(
    value: _Value, bounds: Callable[[str], Any] = _SATURATING.match
) -> tuple[set[_Value], set[_Value]]:
    """What a value is made of pointwise: without, and with, a bounded function on the way."""
    plain: set[_Value] = set()
    bounded: set[_Value] = set()
    waiting = [(value, False)]
    while waiting and len(plain) + len(bounded) < _MOST_STEPS:
        current, passed = waiting.pop(0)
        found, (node, _) = bounded if passed else plain, current
        if node is None or current in found:
            continue
        found.add(current)
        saturates = bool(bounds(node.name()))
        if saturates or _POINTWISE.match(node.name()):
            waiting += [(parent, passed or saturates) for parent in node.next_functions]
    return plain, bounded
