"""Probabilities of classes from a network's scores, by what its outputs mean."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.tasks import Task


def probabilities(
    scores: Float[Tensor, "*b classes"], task: Task = "softmax"
) -> Float[Tensor, "*b classes"]:
    """The probability of each class from its score.

    >>> import torch
    >>> probabilities(torch.tensor([[0.0, 0.0]])), probabilities(torch.tensor([[0.0]]), "sigmoid")
    (tensor([[0.5000, 0.5000]]), tensor([[0.5000]]))
    """
    return scores.sigmoid() if task == "sigmoid" else scores.softmax(-1)


def log_probabilities(
    scores: Float[Tensor, "*b classes"], task: Task = "softmax"
) -> Float[Tensor, "*b classes"]:
    """The logarithms of `probabilities`, right also where those round to 0 or 1."""
    return F.logsigmoid(scores) if task == "sigmoid" else scores.log_softmax(-1)
