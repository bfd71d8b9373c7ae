"""What real pictures do to the units: top examples and statistics from one streaming pass."""

from phosphene.examples.classes import (
    MOST_MEANS,
    ClassMeans,
    LabelPredictions,
    Predictions,
    Selectivity,
)
from phosphene.examples.crops import Box, crop, seen_from
from phosphene.examples.histogram import Bins, Histograms
from phosphene.examples.moments import MOST_COMPARED, Moments
from phosphene.examples.responses import Responses, responses
from phosphene.examples.survey import NO_NUMBER, LayerSurvey, Survey
from phosphene.examples.top import TopExamples

__all__ = [
    "MOST_COMPARED",
    "MOST_MEANS",
    "NO_NUMBER",
    "Bins",
    "Box",
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
    "crop",
    "responses",
    "seen_from",
]
