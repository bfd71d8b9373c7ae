"""Questions put to a network: can it be fooled, what flips it, what does it dream?"""

from phosphene.probes.ablation import Ablation, Census, ablate, census
from phosphene.probes.caricatures import Caricature, caricature
from phosphene.probes.classes import ClassModels, class_models
from phosphene.probes.comparison import Comparison, Side, compare
from phosphene.probes.dissection import Dissection, dissect, dissect_masks
from phosphene.probes.dreaming import Dream, dream
from phosphene.probes.faceting import Facets, facets
from phosphene.probes.film import Film, Reached
from phosphene.probes.fooling import STARTS, against, fool
from phosphene.probes.imagination import Closeness, Imagined, imagine
from phosphene.probes.interpolation import Interpolation, interpolate
from phosphene.probes.inventory import LayerUnits, Units, units
from phosphene.probes.inversion import Inversion, invert
from phosphene.probes.kernels import Filters, Weights, filters, weights
from phosphene.probes.looking import Look, Seen, look
from phosphene.probes.messages import Message, hide, load_message, reveal, save_message
from phosphene.probes.mistakes import Misread, misread
from phosphene.probes.morphing import MorphDistances, morph, morph_distances
from phosphene.probes.pictured import Pictured, direction, picture
from phosphene.probes.reacting import Reactions, reactions
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
from phosphene.probes.transfers import Make, Reading, Transfer, class_pictures, shown_to, transfer

__all__ = [
    "SKETCHES",
    "STARTS",
    "Ablation",
    "Caricature",
    "Census",
    "ClassModels",
    "Closeness",
    "Comparison",
    "Dissection",
    "DrawingScores",
    "Dream",
    "Facets",
    "Family",
    "Film",
    "Filters",
    "FlipRates",
    "Flips",
    "Imagined",
    "Interpolation",
    "Inversion",
    "LayerUnits",
    "Look",
    "Make",
    "Message",
    "Misread",
    "MorphDistances",
    "Move",
    "MoveMap",
    "Pictured",
    "Reached",
    "Reactions",
    "Reading",
    "Restarts",
    "Seen",
    "Side",
    "Sketch",
    "StrokeScores",
    "Transfer",
    "Units",
    "Weights",
    "ablate",
    "against",
    "caricature",
    "census",
    "class_models",
    "class_pictures",
    "compare",
    "direction",
    "dissect",
    "dissect_masks",
    "dream",
    "facets",
    "filters",
    "flips",
    "fool",
    "hide",
    "imagine",
    "interpolate",
    "invert",
    "load_message",
    "look",
    "misread",
    "morph",
    "morph_distances",
    "move_map",
    "picture",
    "reactions",
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
