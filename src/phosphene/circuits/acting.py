"""Where the units of a layer act on what they feed, how many matter, and by which pixels."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.attribution import gradient
from phosphene.circuits.edge import Edges, Slopes
from phosphene.errors import RectifierError
from phosphene.network import GUIDED, Network
from phosphene.objectives import Along, Term, Values, unit_maps
from phosphene.units import Box

LARGE = 0.5
"""A field that is a larger share of the picture than this says little of where something acts."""


class Acting(NamedTuple):
    """Where each unit of each row acts: the place where it adds most, in the sense of its score.

    `here` says whether it answers more than its baseline there. `order` has those that do first,
    and then by the magnitude of the score.
    """

    place: Int[Tensor, "b units"]
    here: Bool[Tensor, "b units"]
    order: Int[Tensor, "b units"]
    slope: Float[Tensor, "b units places"]
    values: Float[Tensor, "b units places"]

    @classmethod
    def of(cls, edges: Edges, slopes: Slopes) -> "Acting":
        """Where the units of some edges act."""
        slope, added, values = (unit_maps(each) for each in slopes)
        place = (added * edges.score.sign()[..., None]).argmax(2)
        at = values.gather(2, place[..., None])[..., 0]
        here = (at > edges.baseline.values.to(at)) & (edges.score != 0)
        size = edges.score.abs()
        order = (size + here * (1 + size.amax(1, keepdim=True))).argsort(
            dim=1, descending=True, stable=True
        )
        return cls(place, here, order, slope, values)


def needed(edges: Edges, share: float) -> Int[Tensor, "b"]:
    """The smallest number of units that hold a share of all scores' magnitude, per picture."""
    sizes = edges.score.abs().sort(dim=1, descending=True).values.cumsum(1)
    return 1 + (sizes < share * sizes[:, -1:]).sum(1)


def path_maps(
    network: Network,
    picture: Float[Tensor, "1 c h w"],
    layer: str,
    units: Tensor,
    slopes: Float[Tensor, "n places"],
) -> Float[Tensor, "n c h w"]:
    """Which pixels matter on the way through each of n units, given the slopes of what it feeds."""
    term = Along(layer, tuple(units.tolist()), Values.of(slopes))
    return looked_at(network, picture.expand(len(units), -1, -1, -1), term)


def looked_at(
    network: Network, pictures: Float[Tensor, "b c h w"], term: Term
) -> Float[Tensor, "b c h w"]:
    """Guided backpropagation's maps, or the gradient's where its rule does not hold."""
    try:
        return gradient(network, pictures, term, GUIDED)
    except RectifierError:
        return gradient(network, pictures, term)


def acts_in(map_: Float[Tensor, "c h w"], box: Box) -> Box:
    """Where in the picture something acts: all that it sees, or of a large field what counts.

    Of a field that is more than `LARGE` of the picture high or wide it is the square that holds
    the middle 80 % of the map's squares along each axis, no smaller than a sixth of the picture.
    """
    height, width = map_.shape[1:]
    if box[2] - box[0] <= LARGE * height and box[3] - box[1] <= LARGE * width:
        return box
    strength = map_.square().sum(0).double()
    if float(strength.sum()) == 0:
        return box
    (top, bottom), (left, right) = (_middle(strength.sum(1)), _middle(strength.sum(0)))
    side = max(bottom - top, right - left, -(-max(height, width) // 6))
    if side > LARGE * max(height, width):
        return max(0, box[0]), max(0, box[1]), min(height, box[2]), min(width, box[3])
    y = min(max(0, (top + bottom - side) // 2), height - min(side, height))
    x = min(max(0, (left + right - side) // 2), width - min(side, width))
    return y, x, y + side, x + side


def _middle(strength: Float[Tensor, "n"]) -> tuple[int, int]:
    """From where to where the middle 80 % lie."""
    share = strength.cumsum(0) / strength.sum()
    return int((share < 0.1).sum()), int((share < 0.9).sum()) + 1
