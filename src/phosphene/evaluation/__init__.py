"""How far a picture can be trusted."""

from phosphene.evaluation.nearest import Neighbours, nearest_neighbours

__all__ = ["Neighbours", "nearest_neighbours"]
