"""What real pictures do to the units: top examples and statistics from one streaming pass."""

from phosphene.survey.accumulator import Accumulator
from phosphene.survey.between import MOST_BETWEEN, Between, most_correlated
from phosphene.survey.classes import (
    MOST_MEANS,
    ClassMeans,
    LabelPredictions,
    Predictions,
    Selectivity,
)
from phosphene.survey.crops import OUTSIDE, crop, seen_from
from phosphene.survey.histogram import Bins, Histograms
from phosphene.survey.matching import UnitMatch, match_units
from phosphene.survey.moments import MOST_COMPARED, Moments
from phosphene.survey.reading import Responses, responses
from phosphene.survey.streaming import NO_NUMBER, LayerSurvey, Survey
from phosphene.survey.top import TopExamples
from phosphene.survey.tree import Tree

__all__ = [
    "MOST_BETWEEN",
    "MOST_COMPARED",
    "MOST_MEANS",
    "NO_NUMBER",
    "OUTSIDE",
    "Accumulator",
    "Between",
    "Bins",
    "ClassMeans",
    "Histograms",
    "LabelPredictions",
    "LayerSurvey",
    "Moments",
    "Predictions",
    "Responses",
    "Selectivity",
    "Survey",
    "TopExamples",
    "Tree",
    "UnitMatch",
    "crop",
    "match_units",
    "most_correlated",
    "responses",
    "seen_from",
]
