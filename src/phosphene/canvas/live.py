"""What an ascent needs of a canvas that holds pictures."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Canvas(Protocol):
    """A differentiable way to hold b pictures."""

    @property
    def learning_rate(self) -> float:
        """A rate at which Adam draws well with these parameters."""
        ...

    @property
    def parameters(self) -> Sequence[Tensor]:
        """The leaf tensors an optimiser changes; the first axis of each is the batch."""
        ...

    def __call__(self) -> Float[Tensor, "b c h w"]:
        """The pictures, in [0, 1]."""
        ...

    def project_(self) -> None:
        """Bring the parameters back into their domain after a step (a no-op for most)."""
        ...
