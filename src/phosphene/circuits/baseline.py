"""What a unit is when it is not there: its baseline, and what it is when it is strongly there.

Score and measurement of an edge speak of the same absence, or they do not agree: so both take one
`Baseline`, which the edges carry.
"""

from collections.abc import Collection
from dataclasses import dataclass
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset, Subset

from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.errors import InputError
from phosphene.network import Network
from phosphene.objectives import unit_maps
from phosphene.spellings import pictures_of
from phosphene.survey import LayerSurvey
from phosphene.words import plural

HIGH = 0.99
"""Raised units have the value that this share of their values over the data lie below."""

SAMPLE = 256
"""So many pictures of a dataset are looked at for what is usual and what is high."""

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
    mean, quantile = (None, None) if data is None else _of_data(network, found.name, data)
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


def baselines_of(
    network: Network, layers: Collection[str], meant: str | None, data: object = None
) -> dict[str, Baseline]:
    """The baseline of each of `layers`, "mean" or "zero", after one pass over the data.

    None means the mean where there are data, else zero. Of a dataset up to `SAMPLE` pictures are
    looked at, spread evenly over it.

    Raises:
        InputError: a mean without data, or another baseline.
    """
    if meant not in {None, "mean", "zero"}:
        raise InputError(f"a baseline {meant!r:.80} was given; give 'mean' or 'zero'")
    if data is None:
        return {layer: baseline_of(network, layer, meant or "zero") for layer in layers}
    pictures = sampled(network, data)
    named = f"mean of {plural(len(pictures), 'picture')}"
    found = {}
    for layer, (mean, high) in _seen(network, layers, pictures).items():
        values = torch.zeros_like(mean) if meant == "zero" else mean
        found[layer] = Baseline("zero" if meant == "zero" else named, values, high)
    return found


def sampled(network: Network, data: object, most: int = SAMPLE) -> Float[Tensor, "b c h w"]:
    """Pictures in any spelling as they are; of a dataset so many at most, evenly spread."""
    if not isinstance(data, Dataset):
        return pictures_of(network, data)
    count = length(data)
    chosen = [i * count // min(most, count) for i in range(min(most, count))]
    kept = [batch.pictures for batch in batches(Subset(data, chosen)) if len(batch.pictures)]
    if not kept:
        raise InputError("none of the pictures of the data could be read; give others")
    return torch.cat(kept)


def _of_data(network: Network, layer: str, data: object) -> tuple[Tensor, Tensor | None]:
    """Mean and 99 % quantile of each unit over all places of the data."""
    if not isinstance(data, LayerSurvey):
        return _seen(network, [layer], sampled(network, data))[layer]
    if data.layer.name != layer:
        raise InputError(
            f"a survey of layer {data.layer.name!r} was given for the means of {layer!r}; "
            "give that of the layer that edges come from"
        )
    return data.moments.mean.float(), None


@torch.no_grad()
def _seen(
    network: Network, layers: Collection[str], pictures: Float[Tensor, "b c h w"]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean and 99 % quantile of each unit of some layers over all places of pictures."""
    parts = [
        {layer: _by_unit(values) for layer, values in network.record(some, layers).items()}
        for some in pictures.split(_TOGETHER)
    ]
    found = {}
    for layer in layers:
        values = torch.cat([part[layer] for part in parts], dim=1)
        below = ceil(HIGH * values.shape[1])
        found[layer] = values.double().mean(1).float(), values.kthvalue(below, dim=1).values
    return found


def _by_unit(values: Tensor) -> Float[Tensor, "units places"]:
    return unit_maps(values).transpose(0, 1).flatten(1)


def _each(values: Tensor, units: int, what: str) -> Tensor:
    if values.shape != (units,) or not values.isfinite().all():
        raise InputError(
            f"{what} of shape {tuple(values.shape)} were given; expected a finite number for each "
            f"of {units} units"
        )
    return values.float()
