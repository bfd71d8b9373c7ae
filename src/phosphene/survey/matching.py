"""Units of a layer of one network matched to units of a layer of another by their correlation."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor
from torch.utils.data import Dataset, TensorDataset

from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.errors import DataError
from phosphene.progress import tell, telling
from phosphene.results import Result
from phosphene.spellings import Model, network_of
from phosphene.streams import derived
from phosphene.survey.moments import MOST_COMPARED, unchanging
from phosphene.survey.reading import responses
from phosphene.words import number, percent, plural

CHANCE = 0.01
"""The share of pairs that are as strong by chance as the bound which is told."""

FEWEST = 3
"""Two pictures always correlate, at 1 or -1."""


@dataclass(frozen=True, eq=False)
class UnitMatch(Result):
    """Units of one layer, each with one unit of the other, so that their correlations sum to most.

    `pairs` are the strongest first, a unit of the first layer and one of the second, and
    `correlation` is Pearson's of their responses: the largest value over all positions, picture
    by picture. `null` holds, for each draw, what the same matching finds where the pictures of
    the second are permuted, the strongest first. Units whose response is the same to all
    pictures have no correlation; they are `constant`, of either layer, and in no pair.
    """

    networks: tuple[str, str]
    layers: tuple[str, str]
    units: tuple[int, int]
    pictures: int
    constant: tuple[tuple[int, ...], tuple[int, ...]]
    pairs: Int[Tensor, "k 2"]
    correlation: Float[Tensor, "k"]
    null: Float[Tensor, "draws k"]

    @cached_property
    def bound(self) -> float | None:
        """What 99 % of the pairs stay below by chance; None where there are no pairs."""
        values = self.null.flatten()
        return float(values.quantile(1 - CHANCE)) if len(values) else None

    @property
    def above(self) -> Bool[Tensor, "k"]:
        """Whether each pair is beyond that."""
        return self.correlation > (0.0 if self.bound is None else self.bound)

    @property
    def summary(self) -> str:
        """How many pairs are beyond chance, how strong they are, and what is in no pair."""
        first, second = (
            f"{layer} of {network}"
            for layer, network in zip(self.layers, self.networks, strict=True)
        )
        said = [f"{first} and {second}, by {plural(self.pictures, 'picture')}:"]
        if self.bound is None:
            said.append("no units to be matched.")
        else:
            middle = float(self.correlation.median())
            said.append(
                f"{int(self.above.sum()):,} of {plural(len(self.pairs), 'pair')} correlate beyond "
                f"{number(self.bound)}, as {percent(CHANCE)} do by chance; the strongest at "
                f"{number(float(self.correlation[0]))}, half of them at {number(middle)} or more."
            )
        said += [
            f"{plural(len(units), 'unit')} of {name} never change{'s' * (len(units) == 1)} and "
            f"{'is' if len(units) == 1 else 'are'} not matched."
            for units, name in zip(self.constant, (first, second), strict=True)
            if units
        ]
        return " ".join(said)

    def to_json(self) -> dict[str, Any]:
        """Pairs with their correlations, and what the null comes to, as plain values."""
        some = self.null.numel() > 0
        return {
            "networks": list(self.networks),
            "layers": list(self.layers),
            "units": list(self.units),
            "pictures": self.pictures,
            "constant": [list(units) for units in self.constant],
            "pairs": self.pairs.tolist(),
            "correlation": self.correlation.tolist(),
            "null": {
                "draws": len(self.null),
                "mean": float(self.null.mean()) if some else None,
                "bound": self.bound,
                "strongest": float(self.null.max()) if some else None,
            },
        }


@telling("matching units")
def match_units(
    network: Model,
    layer: str,
    other: Model,
    other_layer: str,
    pictures: Dataset[Any] | Tensor,
    *,
    other_pictures: Dataset[Any] | Tensor | None = None,
    draws: int = 10,
    seed: int = 0,
) -> UnitMatch:
    """Match units of two layers one to one, so that the sum of their correlations is the largest.

    Two layers need not have the same positions, so what is correlated is each unit's response to
    a picture, the largest value over all of them, as a `Survey` has it. `pictures` are a dataset
    or `n c h w` in [0, 1]. Where `other` takes another size or other channels, `other_pictures`
    are the same pictures, in the same order, as it takes them. What either cannot read, or
    answers to with NaN or infinity, is left out for both.

    By chance alone some pairs of many correlate: `draws` times the pictures of the second are
    permuted and the units matched again. Memory grows with pictures times units and with the
    product of both layers' units.

    Raises:
        UnknownLayerError: a network has no such layer.
        DataError: fewer than three pictures, not as many of either, or layers of more than 4,096
            units, as no two of so many are compared.
        ChannelError, SizeError: pictures that do not fit a network; give `other_pictures`.

    *Source:* Li, Yosinski, Clune, Lipson & Hopcroft 2015, "Convergent learning" (arXiv
    1511.07543), sec. 3.1, bipartite matching; there the activations of all positions are
    correlated, as both layers have the same.

    >>> from torch import nn
    >>> from phosphene import Input, Network
    >>> one, other = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3, bias=False)
    >>> _ = other.weight.data.copy_(one.weight.data[[2, 0, 3, 1]])
    >>> networks = [Network(nn.Sequential(each), Input(1, (8, 8))) for each in (one, other)]
    >>> match = match_units(networks[0], "0", networks[1], "0", torch.rand(50, 1, 8, 8))
    >>> sorted(match.pairs.tolist())
    [[0, 1], [1, 3], [2, 0], [3, 2]]
    """
    one = _Side(network, layer, pictures)
    two = _Side(other, other_layer, pictures if other_pictures is None else other_pictures)
    _require_alike(one, two)
    total = 2 * one.count + draws
    read, beside = one.responses(0, total), two.responses(one.count, total)
    both = torch.isin(read.indices, beside.indices), torch.isin(beside.indices, read.indices)
    count = int(both[0].sum())
    if count < FEWEST:
        raise DataError(
            f"{plural(count, 'picture')} can be read by both networks; units are matched by "
            f"{FEWEST} or more, and hundreds are needed to tell much"
        )
    first, second = _Scaled.of(read.values[both[0]]), _Scaled.of(beside.values[both[1]])
    pairs, correlation = _matched(first.values, second.values)
    null = []
    for draw in range(draws):
        generator = Generator().manual_seed(derived(seed, "permuted", draw))
        permuted = second.values[torch.randperm(count, generator=generator)]
        null.append(_matched(first.values, permuted)[1])
        tell(2 * one.count + draw + 1, total)
    return UnitMatch(
        networks=(one.network.name, two.network.name),
        layers=(one.layer.name, two.layer.name),
        units=(one.layer.units, two.layer.units),
        pictures=count,
        constant=(first.constant, second.constant),
        pairs=torch.stack([first.moving[pairs[:, 0]], second.moving[pairs[:, 1]]], dim=1),
        correlation=correlation,
        null=torch.stack(null) if null else torch.zeros(0, len(pairs), dtype=torch.double),
    )


class _Answers(NamedTuple):
    """The response of every unit to every picture that could be read, and their numbers."""

    indices: Int[Tensor, "n"]
    values: Float[Tensor, "n units"]


class _Side:
    """A layer of a network, and the pictures as it takes them."""

    def __init__(self, model: Model, layer: str, pictures: Dataset[Any] | Tensor) -> None:
        self.network = network_of(model)
        self.layer = self.network.layer(layer)
        self.data = TensorDataset(pictures) if isinstance(pictures, Tensor) else pictures
        self.count = length(self.data)

    @torch.no_grad()
    def responses(self, done: int, total: int) -> _Answers:
        """What the layer answers, told from `done` on; what it answers NaN to is left out."""
        indices, values = [torch.zeros(0, dtype=torch.long)], [torch.zeros(0, self.layer.units)]
        for batch in batches(self.data):
            if len(batch.indices):
                recording = self.network.record(batch.pictures, [self.layer.name])
                found = responses(recording[self.layer.name]).values.float().cpu()
                fine = found.isfinite().all(1)
                indices.append(batch.indices[fine])
                values.append(found[fine])
            done += len(batch.indices) + len(batch.skipped)
            tell(done, total)
        return _Answers(torch.cat(indices), torch.cat(values))


@dataclass(frozen=True, eq=False)
class _Scaled:
    """Responses with mean 0 and norm 1 over the pictures, of the units that change: `moving`."""

    values: Float[Tensor, "n k"]
    moving: Int[Tensor, "k"]
    constant: tuple[int, ...]

    @classmethod
    def of(cls, values: Float[Tensor, "n units"]) -> "_Scaled":
        values = values.double()
        mean = values.mean(0)
        centred = values - mean
        constant = unchanging(mean, centred.square().mean(0).sqrt())
        moving = (~constant).nonzero()[:, 0]
        kept = centred[:, moving]
        return cls(kept / kept.norm(dim=0), moving, tuple(constant.nonzero()[:, 0].tolist()))


def _require_alike(one: _Side, two: _Side) -> None:
    if one.count != two.count:
        raise DataError(
            f"{plural(one.count, 'picture')} for {one.network.name} and {two.count:,} for "
            f"{two.network.name}; give the same ones to both, as each of them takes them"
        )
    for side in (one, two):
        if side.layer.units > MOST_COMPARED:
            raise DataError(
                f"{side.layer.name} of {side.network.name} has {side.layer.units:,} units; at most "
                f"{MOST_COMPARED:,} are matched, choose a layer with fewer"
            )


def _matched(
    one: Float[Tensor, "n k"], two: Float[Tensor, "n m"]
) -> tuple[Int[Tensor, "pairs 2"], Float[Tensor, "pairs"]]:
    """Columns matched one to one so that their products sum to most, the strongest pair first."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow to import

    correlation = (one.T @ two).clamp(-1, 1)
    rows, columns = linear_sum_assignment(correlation.numpy(), maximize=True)
    pairs = torch.stack([torch.from_numpy(rows), torch.from_numpy(columns)], dim=1)
    values, order = correlation[rows, columns].sort(descending=True, stable=True)
    return pairs[order], values
