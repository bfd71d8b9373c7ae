"""Which units could go? Count those that never fire or repeat others, and switch them off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset

from phosphene.data import batches
from phosphene.errors import DataError
from phosphene.network import Group, Network
from phosphene.probes import options
from phosphene.probes.ablation import Ablation, Census, ablate, census
from phosphene.probes.question import UNITS, Question
from phosphene.probes.subject import Subject
from phosphene.progress import tell, telling
from phosphene.results import Result
from phosphene.spellings import Model, layers_of, network_of
from phosphene.survey import Survey
from phosphene.words import percent, plural


@dataclass(frozen=True, eq=False)
class LayerUnits:
    """A layer's census, and what its units cost when they are switched off.

    `each` switches off every unit by itself; `groups` those that seem to be of no use: all silent
    units, each set of near-duplicates, and of all these sets everything but the first unit.
    """

    census: Census
    each: Ablation
    groups: Ablation
    names: tuple[str, ...]

    @property
    def summary(self) -> str:
        """How many are silent and redundant, and what it costs to do without them."""
        found, (group, lost) = self.census, self.each.ranked()[0]
        told = f"{found.layer}: of {plural(found.units, 'unit')} {len(found.silent)} never fire"
        if found.duplicates:
            repeats = sum(len(same) for same in found.duplicates)
            told += (
                f", and {repeats} repeat each other in {plural(len(found.duplicates), 'group')}, "
                f"so that {found.redundant} could go"
            )
        else:
            told += ", and none repeats another"
        told += f". Read right with all at work: {percent(self.each.accuracy, 2)}"
        without = dict(zip(self.names, self.groups.accuracy_without.tolist(), strict=True))
        for name in SPARE:
            if name in without:
                told += f"; without {name}: {percent(without[name], 2)}"
        left = percent(self.each.accuracy - lost, 2)
        return f"{told}; without unit {group[0]}, the dearest: {left}."

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **self.census.to_json(),
            "accuracy": self.each.accuracy,
            "without_unit": self.each.accuracy_without.tolist(),
            "without": dict(zip(self.names, self.groups.accuracy_without.tolist(), strict=True)),
        }


SPARE = ("the silent units", "the redundant units")


@dataclass(frozen=True, eq=False)
class Units(Result):
    """What is known of the units of several layers as members of the network."""

    network: str
    layers: tuple[LayerUnits, ...]

    @property
    def count(self) -> int:
        """How many pictures were read."""
        return self.layers[0].each.count

    @property
    def summary(self) -> str:
        """A sentence for each layer."""
        return "\n".join(layer.summary for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"network": self.network, "layers": [layer.to_json() for layer in self.layers]}


@telling("taking stock of units")
def units(
    network: Model,
    dataset: Dataset[Any],
    layers: str | Sequence[str] | None = None,
    *,
    threshold: float = 0.95,
) -> Units:
    """Take stock of `layers` (by default all that a study looks at, but for the logits).

    Two units repeat each other when their values correlate beyond `threshold`. One pass over the
    data gathers what they do, then one for each layer reads it with units switched off, set to 0.

    Raises:
        UnknownLayerError: with the nearest names.
        NetworkError: the network does not classify.
        DataError: a label that the network has no class for, or no labelled picture at all.

    *Source:* Hvass Laboratories, TensorFlow Tutorial 13-B, exercises; `ablate` for switching off.
    """
    network = network_of(network)
    logits = network.logits.name
    chosen = _hidden(network) if layers is None else layers_of(network, layers)
    if not chosen:
        raise DataError(f"{network.name} has no hidden layer; its only units are {logits}'s")
    total = 1 + len(chosen)
    tell(0, total, "looking through the data")
    survey = Survey(network, chosen).over(dataset)
    if survey.count == 0:
        raise DataError("no picture was given; what units do is seen on pictures")
    found: list[LayerUnits] = []
    for done, name in enumerate(chosen, 1):
        tell(done, total, name)
        found.append(_layer(network, dataset, census(survey.layers[name], threshold)))
    tell(total, total)
    return Units(network.name, tuple(found))


def _hidden(network: Network) -> list[str]:
    return [la.name for la in network.default_layers if la.name != network.logits.name]


def _layer(network: Network, dataset: Dataset[Any], found: Census) -> LayerUnits:
    spare = tuple(unit for group in found.duplicates for unit in group[1:])
    named: dict[str, Group] = {}
    if found.silent:
        named[SPARE[0]] = found.silent
    if spare:
        named[SPARE[1]] = spare
    named |= {
        f"{', '.join(map(str, group))}, which repeat each other": group
        for group in found.duplicates
    }
    single = [(unit,) for unit in range(found.units)]
    both = ablate(network, found.layer, batches(dataset), [*single, *named.values()])
    return LayerUnits(
        found,
        both.only(range(found.units)),
        both.only(range(found.units, len(both.groups))),
        tuple(named),
    )


@dataclass(frozen=True)
class TakingStock(Question):
    """Count silent and redundant units, and switch each off to see what it is worth."""

    name, panel = "units", UNITS
    layers: tuple[str, ...] = options.layers(())
    threshold: float = options.option(
        "number", "Units whose values correlate beyond it repeat each other.", 0.95
    )
    part: str | None = options.part()

    def title(self, subject: Subject) -> str:
        """Of which pictures."""
        return f"What the units are for{options.of_part(self.part)}"

    def ask(self, subject: Subject) -> Units:
        """What was counted."""
        return units(
            subject.network,
            subject.part(self.part),
            self.layers or None,
            threshold=self.threshold,
        )
