"""What a unit is when it is not there: its baseline, and what it is when it is strongly there.

Score and measurement of an edge speak of the same absence, or they do not agree: so both take one
`Baseline`, which the edges carry.
"""

from dataclasses import dataclass
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import InputError
from phosphene.network import Network
from phosphene.objectives import unit_maps
from phosphene.spellings import pictures_of
from phosphene.survey import LayerSurvey

HIGH = 0.99
"""Raised units have the value that this share of their values over the data lie below."""

_TOGETHER = 64  # pictures


@dataclass(frozen=True, eq=False)
class Baseline:
    """A value for each unit of a layer, at all its places.

    `name` says where the values come from. `high` is what units are raised to: their 99 % quantile
    over places and pictures of the data; None where no data were looked at.
    """

    name: str
    values: Float[Tensor, "units"]
    high: Float[Tensor, "units"] | None = None


def baseline_of(
    network: Network, layer: str, meant: object, data: object = None, high: Tensor | None = None
) -> Baseline:
    """The baseline that is meant by "mean", "zero", a value for each unit, or a `Baseline`.

    `data`, pictures or the survey of the layer, have the mean and what units are raised to; of a
    survey, which keeps no values, there is the mean alone. `high` goes before the data's.

    Raises:
        InputError: a mean without data, a survey of another layer, numbers that are not one for
            each unit.
    """
    if isinstance(meant, Baseline):
        return meant
    found = network.layer(layer)
    mean, quantile = (None, None) if data is None else _seen(network, found.name, data)
    raised = quantile if high is None else _each(high, found.units, "high values")
    if isinstance(meant, Tensor):
        return Baseline("given", _each(meant, found.units, "baseline values"), raised)
    if meant == "zero":
        return Baseline("zero", torch.zeros(found.units), raised)
    if meant != "mean":
        raise InputError(
            f"a baseline {meant!r:.80} was given; give 'mean', 'zero', or a tensor with a value "
            f"for each of the {found.units} units of layer {found.name!r}"
        )
    if mean is None:
        raise InputError(
            f"the mean of layer {found.name!r} was asked for, and no data; give data=, pictures or "
            "the survey of the layer, or baseline='zero'"
        )
    return Baseline("mean", mean, raised)


def _seen(network: Network, layer: str, data: object) -> tuple[Tensor, Tensor | None]:
    """Mean and 99 % quantile of each unit over all places of the data."""
    if isinstance(data, LayerSurvey):
        if data.layer.name != layer:
            raise InputError(
                f"a survey of layer {data.layer.name!r} was given for the means of {layer!r}; "
                "give that of the layer that edges come from"
            )
        return data.moments.mean.float(), None
    pictures = pictures_of(network, data)
    with torch.no_grad():
        parts = [network.record(some, [layer])[layer] for some in pictures.split(_TOGETHER)]
    values = torch.cat([unit_maps(part).transpose(0, 1).flatten(1) for part in parts], dim=1)
    below = ceil(HIGH * values.shape[1])
    return values.double().mean(1).float(), values.kthvalue(below, dim=1).values


def _each(values: Tensor, units: int, what: str) -> Tensor:
    if values.shape != (units,) or not values.isfinite().all():
        raise InputError(
            f"{what} of shape {tuple(values.shape)} were given; expected a finite number for each "
            f"of {units} units"
        )
    return values.float()
