"""Questions put to a network: can it be fooled, what flips it, does it carry over?"""

from phosphene.probes.ablation import Ablation, Census, ablate, census
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

__all__ = [
    "Ablation",
    "Census",
    "Family",
    "Flips",
    "Move",
    "MoveMap",
    "ablate",
    "census",
    "flips",
    "move_map",
    "rotations",
    "scalings",
    "shifts",
]
