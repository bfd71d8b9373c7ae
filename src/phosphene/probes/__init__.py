"""Questions put to a network: can it be fooled, what flips it, does it carry over?"""

from phosphene.probes.ablation import Ablation, Census, ablate, census
from phosphene.probes.compare import Comparison, Side, compare
from phosphene.probes.dissect import Dissection, dissect, dissect_masks
from phosphene.probes.film import Film, Reached
from phosphene.probes.fooling import STARTS, against, fool
from phosphene.probes.imagine import Closeness, Imagined, imagine
from phosphene.probes.look import Look, look
from phosphene.probes.messages import Message, hide, load_message, reveal, save_message
from phosphene.probes.misread import Misread, misread
from phosphene.probes.morph import MorphDistances, morph, morph_distances
from phosphene.probes.restarts import Restarts, restart
from phosphene.probes.shift import (
    Family,
    FlipRates,
    Flips,
    Move,
    MoveMap,
    flips,
    move_map,
    rotations,
    scalings,
    shifts,
)
from phosphene.probes.strokes import (
    SKETCHES,
    DrawingScores,
    Sketch,
    StrokeScores,
    read_drawing,
    read_strokes,
)
from phosphene.probes.transfer import Make, Reading, Transfer, class_pictures, shown_to, transfer
from phosphene.probes.units import LayerUnits, Units, units
from phosphene.probes.weights import Weights, weights

__all__ = [
    "SKETCHES",
    "STARTS",
    "Ablation",
    "Census",
    "Closeness",
    "Comparison",
    "Dissection",
    "DrawingScores",
    "Family",
    "Film",
    "FlipRates",
    "Flips",
    "Imagined",
    "LayerUnits",
    "Look",
    "Make",
    "Message",
    "Misread",
    "MorphDistances",
    "Move",
    "MoveMap",
    "Reached",
    "Reading",
    "Restarts",
    "Side",
    "Sketch",
    "StrokeScores",
    "Transfer",
    "Units",
    "Weights",
    "ablate",
    "against",
    "census",
    "class_pictures",
    "compare",
    "dissect",
    "dissect_masks",
    "flips",
    "fool",
    "hide",
    "imagine",
    "load_message",
    "look",
    "misread",
    "morph",
    "morph_distances",
    "move_map",
    "read_drawing",
    "read_strokes",
    "restart",
    "reveal",
    "rotations",
    "save_message",
    "scalings",
    "shifts",
    "shown_to",
    "transfer",
    "units",
    "weights",
]
