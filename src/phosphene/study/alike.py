"""The units that each unit correlates with most, in its own layer and in those beside it."""

from torch import Tensor

from phosphene.atlas import Correlated
from phosphene.survey import Survey, most_correlated
from phosphene.words import rounded

MOST = 5
"""So many of each layer are kept for a unit."""

Correlations = list[tuple[Correlated, ...]]
"""Of each unit of a layer those that correlate with it most, the strongest first."""


def correlated(survey: Survey, name: str) -> dict[str, Correlations]:
    """By layers, what the units of one correlate with most there, of what was compared."""
    found: dict[str, Correlations] = {}
    moments = survey.layers[name].moments
    if moments.compared:
        own = moments.correlation
        own.fill_diagonal_(-1.0)
        found[name] = _most(own)
    for before, after in survey.next.items():
        if after == name:
            found[before] = _most(survey.between[before].correlation.T)
        if before == name:
            found[after] = _most(survey.between[before].correlation)
    return found


def _most(correlation: Tensor) -> Correlations:
    return [
        tuple(Correlated(unit, rounded(value)) for unit, value in some)
        for some in most_correlated(correlation, MOST)
    ]
