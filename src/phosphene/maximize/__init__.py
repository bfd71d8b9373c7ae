"""Pictures that a unit likes: one loop, and recipes on it."""

from phosphene.maximize.caricature import Caricature, caricature
from phosphene.maximize.choice import Choice, chosen
from phosphene.maximize.classes import ClassModels, class_models
from phosphene.maximize.confirm import Confirmed, confirm
from phosphene.maximize.draw import Drawing, batch_size, draw
from phosphene.maximize.dream import Dream, dream
from phosphene.maximize.facets import Facets, facets
from phosphene.maximize.interpolate import Interpolation, interpolate
from phosphene.maximize.inversion import Inversion, invert
from phosphene.maximize.loop import Above, Plateau, Step, Stop, ascend
from phosphene.maximize.optimizers import NormalizedGradient, Optimizer
from phosphene.maximize.pictured import Pictured, direction, picture
from phosphene.maximize.recipe import Recipe, follow, on_screen, paint
from phosphene.maximize.strongest import StrongestPatch, strongest_patches
from phosphene.maximize.transparency import opacity, traced
from phosphene.maximize.usual import Usual

__all__ = [
    "Above",
    "Caricature",
    "Choice",
    "ClassModels",
    "Confirmed",
    "Drawing",
    "Dream",
    "Facets",
    "Interpolation",
    "Inversion",
    "NormalizedGradient",
    "Optimizer",
    "Pictured",
    "Plateau",
    "Recipe",
    "Step",
    "Stop",
    "StrongestPatch",
    "Usual",
    "ascend",
    "batch_size",
    "caricature",
    "chosen",
    "class_models",
    "confirm",
    "direction",
    "draw",
    "dream",
    "facets",
    "follow",
    "interpolate",
    "invert",
    "on_screen",
    "opacity",
    "paint",
    "picture",
    "strongest_patches",
    "traced",
]
