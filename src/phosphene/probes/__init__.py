"""Questions put to a network: can it be fooled, what flips it, does it carry over?"""

from phosphene.probes.ablation import Ablation, Census, ablate, census
from phosphene.probes.film import Film, Reached
from phosphene.probes.fooling import against, fool
from phosphene.probes.morph import MorphDistances, morph, morph_distances
from phosphene.probes.restarts import Restarts, restart
from phosphene.probes.shift import (
    Family,
    Flips,
    Move,
    MoveMap,
    flips,
    move_map,
    rotations,
    scalings,
    shifts,
)
from phosphene.probes.transfer import Reading, Transfer, class_pictures, shown_to, transfer

__all__ = [
    "Ablation",
    "Census",
    "Family",
    "Film",
    "Flips",
    "MorphDistances",
    "Move",
    "MoveMap",
    "Reached",
    "Reading",
    "Restarts",
    "Transfer",
    "ablate",
    "against",
    "census",
    "class_pictures",
    "flips",
    "fool",
    "morph",
    "morph_distances",
    "move_map",
    "restart",
    "rotations",
    "scalings",
    "shifts",
    "shown_to",
    "transfer",
]
