"""Pictures that a unit likes: one loop, and recipes on it."""

from phosphene.maximize.draw import Drawing, Recipe, batch_size, draw
from phosphene.maximize.loop import Above, Plateau, Step, Stop, ascend
from phosphene.maximize.optimizers import NormalizedGradient, Optimizer

__all__ = [
    "Above",
    "Drawing",
    "NormalizedGradient",
    "Optimizer",
    "Plateau",
    "Recipe",
    "Step",
    "Stop",
    "ascend",
    "batch_size",
    "draw",
]
