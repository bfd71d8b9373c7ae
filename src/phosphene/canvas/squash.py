"""The smooth map between unbounded numbers (logits) and picture values in [0, 1]."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

MARGIN = 0.02
"""How far the sigmoid reaches beyond [0, 1], so that pure black and white have finite logits."""

_INSIDE = (MARGIN / (1 + 2 * MARGIN), (1 + MARGIN) / (1 + 2 * MARGIN))
"""Values of the sigmoid between which nothing is cut."""


def to_pictures(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`p = (1 + 2m) sigmoid(z) - m`, cut to [0, 1], with the margin m.

    >>> to_pictures(torch.tensor([-9.0, 0.0, 9.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    pictures: Tensor = _Squash.apply(logits)  # type: ignore[no-untyped-call]
    return pictures


class _Squash(torch.autograd.Function):
    """The map itself, which writes one tensor where its parts would write four."""

    @staticmethod
    def forward(context: Any, logits: Tensor) -> Tensor:
        shares = context.shares = torch.sigmoid(logits)
        return shares.mul(1 + 2 * MARGIN).sub_(MARGIN).clamp_(0, 1)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> Tensor:
        cut = torch.ops.aten.hardtanh_backward(gradient, context.shares, *_INSIDE)
        slopes: Tensor = torch.ops.aten.sigmoid_backward(cut, context.shares)
        return slopes.mul_(1 + 2 * MARGIN)


def to_logits(pictures: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The inverse of `to_pictures`, finite for every picture in [0, 1]."""
    return torch.logit((pictures + MARGIN) / (1 + 2 * MARGIN))
