"""How a network is trained, as a value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any, ClassVar

import torch
from torch import nn

from phosphene.errors import SettingError, nearest
from phosphene.transforms import RandomAffine
from phosphene.values import Value

_OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    name: kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type)
    and issubclass(kind, torch.optim.Optimizer)
    and name not in {"Optimizer", "LBFGS", "SparseAdam"}  # these do not step on plain gradients
}


@dataclass(frozen=True)
class Training(Value):
    """How a network is trained: optimiser of `torch.optim` by name, batch size, steps, seed.

    `epochs`, where given, takes the place of `steps`. `arguments` are the optimiser's others, by
    name; `decay` multiplies the learning rate after every epoch; `augment` changes every picture
    anew at each step. Raises `SettingError` for an optimiser or an argument that is none, with the
    nearest names.

    >>> recipe = Training("Adadelta", 1.0, batch=100, epochs=8, arguments={"rho": 0.95})
    >>> recipe.for_pictures(1_050).steps
    80
    """

    called: ClassVar[str] = "training"
    unsaid: ClassVar[tuple[str, ...]] = ("epochs", "arguments", "decay", "augment")
    optimizer: str = "Adam"
    learning_rate: float = 1e-4
    batch: int = 64
    steps: int = 10_000
    seed: int = 0
    epochs: int | None = None
    arguments: Mapping[str, float | bool] = field(default_factory=dict, hash=False)
    decay: float | None = None
    augment: RandomAffine | None = None

    def __post_init__(self) -> None:
        """Refuse names that are no optimiser's."""
        if self.optimizer not in _OPTIMIZERS:
            raise SettingError(
                f"no optimiser {self.optimizer!r}; {nearest(self.optimizer, _OPTIMIZERS)}"
            )
        known = list(signature(_OPTIMIZERS[self.optimizer]).parameters)[2:]  # past params and lr
        for name in self.arguments:
            if name not in known:
                raise SettingError(
                    f"{self.optimizer} has no argument {name!r}; {nearest(name, known)}"
                )

    def for_pictures(self, count: int) -> "Training":
        """The same recipe with its epochs, of `count` pictures each, told in steps."""
        if self.epochs is None:
            return self
        return replace(self, steps=self.epochs * self.steps_per_epoch(count), epochs=None)

    def steps_per_epoch(self, count: int) -> int:
        """How many whole batches `count` pictures make; one for fewer pictures than a batch."""
        return max(1, count // self.batch)

    def rate(self, epoch: int) -> float:
        """The learning rate in `epoch`, which counts from 0."""
        return self.learning_rate * (1.0 if self.decay is None else self.decay**epoch)

    def optimize(self, module: nn.Module) -> torch.optim.Optimizer:
        """The optimiser itself, for the parameters of `module`."""
        make = _OPTIMIZERS[self.optimizer]
        return make(module.parameters(), lr=self.learning_rate, **self.arguments)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; that `augment` is affine goes without saying."""
        told: dict[str, Any] = super().to_json()
        told.get("augment", {}).pop(RandomAffine.tag, None)
        return told
