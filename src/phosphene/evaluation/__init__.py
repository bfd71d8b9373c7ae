"""How far a picture, and a network, can be trusted."""

from phosphene.evaluation.confirmation import Confirmed, confirm
from phosphene.evaluation.nearest import Neighbours, nearest_neighbours
from phosphene.evaluation.plausibility import Plausibility, plausible

__all__ = [
    "Confirmed",
    "Neighbours",
    "Plausibility",
    "confirm",
    "nearest_neighbours",
    "plausible",
]
