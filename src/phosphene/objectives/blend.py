"""One objective that turns into another from image to image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ObjectiveError
from phosphene.network.recorded import Recording
from phosphene.objectives.algebra import Term


@dataclass(frozen=True)
class Blend(Term):
    """Two objectives in a proportion of its own for each image.

    score_i = (1 - s_i) first_i + s_i second_i, with the share s_i of image i.

    *Source:* Olah et al. 2017, "Feature Visualization", interpolating between objectives.
    """

    first: Term
    second: Term
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse to be for no image; raises `ObjectiveError`."""
        super().__post_init__()
        object.__setattr__(self, "shares", tuple(float(share) for share in self.shares))
        if not self.shares:
            raise ObjectiveError("a blend without shares is for no image; give one for each")

    @property
    def layers(self) -> frozenset[str]:
        """Those of both."""
        return self.first.layers | self.second.layers

    @property
    def batch(self) -> int:
        """One image for each share."""
        return len(self.shares)

    def take(self, images: Sequence[int]) -> "Blend":
        """The same for a selection of the images."""
        first, second = self.first.take(images), self.second.take(images)
        shares = tuple(self.shares[i] for i in images)
        return replace(self, first=first, second=second, shares=shares)

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The weighted sum, per image."""
        first, second = self.first(recording), self.second(recording)
        if len(first) != len(self.shares):
            raise ObjectiveError(
                f"a blend with {len(self.shares)} shares was given {len(first)} images"
            )
        shares = first.new_tensor(self.shares)
        return (1 - shares) * first + shares * second

    def __str__(self) -> str:
        return f"from {self.first} to {self.second} in {len(self.shares)} steps"
