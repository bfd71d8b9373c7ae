"""Terms that look across a batch."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ObjectiveError
from phosphene.network.recorded import Recording
from phosphene.objectives.algebra import LayerTerm
from phosphene.objectives.terms import unit_maps


@dataclass(frozen=True)
class Diversity(LayerTerm):
    """How unlike the other pictures of its group each picture is, as a layer sees them.

    With G_i = F_i F_iᵀ the Gram matrix (units by units) of image i's values F_i,
    score_i = -mean_{j ≠ i} cos(G_i, G_j). The batch is cut into consecutive groups of `group`
    pictures, so that a batch can hold several facets of each of several units; None makes the
    whole batch one group.

    *Source:* Olah et al. 2017, "Feature Visualization", section on diversity.
    """

    layer: str
    group: int | None = None

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """Minus the mean similarity to the others of the group, per image."""
        maps = unit_maps(recording[self.layer])
        size = len(maps) if self.group is None else self.group
        if size < 2 or len(maps) % size:
            raise ObjectiveError(
                f"diversity among groups of {size} was asked for a batch of {len(maps)}; "
                "the batch must be a multiple of a group of at least 2"
            )
        grams = torch.einsum("bup,bvp->buv", maps, maps).flatten(1)
        grams = grams / grams.norm(dim=1, keepdim=True).clamp_min(1e-12)
        grouped = grams.view(-1, size, grams.shape[1])
        similarity: Tensor = grouped @ grouped.transpose(1, 2)
        others = similarity.sum(2) - similarity.diagonal(dim1=1, dim2=2)
        return -(others / (size - 1)).flatten()

    def __str__(self) -> str:
        return f"diversity in {self.layer}"
