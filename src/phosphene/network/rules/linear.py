"""Layer-wise relevance propagation through linear layers and convolutions: LRP's ε and z⁺ rules.

The relevance of a value x is R = x·g, where g is what flows back; a rule says how the relevance of
y = Σᵢ wᵢxᵢ + b is shared among the xᵢ:

| rule | share of xᵢ                | source                                                   |
|------|----------------------------|----------------------------------------------------------|
| ε    | wᵢxᵢ / (y + ε·sign y)      | Bach et al. 2015, PLOS ONE 10(7) e0130140, eq. 58        |
| z⁺   | (wᵢxᵢ)⁺ / Σₖ (wₖxₖ)⁺       | Montavon et al. 2017, arXiv 1512.02479, sec. 4           |

Relevance of a picture is `gradient_x_input` under such a rule. By z⁺ it sums to the score, but for
units that nothing excites; by ε biases and ε keep their share. Rectifiers, sums, means, poolings
and whatever else is x times what does not depend on the picture share by their own derivative;
what does not is refused.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from phosphene.errors import InputError, RectifierError
from phosphene.network.rules.replaced import Replaced
from phosphene.network.rules.rule import Rule
from phosphene.network.rules.shares import NORMS, SHARES, unshared
from phosphene.words import literal

Affine = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""A linear layer as a function of its input, weight and bias."""


def epsilon(size: float = 1e-6) -> Rule:
    """LRP's ε rule, which lets small sums keep their relevance; raises `InputError` for ε < 0."""
    if not size >= 0:
        raise InputError(f"epsilon of {size}; at least 0 is expected")

    def share(x: Tensor, weight: Tensor, bias: Tensor | None, layer: Affine) -> Tensor:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            y = layer(leaf, weight, bias)
        signed = torch.where(y.detach() < 0, -size, size)
        kept = (y / (y + signed)).detach().nan_to_num()  # 0 / 0 with ε = 0: there is nothing

        def pull(grad: Tensor) -> Tensor:
            (found,) = torch.autograd.grad(y, leaf, grad * kept, retain_graph=True)
            return found

        return _replaced(x, y.detach(), pull)

    return Rule(
        f"epsilon {literal(size)}",
        table={"linear": _of_linear(share)},
        uncaught=partial(unshared, shares=SHARES | NORMS),
    )


def _share_of_the_positive(x: Tensor, weight: Tensor, bias: Tensor | None, layer: Affine) -> Tensor:
    y = layer(x.detach(), weight, bias)
    with torch.enable_grad():
        above, below = (part.detach().requires_grad_() for part in (x.clamp(min=0), x.clamp(max=0)))
        positive = layer(above, weight.clamp(min=0), None) + layer(below, weight.clamp(max=0), None)
    kept = torch.where(positive > 0, y / positive, 0.0).detach()

    def pull(grad: Tensor) -> Tensor:
        up, down = torch.autograd.grad(positive, (above, below), grad * kept, retain_graph=True)
        return torch.where(x > 0, up, down)

    return _replaced(x, y, pull)


def _replaced(x: Tensor, value: Tensor, pull: Callable[[Tensor], Tensor]) -> Tensor:
    made: Tensor = Replaced.apply(x, value, pull)  # type: ignore[no-untyped-call]
    return made


def _of_linear(share: Callable[[Tensor, Tensor, Tensor | None, Affine], Tensor]) -> Any:
    """The replacement of a linear layer or convolution that shares relevance so."""

    def replacement(
        func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        given = dict(zip(("input", "weight", "bias"), args[:3], strict=False)) | dict(kwargs)
        x, weight, bias = given.pop("input"), given.pop("weight"), given.pop("bias", None)
        if weight.requires_grad:
            raise RectifierError(
                "relevance is shared by fixed weights, and those of a linear layer are made of the "
                "picture here. Ask for the plain gradient or integrated gradients"
            )
        if not (torch.is_grad_enabled() and x.requires_grad):
            return func(*args, **kwargs)
        return share(x, weight, bias, lambda x, w, b: func(x, w, b, *args[3:], **given))

    return replacement


ZPLUS = Rule(
    "z+",
    table={"linear": _of_linear(_share_of_the_positive)},
    uncaught=partial(unshared, shares=SHARES),
)
"""LRP's z⁺ rule: relevance goes to what excites alone."""
