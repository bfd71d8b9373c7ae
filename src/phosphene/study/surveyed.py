"""What an atlas keeps of what a pass over the data has seen."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from phosphene.atlas import UnitRecord
from phosphene.network import Layer
from phosphene.study.alike import Correlations
from phosphene.study.plan import Study
from phosphene.survey import MOST_BETWEEN, LabelPredictions, LayerSurvey, Survey

MOST_PROFILED = 2**22
"""Units times classes: of a layer with more an atlas has no class means, 80 MB of text and more."""


MEMBERS = 3
"""Of fewer pictures of a class, on average, no unit is said to prefer one."""


def _profiled(found: LayerSurvey) -> bool:
    return found.layer.units * len(found.classes.counts) <= MOST_PROFILED


def left_out(survey: Survey, layer: Layer) -> list[str]:
    """What is not known or not kept of a layer with very many units, in words."""
    found = survey.layers[layer.name]
    said = list(found.left_out)
    after = _after(survey, layer)
    if after is not None and layer.name not in survey.next:
        said.append(
            f"Its units were not compared with those of {after.name}: {layer.units:,} and "
            f"{after.units:,} make more than {MOST_BETWEEN:,} pairs."
        )
    if found.classes.kept and not _profiled(found) and found.classes.counts.any():
        said.append(
            f"Mean responses to each class were not kept: {layer.units:,} units and "
            f"{survey.classes:,} classes make more than {MOST_PROFILED:,} numbers."
        )
    return said


def _after(survey: Survey, layer: Layer) -> Layer | None:
    """The layer after one of those that were surveyed."""
    names = list(survey.layers)
    following = names[names.index(layer.name) + 1 :]
    return survey.layers[following[0]].layer if following else None


def unit_records(
    study: Study, layer: Layer, found: LayerSurvey, count: int, alike: Mapping[str, Correlations]
) -> Iterator[UnitRecord]:
    weights = _weight_pictures(study, layer)
    profiled = _profiled(found) and bool(found.classes.counts.any())
    means = found.classes.means if profiled else None
    counts = found.classes.counts
    comparable = int(counts.sum()) >= MEMBERS * int((counts > 0).sum())
    selectivity, deviation = found.classes.selectivity, found.moments.deviation
    twins = found.moments.twins() if found.moments.compared else [None] * layer.units
    for unit in range(layer.units):
        bins, twin = found.histograms.bins(unit), twins[unit]
        preferred = int(selectivity.preferred[unit]) if comparable else -1
        yield UnitRecord(
            layer=layer.name,
            unit=unit,
            firing_rate=int(found.firing[unit]) / count,
            mean=float(found.moments.mean[unit]),
            deviation=float(deviation[unit]),
            maximum=float(found.top.strongest[unit]),
            histogram_counts=bins.counts,
            histogram_low=bins.low,
            histogram_width=bins.width,
            class_means=() if means is None else tuple(means[:, unit].tolist()),
            preferred_class=preferred if preferred >= 0 else None,
            selectivity=float(selectivity.degree[unit]) if preferred >= 0 else None,
            twin=None if twin is None else twin[0],
            twin_correlation=None if twin is None else twin[1],
            weights=None if weights is None else weights[unit].numpy(),
            correlated={name: found_in[unit] for name, found_in in alike.items()},
        )


def _weight_pictures(study: Study, layer: Layer) -> Tensor | None:
    """The layer's weights as `units c h w`, where they look at the picture or at one map each."""
    weights = study.network.weights(layer.name)
    if weights is None:
        return None
    weights = weights.float().cpu()
    first = next(found for found in study.network.layers.values() if found.weights is not None)
    input, looks = study.network.input, layer.weights == first.weights
    on_input = looks and weights.ndim == 4 and weights.shape[1] == input.channels
    if on_input:
        return input.as_pictures(weights)
    if weights.ndim == 4 and weights.shape[1] in {1, 3}:
        return weights
    if looks and weights[0].numel() == np.prod(input.shape):
        return input.as_pictures(weights.reshape(-1, *input.shape))
    return None


def labels_found(found: LabelPredictions) -> dict[str, Any]:
    return {
        "count": found.count,
        "right": found.right,
        "held": found.held.tolist(),
        "found": found.found.tolist(),
        "both": found.both.tolist(),
    }


def evaluation(survey: Survey, classes: int) -> dict[str, Any]:
    predictions = survey.predictions
    assert predictions is not None
    confused = ("true", "predicted", "count")
    return {
        "count": predictions.count,
        "accuracy": predictions.accuracy,
        "top5": predictions.top5 if classes > 10 else None,
        "confusion": predictions.confusion.tolist() if classes <= 100 else None,
        "most_confused": [
            dict(zip(confused, entry, strict=True)) for entry in predictions.most_confused()
        ],
        "examples": predictions.examples,
        "errors": predictions.errors,
    }
