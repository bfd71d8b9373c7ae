"""Which of some units answer to one picture, measured by the most that real ones gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from phosphene.results import Result
from phosphene.spellings import Model, Shown, network_of, picture_of
from phosphene.units import Unit
from phosphene.words import class_name, number, percent


@dataclass(frozen=True, eq=False)
class Reactions(Result):
    """What each of `units` answers to a picture, and what to the strongest of the data.

    `names` are what to call them. `read` is the class that the network reads and its probability,
    None where it has no classes.
    """

    units: tuple[Unit, ...]
    names: tuple[str, ...]
    values: tuple[float, ...]
    strongest: tuple[float, ...]
    read: tuple[str, float] | None

    @property
    def summary(self) -> str:
        """What the picture is read as, and what its units answer."""
        read = "" if self.read is None else f"Read as {self.read[0]}, {percent(self.read[1])}. "
        told = [
            f"{name} answers {number(value)} of {number(most)}"
            for name, value, most in zip(self.names, self.values, self.strongest, strict=True)
        ]
        return f"{read}Of the most that a real picture gave: {'; '.join(told)}."

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""
        return {
            "read": self.read and {"class": self.read[0], "probability": self.read[1]},
            "units": [
                {"unit": str(unit), "value": value, "strongest": most}
                for unit, value, most in zip(self.units, self.values, self.strongest, strict=True)
            ],
        }


@torch.no_grad()
def reactions(
    network: Model,
    picture: Shown,
    candidates: Sequence[Sequence[tuple[Unit, float]]],
) -> Reactions:
    """Of each group of units that answer, the one that comes nearest to its strongest answer.

    `candidates` holds the groups; with each unit stands the most it answered to real pictures.

    Raises:
        InputError, ChannelError, SizeError: the picture does not fit.
        UnknownLayerError, UnknownUnitError: with the nearest names.
    """
    network = network_of(network)
    shown = picture_of(network, picture)[None]
    layers = {network.unit(unit).layer for group in candidates for unit, _ in group}
    recording = network.record(shown, layers)
    chosen: list[tuple[Unit, float, float]] = []
    for group in candidates:
        answers = [
            (unit, float(recording[unit.layer][0, unit.index].max()), most) for unit, most in group
        ]
        # A unit whose strongest answer is below zero has no share of it.
        firing = [(value / most, unit, value, most) for unit, value, most in answers if most > 0]
        if firing and max(firing)[0] > 0:
            chosen.append(max(firing)[1:])
    read = None
    if network.classifies:
        probability, index = network.probabilities(shown)[0].max(0)
        read = class_name(network.classes, int(index)), float(probability)
    units, values, strongest = zip(*chosen, strict=True) if chosen else ((), (), ())
    names = tuple(network.called(unit) for unit in units)
    return Reactions(tuple(units), names, tuple(values), tuple(strongest), read)
