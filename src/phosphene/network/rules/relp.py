"""RelP's substitutions: what multiplies a value is held, so that a transformer is a linear map.

| operation                  | what is held                                      |
|----------------------------|---------------------------------------------------|
| layer normalisation        | the deviation                                     |
| attention                  | the weights, softmax(qk)                          |
| GELU, SiLU as x·gate(x)    | the gate                                          |
| product of two values      | each factor in turn, half of the gradient to each |

Linear layers keep their derivative. So without biases the values of any layer that all of the score
passes through, times what flows back to them, sum to the score.

*Source:* Jafari et al. 2025, "RelP" (arXiv 2508.21258); Ali et al. 2022, arXiv 2202.07304, for
attention and normalisation.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from phosphene.network.rules.operations import Operation
from phosphene.network.rules.replaced import Replacement
from phosphene.network.rules.rule import Rule
from phosphene.network.rules.shares import MATRICES, NORMS, SHARES, unshared

Call = Callable[..., Any]


def _norm(func: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    return _normalised(*args, **kwargs)


def _normalised(  # noqa: PLR0917 - torch's own order
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    spread = (input.var(axes, unbiased=False, keepdim=True) + eps).sqrt().detach()
    value = (input - input.mean(axes, keepdim=True)) / spread
    value = value if weight is None else value * weight
    return value if bias is None else value + bias


def _softmax(func: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    weights: Tensor = func(*args, **kwargs)
    return weights.detach()


def _attention(func: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    given = dict(zip(("query", "key", "value"), args[:3], strict=False)) | dict(kwargs)
    held = {name: given[name].detach() for name in ("query", "key")}
    return func(*held.values(), given.pop("value"), *args[3:], **_without(given, held))


def _without(given: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in names}


def _gate(func: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    given = dict(zip(("input", "inplace"), args, strict=False)) | dict(kwargs)
    x, in_place = given.pop("input"), given.pop("inplace", False)
    with torch.no_grad():
        gate = torch.where(x == 0, 0.5, func(x, **given) / x)
    return x.mul_(gate) if in_place else x * gate


def _product(func: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    values = [arg for arg in args if isinstance(arg, Tensor) and arg.requires_grad]
    if len(values) < 2:
        return func(*args, **kwargs)
    one, other = args
    return (func(one, other.detach()) + func(one.detach(), other)) / 2


_TABLE: dict[Operation, Replacement] = {
    "norm": _norm,
    "softmax": _softmax,
    "attention": _attention,
    "gate": _gate,
    "product": _product,
}

RELP = Rule(
    "RelP",
    table=_TABLE,
    uncaught=partial(unshared, shares=SHARES | NORMS, products=MATRICES),
)
"""Relevance patching's rule: multiplied by values, what flows back is what each adds to a score."""
