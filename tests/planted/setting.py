"""Modules and pictures set by hand: every number in them is one that was written down."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

Matrix = Sequence[Sequence[float]]


def lamps(*rows: Sequence[float], size: int = 3) -> Tensor:
    """Even pictures: row i has the brightness of each channel of picture i."""
    levels = torch.tensor(rows, dtype=torch.float32)
    return levels[:, :, None, None].expand(-1, -1, size, size).contiguous()


def mixing(rows: Matrix, bias: Sequence[float] | None = None) -> nn.Conv2d:
    """A 1x1 convolution: row o has the weights of output unit o."""
    conv = nn.Conv2d(len(rows[0]), len(rows), 1, bias=bias is not None)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(rows)[:, :, None, None])
        if conv.bias is not None and bias is not None:
            conv.bias.copy_(torch.tensor(bias))
    return conv


def dense(rows: Matrix) -> nn.Linear:
    """A linear layer without biases: row o has the weights of output unit o."""
    linear = nn.Linear(len(rows[0]), len(rows), bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(rows))
    return linear


def pattern(weights: dict[tuple[int, int, int, int], float], units: tuple[int, int]) -> nn.Conv2d:
    """A 3x3 convolution of (outputs, inputs) without padding: weights by (output, input, y, x)."""
    outputs, inputs = units
    conv = nn.Conv2d(inputs, outputs, 3, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        for at, weight in weights.items():
            conv.weight[at] = weight
    return conv


def eye(units: int) -> list[list[float]]:
    """The identity."""
    return torch.eye(units).tolist()


def layers(**named: nn.Module) -> nn.Sequential:
    """Modules one after another, by name, in eval mode."""
    return nn.Sequential(OrderedDict(named)).eval()


def hidden(
    middle: Matrix,
    target: Matrix,
    biases: Sequence[float] | None = None,
    bias: float = 0.0,
    see: Matrix | None = None,
) -> nn.Sequential:
    """see - source (ReLU) - middle - gates (ReLU) - target, all 1x1.

    `see` is the identity unless given, so that a unit of the source layer is a channel of the
    picture. `biases` are those of the middle, `bias` that of every target unit.
    """
    return layers(
        see=mixing(see or eye(len(middle[0]))),
        source=nn.ReLU(),
        middle=mixing(middle, biases),
        gates=nn.ReLU(),
        target=mixing(target, [bias] * len(target)),
    )
