"""Pictures that a unit likes: one loop, recipes on it, and how a picture is held."""

from phosphene.maximize.choice import Choice, chosen
from phosphene.maximize.drawing import ASLEEP, Drawing, batch_size, draw, drawing_memory
from phosphene.maximize.loop import Above, Plateau, Step, Stop, ascend
from phosphene.maximize.optimizers import NormalizedGradient, Optimizer
from phosphene.maximize.recipe import Recipe, follow, on_screen, paint
from phosphene.maximize.strongest import StrongestPatch, strongest_patches
from phosphene.maximize.transparency import opacity, traced
from phosphene.maximize.usual import Usual
from phosphene.maximize.waking import LOOKS, rose

__all__ = [
    "ASLEEP",
    "LOOKS",
    "Above",
    "Choice",
    "Drawing",
    "NormalizedGradient",
    "Optimizer",
    "Plateau",
    "Recipe",
    "Step",
    "Stop",
    "StrongestPatch",
    "Usual",
    "ascend",
    "batch_size",
    "chosen",
    "draw",
    "drawing_memory",
    "follow",
    "on_screen",
    "opacity",
    "paint",
    "rose",
    "strongest_patches",
    "traced",
]
