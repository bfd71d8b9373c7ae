"""Transfer: do pictures made for one network convince another?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Spectrum
from phosphene.errors import InputError, NetworkError
from phosphene.maximize import Recipe, batch_size, draw
from phosphene.network import Network
from phosphene.results import Result
from phosphene.units import Unit
from phosphene.words import percent

Make = Callable[[Network], tuple[Tensor, Sequence[int]]]
"""Makes pictures `b c h w` for a network, and says which class each of them is meant to be."""

AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Transfer(Result):
    """Pictures made for network i, shown to network j, at [i, j].

    `convinced` is the share of the pictures that are read as their target, `probability` the mean
    probability of the target. Pictures that are all read as one class convince 1 time in K when
    their targets are spread over K classes, so a rate is to be held against `chance`.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    convinced: Float[Tensor, "n n"]
    probability: Float[Tensor, "n n"]

    @property
    def chance(self) -> float:
        """The share of convincing pictures among ones that have nothing to do with the targets."""
        return 1 / len(self.classes)

    @property
    def own(self) -> float:
        """The mean share of pictures that convince the network they were made for."""
        return float(self.convinced.diagonal().mean())

    @property
    def carried(self) -> float:
        """The mean share of pictures that convince another network; NaN for a single network."""
        apart = ~torch.eye(len(self.names), dtype=torch.bool)
        return float(self.convinced[apart].mean())

    @property
    def summary(self) -> str:
        """How often the pictures convince their own network, and another."""
        told = f"Read as meant by the network they were made for: {percent(self.own)} of pictures"
        if len(self.names) > 1:
            told += f"; by another: {percent(self.carried)}"
        return f"{told}; by chance: {percent(self.chance)}."

    def to_json(self) -> dict[str, Any]:
        """The matrices and their means as plain values for JSON."""
        return {
            "networks": list(self.names),
            "convinced": self.convinced.tolist(),
            "probability": self.probability.tolist(),
            "own": self.own,
            "carried": self.carried if len(self.names) > 1 else None,
            "chance": self.chance,
        }


@dataclass(frozen=True, eq=False)
class Reading:
    """What n networks make of b pictures that were meant to be of b classes."""

    targets: tuple[int, ...]
    probabilities: Float[Tensor, "n b classes"]

    @property
    def convinced(self) -> Float[Tensor, "n"]:
        """The share of the pictures that each network reads as their target."""
        right = self.probabilities.argmax(2) == torch.tensor(self.targets)
        return right.float().mean(1)

    @property
    def probability(self) -> Float[Tensor, "n"]:
        """The mean probability each network gives to the targets."""
        return self.probabilities[:, range(len(self.targets)), list(self.targets)].mean(1)


def shown_to(
    networks: Sequence[Network], pictures: Float[Tensor, "b c h w"], targets: Sequence[int]
) -> Reading:
    """Show pictures, made for whichever network, to `networks`.

    Raises:
        NetworkError: no networks, or networks of different classes.
        InputError, ChannelError, SizeError: no pictures, not a class for each, or they do not fit.
    """
    _check_classes(networks)
    classes = len(networks[0].classes)
    if not len(pictures) or len(targets) != len(pictures):
        raise InputError(
            f"{len(pictures)} pictures for {len(targets)} targets; expected one picture or more, "
            "and a target for each"
        )
    if not all(0 <= target < classes for target in targets):
        raise InputError(f"targets {sorted(set(targets))}; the classes are 0 to {classes - 1}")
    read = [
        torch.cat([network.probabilities(some).cpu() for some in pictures.split(AT_ONCE)])
        for network in networks
    ]
    return Reading(tuple(targets), torch.stack(read))


def transfer(networks: Sequence[Network], make: Make) -> Transfer:
    """Let `make` make pictures for each of n networks, and show them to all n.

    `make` may wrap any probe: `lambda network: fool(network, steps=20).first(0.99)` for fooling,
    the same with `morph`, and `class_pictures` for what the classes look like. The farther
    pictures go, the more they carry over, so stop them alike.

    Raises:
        NetworkError: no networks, or networks of different classes.
        InputError, ChannelError, SizeError: what `make` made does not fit a network.

    *Source:* Bruner, "Interpretability of neural networks", where fooling does not carry over to
    a retrained network; Szegedy et al. 2013, arXiv 1312.6199, sec. 4.2, where it often does.
    """
    _check_classes(networks)
    readings = [shown_to(networks, *make(network)) for network in networks]
    return Transfer(
        tuple(network.name for network in networks),
        networks[0].classes,
        torch.stack([reading.convinced for reading in readings]),
        torch.stack([reading.probability for reading in readings]),
    )


def class_pictures(
    network: Network,
    recipe: Recipe = Recipe(),
    *,
    seed: int = 0,
    spectrum: Spectrum | None = None,
) -> tuple[Float[Tensor, "classes c h w"], tuple[int, ...]]:
    """What each class looks for, drawn by `recipe`: pictures and targets, as `Make` gives them.

    >>> from functools import partial
    >>> make = partial(class_pictures, recipe=Recipe(steps=16))
    """
    layer = network.logits.name
    units = [Unit(layer, index) for index in range(len(network.classes))]
    size = batch_size(network, layer)
    drawings = [
        drawing
        for first in range(0, len(units), size)
        for drawing in draw(
            network, units[first : first + size], recipe, seed=seed, spectrum=spectrum
        )
    ]
    return torch.stack([drawing.picture for drawing in drawings]), tuple(range(len(units)))


def _check_classes(networks: Sequence[Network]) -> None:
    counts = [len(network.classes) for network in networks]
    if len(set(counts)) != 1:
        raise NetworkError(
            f"networks of {counts} classes were given; expected at least one network, "
            "and all of the same classes"
        )
