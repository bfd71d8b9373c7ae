"""A network as a list of operations, from a picture in [0, 1] to the values of all its layers.

Values are counted: 0 is the picture, i is what operation i - 1 gives. They have no axis for the
batch, `c h w`, `t d` or `d`.

| kind      | gives                                                                             |
|-----------|-----------------------------------------------------------------------------------|
| `conv`    | a convolution: `weight`, `bias`, stride, padding, dilation, groups                |
| `dense`   | `weight` x + `bias`, of each row of x                                             |
| `matmul`  | `by` · x y, of `batches` of `m` x `k` by `k` x `n`; y is `n` x `k` if `turned`     |
| `affine`  | x · `scale` + `shift`, each one number, one for each channel, or one for each x;   |
|           | with `last` one for each place of the last axis                                   |
| `norm`    | `rows` less their mean, by their standard deviation                               |
| `clip`    | min(max(x, low), high); `edges`: the ends have a slope                            |
| `leaky`   | x where x > 0, else x · slope                                                     |
| `point`   | a function of each x by itself: sigmoid, tanh, silu, gelu, hardswish, log, …      |
| `largest` | the largest of each window                                                        |
| `average` | the sum of each window by its area, of x in the shape `seen` if it is given       |
| `same`    | x in another shape                                                                |
| `take`    | some channels of x                                                                |
| `move`    | numbers of x: those that lie `strides` apart, or `from` where; -1 for a zero      |
| `pad`     | x with a border of one value                                                      |
| `add`     | x + y · `by`                                                                      |
| `times`   | x · y, where y may have one place for each channel                                |
| `join`    | values and constants one after the other, along channels                          |
| `softmax` | the shares of the scores of each of `rows`, or their logarithm                    |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from phosphene.network import Input
from phosphene.tasks import Task


@dataclass(frozen=True, eq=False)
class Op:
    """One operation: what it takes, the shape it gives, plain settings, and its weights."""

    kind: str
    takes: tuple[int, ...]
    shape: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Program:
    """Operations in the order in which they run, and which of the values are what.

    Args:
        layers: the value of each layer.
        scores: the value of the class scores; None where there are no classes.
    """

    input: Input
    ops: tuple[Op, ...]
    layers: Mapping[str, int]
    scores: int | None
    task: Task

    @property
    def parameters(self) -> int:
        """How many numbers its operations hold."""
        return sum(tensor.numel() for op in self.ops for tensor in op.tensors.values())


def needed(ops: tuple[Op, ...], values: set[int]) -> tuple[tuple[Op, ...], dict[int, int]]:
    """The operations that some values are made of, and how these and all others are counted now."""
    wanted = set(values)
    for number in range(len(ops), 0, -1):
        if number in wanted:
            wanted.update(ops[number - 1].takes)
    kept = [number for number in range(1, len(ops) + 1) if number in wanted]
    names = {0: 0} | {number: i for i, number in enumerate(kept, start=1)}
    found = []
    for number in kept:
        op = ops[number - 1]
        takes = tuple(names[value] for value in op.takes)
        found.append(Op(op.kind, takes, op.shape, op.settings, op.tensors))
    return tuple(found), names
