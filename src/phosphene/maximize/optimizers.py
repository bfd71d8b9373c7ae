"""How a canvas's parameters follow the gradient, as values."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from phosphene.errors import ObjectiveError, nearest
from phosphene.values import Value


class NormalizedGradient(torch.optim.Optimizer):
    """Gradient steps of unit standard deviation: x ← x - lr · g / (std(g) + ε), per image.

    *Source:* the step of Google's DeepDream notebook, 2015, with the deviation taken over each
    image of the batch by itself.
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 1.0, eps: float = 1e-8) -> None:
        super().__init__(params, {"lr": lr, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step for every parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    deviation = p.grad.flatten(1).std(dim=1, unbiased=False)
                    scale = group["lr"] / (deviation + group["eps"])
                    p.sub_(p.grad * scale.view(-1, *[1] * (p.ndim - 1)))


# Only optimisers that treat every number by itself: the images of a batch stay independent.
_ELEMENTWISE: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "Adam": partial(torch.optim.Adam, fused=True),
    "AdamW": partial(torch.optim.AdamW, fused=True),
    "NAdam": torch.optim.NAdam,
    "RMSprop": torch.optim.RMSprop,
    "SGD": torch.optim.SGD,
    "NormalizedGradient": NormalizedGradient,
}


@dataclass(frozen=True)
class Optimizer(Value):
    """The name of an optimiser and its learning rate; None takes the rate the canvas suggests.

    One of Adam, AdamW, NAdam, RMSprop, SGD (from `torch.optim`) and NormalizedGradient.
    """

    called: ClassVar[str] = "optimiser"
    name: str = "Adam"
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        """Refuse names that are not known; raises `ObjectiveError` with the nearest."""
        if self.name not in _ELEMENTWISE:
            raise ObjectiveError(f"no optimiser {self.name!r}; {nearest(self.name, _ELEMENTWISE)}")

    def bind(self, parameters: Iterable[Tensor], suggested: float) -> torch.optim.Optimizer:
        """The optimiser itself, for these parameters."""
        rate = suggested if self.learning_rate is None else self.learning_rate
        return _ELEMENTWISE[self.name](list(parameters), lr=rate)
