"""What a picture is asked to be: objectives as values, always maximised."""

from phosphene.objectives.algebra import Combination, Term
from phosphene.objectives.along import Along
from phosphene.objectives.blend import Blend
from phosphene.objectives.diversity import Diversity
from phosphene.objectives.likeness import Likeness, RelativeError, Values
from phosphene.objectives.penalties import L1, L2, Penalty, TotalVariation
from phosphene.objectives.terms import (
    Channel,
    Direction,
    Energy,
    Logit,
    LogProbability,
    Neuron,
    Norm,
    PerImage,
    Probability,
    at_places,
    of_unit,
    unit_maps,
)
from phosphene.objectives.usual import Outstanding, Unfamiliar, Unusual

__all__ = [
    "L1",
    "L2",
    "Along",
    "Blend",
    "Channel",
    "Combination",
    "Direction",
    "Diversity",
    "Energy",
    "Likeness",
    "LogProbability",
    "Logit",
    "Neuron",
    "Norm",
    "Outstanding",
    "Penalty",
    "PerImage",
    "Probability",
    "RelativeError",
    "Term",
    "TotalVariation",
    "Unfamiliar",
    "Unusual",
    "Values",
    "at_places",
    "of_unit",
    "unit_maps",
]
