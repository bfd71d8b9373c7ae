"""States of what gathers from a stream, compared."""

from typing import Any

import torch


def same(one: Any, other: Any) -> bool:
    """Whether two states are equal, bit by bit; JSON's lists equal tuples."""
    match one:
        case torch.Tensor():
            return one.dtype == other.dtype and one.numpy().tobytes() == other.numpy().tobytes()
        case dict():
            return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
        case list() | tuple():
            return len(one) == len(other) and all(map(same, one, other))
        case _:
            return bool(one == other)
