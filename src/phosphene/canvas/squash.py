"""The smooth map between unbounded numbers (logits) and picture values in [0, 1]."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

MARGIN = 0.02
"""How far the sigmoid reaches beyond [0, 1], so that pure black and white have finite logits."""


def to_pictures(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`p = (1 + 2m) sigmoid(z) - m`, cut to [0, 1], with the margin m.

    >>> to_pictures(torch.tensor([-9.0, 0.0, 9.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return F.hardtanh((1 + 2 * MARGIN) * torch.sigmoid(logits) - MARGIN, 0, 1)


def to_logits(pictures: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The inverse of `to_pictures`, finite for every picture in [0, 1]."""
    return torch.logit((pictures + MARGIN) / (1 + 2 * MARGIN))
