"""A unit's response to a picture: its largest value over all positions, and where that was."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from phosphene.objectives import unit_maps


@dataclass(frozen=True, eq=False)
class Responses:
    """The response of every unit to every picture of a batch, and the maps they come from."""

    values: Float[Tensor, "b units"]
    maps: Float[Tensor, "b units positions"]

    def places(self, images: Int[Tensor, "n"], units: Int[Tensor, "n"]) -> Int[Tensor, "n"]:
        """Where units answer most to images; few of all pairs are ever asked about.

        Positions count row by row (`y * width + x`), tokens in their order, 0 for dense layers;
        the first of equal maxima counts.
        """
        device = self.maps.device
        return self.maps[images.to(device), units.to(device)].max(dim=1).indices


def responses(values: Tensor) -> Responses:
    """Responses from a layer's values, `b c h w`, `b t d` or `b d`."""
    maps = unit_maps(values)
    return Responses(maps.amax(dim=2), maps)
