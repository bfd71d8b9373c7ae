"""Find activations that are written out as a product: x times a gate that is made of x itself.

SiLU is x·σ(x), GELU x·Φ(x), Hardswish x·relu6(x + 3)/6, Mish x·tanh(softplus(x)). A gate that is
made of something else, as in squeeze-and-excitation or in a gated linear unit, is none of these.
"""

import re
from typing import Any

_POINTWISE = re.compile(r"^(Mul|Div|Add|Sub|RSub|Neg|Pow|Reciprocal|Exp|Log1P|To|Clone)\w*Backward")

_SATURATING = re.compile(
    r"^(Sigmoid|Hardsigmoid|Tanh|Erf|Softplus|Hardtanh|Clamp|_Rectify)\w*Backward|^_Rectify"
)

_MOST_STEPS = 16


def gates_itself(node: Any) -> bool:
    """Whether an autograd node multiplies a value by a bounded, pointwise function of that value.

    >>> import torch
    >>> x = torch.zeros(3, requires_grad=True).exp()
    >>> gates_itself((x * x.sigmoid()).grad_fn), gates_itself((x * x).grad_fn)
    (True, False)
    """
    if not node.name().startswith("MulBackward"):
        return False
    parents = [parent for parent, _ in node.next_functions if parent is not None]
    if len(parents) != 2:
        return False
    first, second = (_origins(parent) for parent in parents)
    return bool(first[0] & second[1] or first[1] & second[0])


def _origins(node: Any) -> tuple[set[Any], set[Any]]:
    """What `node` is made of pointwise: without, and with, a bounded function on the way."""
    plain: set[Any] = set()
    bounded: set[Any] = set()
    waiting = [(node, False)]
    while waiting and len(plain) + len(bounded) < _MOST_STEPS:
        current, passed = waiting.pop(0)
        found = bounded if passed else plain
        if current is None or current in found:
            continue
        found.add(current)
        saturates = bool(_SATURATING.match(current.name()))
        if saturates or _POINTWISE.match(current.name()):
            waiting += [(parent, passed or saturates) for parent, _ in current.next_functions]
    return plain, bounded
