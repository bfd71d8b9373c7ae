"""A circuit as it was found: the units that keep a target's response, and how well."""

from dataclasses import dataclass, field
from math import isnan
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.circuits.alone import holding
from phosphene.circuits.baseline import Baseline
from phosphene.circuits.sets import Kept
from phosphene.errors import InputError
from phosphene.network import Network
from phosphene.objectives import Term
from phosphene.results import Result
from phosphene.units import Unit
from phosphene.words import number, percent, plural


@dataclass(frozen=True, eq=False)
class Circuit(Result):
    """For each of b pictures the units that a target's response needs, and what they keep of it.

    m is the target's value, and m(C) what it is where all units but those of C have their
    baseline. A set's **faithfulness** is

        f(C) = (m(C) - m(nothing)) / (m(whole) - m(nothing)),

    so that f(nothing) = 0 and f(whole) = 1. Between them it may be more than 1, where units that
    hold the target down are still missing, or less than 0.

    Args:
        network, pictures: what was shown to which network.
        term: the target as it is measured: a unit at its strongest place, before its rectifier.
        sources: the layers whose units are counted, one layer's after the other's.
        baselines: what a unit of each of them is when it is not there.
        keep: the faithfulness that was asked for.
        order: how units were put in order, see `circuit`.
        values: m(whole), per picture.
        without: m(nothing).
        ranking: all units, by number, in the order in which they joined.
        curve: the faithfulness of the first n of these, for n from none to all, as it was measured.
        sizes: the least n whose faithfulness is at least `keep`: the circuit. All units where there
            is nothing to keep, for the layers make no difference to the target.
        left: the faithfulness of all units but the circuit's: near 0 where nothing else does the
            same, near 1 where it has stand-ins (completeness).
        remarks: what is to be known of how the target was found.
    """

    network: Network = field(repr=False)
    pictures: Float[Tensor, "b c h w"]
    term: Term
    sources: tuple[str, ...]
    baselines: tuple[Baseline, ...]
    keep: float
    order: str
    values: Float[Tensor, "b"]
    without: Float[Tensor, "b"]
    ranking: Int[Tensor, "b units"]
    curve: Float[Tensor, "b sizes"]
    sizes: Int[Tensor, "b"]
    left: Float[Tensor, "b"]
    remarks: tuple[str, ...] = ()

    @property
    def faithfulness(self) -> Float[Tensor, "b"]:
        """What each picture's circuit keeps of the response."""
        return self.curve.gather(1, self.sizes[:, None])[:, 0]

    @property
    def cpr(self) -> Float[Tensor, "b"]:
        """The mean of f over all sizes (circuit performance ratio): the larger the better."""
        return _mean_over_sizes(self.curve)

    @property
    def cmd(self) -> Float[Tensor, "b"]:
        """The mean of |1 - f| over all sizes (circuit-model distance): the smaller the better."""
        return _mean_over_sizes((1 - self.curve).abs())

    @property
    def kept(self) -> Kept:
        """Which units are the circuit of each picture, b x units."""
        return first(self.ranking, self.sizes)

    def units(self, picture: int = 0) -> list[Unit]:
        """A picture's circuit in the order in which its units joined."""
        chosen = self.ranking[self._one(picture), : int(self.sizes[picture])].tolist()
        return [self._unit(number) for number in chosen]

    def alone(self, picture: int = 0) -> Network:
        """A picture's circuit as a network of its own, to look at with everything else.

        It is a copy whose layers have the same names. In the layers of `sources` all units but the
        circuit's have their baseline, on whatever picture. Connections that lead around these
        layers are no units of theirs and stay.

        Raises:
            NetworkError: the module cannot be copied.
            InputError: there is no such picture.
        """
        kept = self.kept[self._one(picture)].split([len(one.values) for one in self.baselines])
        absent = [one.values for one in self.baselines]
        held = dict(zip(self.sources, zip(kept, absent, strict=True), strict=True))
        term, count = self.term.take([picture]), plural(int(self.sizes[picture]), "unit")
        name = f"{self.network.name}, {count} for {term}"
        return holding(self.network, held, name)

    def _one(self, picture: int) -> int:
        if not 0 <= picture < len(self.sizes):
            raise InputError(
                f"the circuit of picture {picture} was asked for; there are those of pictures 0 to "
                f"{len(self.sizes) - 1}"
            )
        return picture

    def _unit(self, number: int) -> Unit:
        for layer, baseline in zip(self.sources, self.baselines, strict=True):
            if number < len(baseline.values):
                return Unit(layer, number)
            number -= len(baseline.values)
        raise AssertionError("a number of a unit is below how many there are")

    @property
    def summary(self) -> str:
        """How small the circuits are, what the first one's units are, and what else does it."""
        count, all_ = int(self.sizes[0]), self.ranking.shape[1]
        units = [str(unit) for unit in self.units()[:6]]
        more = f" and {count - 6} more" if count > 6 else ""
        told = [
            f"{', '.join(self.sources)} -> {self.term.take([0])}: "
            f"{count} of {plural(all_, 'unit')} keep "
            f"{_share(self.faithfulness[0])} of {number(float(self.values[0]))} on the first of "
            f"{plural(len(self.sizes), 'picture')} ({self.order} order, over the "
            f"{self.baselines[0].name} baseline)",
            f"they are {', '.join(units)}{more}; without them {_share(self.left[0])} is left",
        ]
        if len(self.sizes) > 1:
            median = number(float(self.sizes.double().quantile(0.5)))
            told.append(f"the median over pictures is {median} units")
        return ". ".join((*told, *self.remarks)) + "."

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; a number that is none is null."""
        tensors = ("values", "without", "ranking", "curve", "sizes", "left", "cpr", "cmd")
        return {
            "network": self.network.name,
            "sources": list(self.sources),
            "target": self.term.to_json(),
            "keep": self.keep,
            "order": self.order,
            "baselines": [
                {"name": one.name, "values": one.values.tolist()} for one in self.baselines
            ],
            "units": [[str(u) for u in self.units(i)] for i in range(len(self.sizes))],
            "faithfulness": _plain(self.faithfulness),
            "remarks": list(self.remarks),
        } | {name: _plain(getattr(self, name)) for name in tensors}


def first(ranking: Int[Tensor, "b units"], sizes: Int[Tensor, "b"]) -> Kept:
    """The first units of each ranking, so many of each, as masks."""
    places = ranking.argsort(dim=1)
    return places < sizes[:, None]


def _share(value: Float[Tensor, ""]) -> str:
    return "nothing" if value.isnan() else percent(float(value))


def _mean_over_sizes(values: Float[Tensor, "b sizes"]) -> Float[Tensor, "b"]:
    return torch.trapezoid(values, dim=1) / (values.shape[1] - 1)


def _plain(values: Tensor) -> list[Any]:
    """Numbers for JSON, null in the place of NaN."""
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [None if isnan(value) else value for value in values.tolist()]
