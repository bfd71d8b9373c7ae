"""How far a picture, and a network, can be trusted."""

from phosphene.evaluation.nearest import Neighbours, nearest_neighbours
from phosphene.evaluation.plausible import Plausibility, plausible

__all__ = ["Neighbours", "Plausibility", "nearest_neighbours", "plausible"]
