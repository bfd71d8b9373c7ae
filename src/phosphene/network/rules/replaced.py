"""An operation whose values are its own and whose gradient is another."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Replacement = Callable[[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]], Any]
"""What is called in the place of `function(*args, **kwargs)`; its values are the same."""

Pull = Callable[[Tensor], Tensor]
"""What flows back into an operation's input, given what flows back into its output."""


class Replaced(torch.autograd.Function):
    """A value made of x, with what is told to flow back into x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, pull: Pull) -> Tensor:
        """The value, as it is."""
        ctx.pull = pull
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """What flows back."""
        (grad,) = grads
        return ctx.pull(grad), None, None
