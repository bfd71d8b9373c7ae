"""A unit's map weighed place by place: what it adds, by a slope, to something else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ObjectiveError
from phosphene.network.recorded import Recording
from phosphene.objectives.algebra import LayerTerm
from phosphene.objectives.likeness import Values
from phosphene.objectives.terms import PerImage, unit_map


@dataclass(frozen=True)
class Along(LayerTerm):
    """score = sum_p w(p) a[unit, p], with a weight for each place of the unit's map.

    With the slopes of a target as weights it is what the unit adds to that target, so that its
    gradient leads to the target through this unit alone. `weights` are `1 p` for all images or
    `b p`, with p the places of the map row by row.

    *Source:* the chain rule, one unit at a time; as in Achtibat et al. 2023, arXiv 2206.03208.
    """

    layer: str
    index: PerImage
    weights: Values
    batched: ClassVar[tuple[str, ...]] = ("index",)

    @property
    def batch(self) -> int | None:
        """As many images as there are rows of weights; one row fits any number."""
        return super().batch if self.weights.shape[0] == 1 else self.weights.shape[0]

    def take(self, images: Sequence[int]) -> "Along":
        """The same for a selection of the images."""
        found = super().take(images)
        assert isinstance(found, Along), "as it was"
        if self.weights.shape[0] == 1:
            return found
        return replace(found, weights=self.weights.take(images))

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The weighted sum, per image."""
        maps = unit_map(recording[self.layer], self.index)
        weights = self.weights.tensor.to(maps)
        if weights.shape[1:] != maps.shape[1:] or len(weights) not in {1, len(maps)}:
            raise ObjectiveError(
                f"weights of shape {tuple(weights.shape)} were given for {len(maps)} maps of "
                f"{maps.shape[1]} places of {self.layer}; give one for each place"
            )
        return (maps * weights).sum(1)

    def __str__(self) -> str:
        return f"{self.layer}:{self.index} along {self.weights}"
