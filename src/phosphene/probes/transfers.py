"""Transfer: do pictures made for one network convince another?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Spectrum
from phosphene.data import Batch, batches
from phosphene.errors import InputError, NetworkError, SettingError
from phosphene.maximize import Optimizer, Recipe, batch_size, draw
from phosphene.network import Network
from phosphene.probes import options, retraining
from phosphene.probes.fooling import fool
from phosphene.probes.morphing import morph
from phosphene.probes.question import TRAIN, Question
from phosphene.probes.subject import Subject
from phosphene.progress import counted, telling
from phosphene.results import Result
from phosphene.spellings import Model, network_of
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


@telling("trying on other networks")
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
    readings = []
    for network in counted(networks):
        readings.append(shown_to(networks, *make(network)))
    return Transfer(
        tuple(network.name for network in networks),
        networks[0].classes,
        torch.stack([reading.convinced for reading in readings]),
        torch.stack([reading.probability for reading in readings]),
    )


def class_pictures(
    network: Model,
    recipe: Recipe = Recipe(),
    *,
    seed: int = 0,
    spectrum: Spectrum | None = None,
) -> tuple[Float[Tensor, "classes c h w"], tuple[int, ...]]:
    """What each class looks for, drawn by `recipe`: pictures and targets, as `Make` gives them.

    >>> from functools import partial
    >>> make = partial(class_pictures, recipe=Recipe(steps=16))
    """
    network = network_of(network)
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


MAKES = ("fool", "morph", "classes")


@dataclass(frozen=True)
class Transferring(Question):
    """Do pictures made for one network convince another, trained from another seed?"""

    name, panel = "transfer", TRAIN
    make: str = options.option(
        "choice",
        f"What pictures: {', '.join(MAKES)}.",
        "fool",
        choices=MAKES,
        unknown="no pictures are called {value!r}",
    )
    also: tuple[str, ...] = options.option("files", "Weights of the same network.", (), key=None)
    seeds: int = options.option("count", "Train this many more, from other seeds.", 0, key=None)
    train_on: str | None = retraining.data_option()
    network: str = retraining.network_option()
    folder: str = retraining.folder_option("retrained")
    training_steps: int | None = retraining.steps_option()
    learning_rate: float | None = retraining.rate_option()
    confidence: float = options.option(
        "number", "Stop each picture at this probability, for fool and morph.", 0.99
    )
    rate: float = options.option("number", "How far a step of fool or morph goes.", 0.02)
    images: int = options.option("count", "How many pictures to morph, or starts to fool.", 8)

    def title(self, subject: Subject) -> str:
        """Of what, among how many."""
        count = 1 + len(self.also) + self.seeds
        return f"Transfer of {self.make} pictures among {count} networks"

    def key(self, subject: Subject) -> dict[str, Any]:
        """How the pictures are made, and the other networks."""
        others = [network.fingerprint for network in self.others(subject)]
        return super().key(subject) | {"others": others}

    def rests_on_data(self, subject: Subject) -> bool:
        """Unless the pictures are made from noise, towards classes."""
        return self.make != "fool"

    def ask(self, subject: Subject) -> Transfer:
        """How many are convinced."""
        maker = self._maker(subject)

        def made(network: Network) -> tuple[Tensor, Sequence[int]]:
            pictures, targets = maker(network)
            if not len(pictures):
                raise SettingError(
                    f"none of the pictures made for {network.name} reached p = {self.confidence}; "
                    "give a lower --confidence, or train longer"
                )
            return pictures, targets

        return transfer([subject.network, *self.others(subject)], made)

    def others(self, subject: Subject) -> list[Network]:
        """The networks that the pictures are shown to besides."""
        told = self.train_on, self.network, self.folder, self.training_steps, self.learning_rate
        trainer = retraining.Retraining(*told)
        seeds = range(subject.seed + 1, subject.seed + 1 + self.seeds)
        others = [subject.named(weights) for weights in self.also]
        others += [trainer.trained(subject, s, f"{self.network}-seed{s}") for s in seeds]
        if not others:
            raise SettingError(
                "transfer needs other networks: give --also WEIGHTS, or --seeds 5 --train DATA"
            )
        return others

    def _maker(self, subject: Subject) -> Make:
        """What makes the pictures for one network; only then are data looked at."""
        if self.make == "fool":
            return lambda network: fool(
                network,
                [c for c in range(len(network.classes)) for _ in range(self.images)],
                optimizer=Optimizer("NormalizedGradient", self.rate),
                steps=200,
                seed=subject.seed,
            ).first(self.confidence)
        if self.make == "morph":
            first = cache(lambda: next(iter(batches(subject.data, self.images))))
            return lambda network: self._morphed(network, first())
        return lambda net: class_pictures(net, seed=subject.seed, spectrum=subject.spectrum)

    def _morphed(self, network: Network, batch: Batch) -> tuple[Tensor, tuple[int, ...]]:
        """Each picture led to every class that it is not read as."""
        read = network.class_scores(batch.pictures).argmax(1).tolist()
        classes = range(len(network.classes))
        pairs = [(i, c) for i, now in enumerate(read) for c in classes if c != now]
        pictures = batch.pictures[[i for i, _ in pairs]]
        film = morph(network, pictures, [c for _, c in pairs], rate=self.rate, steps=60)
        return film.first(self.confidence)
