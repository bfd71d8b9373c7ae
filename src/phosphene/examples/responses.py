"""A unit's response to a picture: its largest value over all positions, and where that was."""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from phosphene.objectives import unit_maps


class Responses(NamedTuple):
    """The response of every unit to every picture of a batch.

    `places` count positions row by row (`y * width + x`), tokens in their order, 0 for dense
    layers; the first of equal maxima counts.
    """

    values: Float[Tensor, "b units"]
    places: Int[Tensor, "b units"]


def responses(values: Tensor) -> Responses:
    """Responses from a layer's values, `b c h w`, `b t d` or `b d`."""
    maps = unit_maps(values)
    if maps.shape[2] == 1:
        return Responses(maps[:, :, 0], maps.new_zeros(maps.shape[:2]).long())
    top, places = maps.max(dim=2)
    return Responses(top, places)
