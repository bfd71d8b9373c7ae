"""What a network's outputs mean: one of several classes, labels of their own, one of two, or none.

| task      | the outputs are                               | probabilities                   |
|-----------|-----------------------------------------------|---------------------------------|
| `softmax` | a score for each of n >= 2 classes            | softmax(z)                      |
| `sigmoid` | a score for each label, any of which may hold | sigmoid(z)                      |
| `binary`  | one score z, for the second of two classes    | (1 - sigmoid(z), sigmoid(z))    |
| `none`    | no classes: features, measures, maps          |                                 |

The scores of `binary` are (-z/2, z/2), whose softmax are its probabilities.
"""

from typing import Literal, get_args

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Task = Literal["softmax", "sigmoid", "binary", "none"]

TASKS: tuple[Task, ...] = get_args(Task)


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
