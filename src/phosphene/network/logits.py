"""Which layer gives the logits: the scores whose softmax is the distribution over the classes."""

import torch
from torch import Tensor

from phosphene.network.layers import Discovery

_ROUNDING = 8
"""How many steps of its precision a softmax may be off, for each unit of its largest score."""


def find_logits(found: Discovery) -> str | None:
    """The last layer with weights whose values, or their (log-)softmax, are the network's output.

    A layer must give the output bit by bit: the layers of a network with random weights may
    resemble each other. Softmax has several formulas and is compared to rounding. Where no layer
    with weights does (two heads are averaged, say), it is the first other one that does. None for
    a network that gives back no vectors.
    """
    vectors = [name for name in found.ends if len(found.layers[name].shape) == 1]
    if not vectors:
        return None
    output = found.values[vectors[0]]
    matching = [name for name, value in found.values.items() if _leads_to(output, value)]
    weighted = [name for name in matching if found.layers[name].default]
    return weighted[-1] if weighted else [*matching, vectors[0]][0]  # NaN equals nothing


def _leads_to(output: Tensor, scores: Tensor) -> bool:
    """Whether `output` is `scores`, or their softmax, or its logarithm."""
    if scores.shape != output.shape:
        return False
    scores = scores.to(output.dtype)
    if torch.equal(scores, output):
        return True
    precision = torch.finfo(output.dtype)
    largest = float(scores.nan_to_num(0, 0, 0).abs().max())
    rounding = _ROUNDING * precision.eps * (1 + largest)
    return torch.allclose(output, scores.softmax(1), rounding, precision.tiny) or torch.allclose(
        output, scores.log_softmax(1), 0.0, rounding
    )
