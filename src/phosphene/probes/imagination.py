"""Imagining: pictures of each class, several of them, and how far they can be trusted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.canvas import Decoded, Spectrum
from phosphene.data import batches, load_data
from phosphene.errors import InputError
from phosphene.evaluation import nearest_neighbours
from phosphene.maximize import Recipe, batch_size, on_screen, paint
from phosphene.objectives import Logit
from phosphene.precisions import Precision
from phosphene.probes import options, retraining
from phosphene.probes.question import TRAIN, Question
from phosphene.probes.subject import Subject
from phosphene.progress import counted, telling
from phosphene.results import Result
from phosphene.scores import probabilities
from phosphene.spellings import Model, network_of
from phosphene.streams import Streams
from phosphene.tasks import Task
from phosphene.words import number, percent, plural
from phosphene.zoo import VariationalAutoencoder


class Neighbourhood(Protocol):
    """The k real pictures nearest to each of b pictures, as `evaluation.Neighbours` has them."""

    @property
    def distances(self) -> Float[Tensor, "b k"]:
        """How far they are, nearest first."""
        ...

    def votes(self, classes: int) -> Float[Tensor, "b classes"]:
        """The share of neighbours that are of each class."""
        ...


Nearest = Callable[[Tensor], Neighbourhood]
"""Finds the real pictures nearest to `b c h w` pictures:
`lambda pictures: nearest_neighbours(pictures, batches(data), 5)`."""


@dataclass(frozen=True, eq=False)
class Closeness:
    """How b pictures lie among real ones.

    `votes` are the shares of each class among the nearest real pictures, `distances` those to the
    nearest one, and `usual` is the mean of that distance for real pictures that were held out.
    """

    votes: Float[Tensor, "b classes"]
    distances: Float[Tensor, "b"]
    usual: float

    @property
    def ratios(self) -> Float[Tensor, "b"]:
        """Distances in units of what is usual among real pictures: 1 is as near as real ones."""
        return self.distances / self.usual


@dataclass(frozen=True, eq=False)
class Imagined(Result):
    """Pictures of classes, class by class, and what the network and real pictures say to them.

    `pictures` have the 256 levels of a screen; `logits` are the network's answers to just these.
    Its own reading says little, since the pictures were made for it. `closeness` does not ask the
    network; it is None where there was nothing to compare with.
    """

    targets: tuple[int, ...]
    classes: tuple[str, ...]
    recipe: Recipe
    pictures: Float[Tensor, "b c h w"]
    logits: Float[Tensor, "b classes"]
    closeness: Closeness | None
    task: Task = "softmax"

    @property
    def probabilities(self) -> Float[Tensor, "b classes"]:
        """What the network gives to each class."""
        return probabilities(self.logits, self.task)

    @property
    def towards(self) -> Float[Tensor, "b"]:
        """The probability of each picture's own class."""
        return self.probabilities[range(len(self.targets)), list(self.targets)]

    @property
    def read(self) -> Bool[Tensor, "b"]:
        """Whether the network reads each picture as its class."""
        return self.logits.argmax(1) == torch.tensor(self.targets)

    @property
    def voted(self) -> Bool[Tensor, "b"] | None:
        """Whether the class has the most votes of each picture's real neighbours."""
        if self.closeness is None:
            return None
        return self.closeness.votes.argmax(1) == torch.tensor(self.targets)

    @property
    def summary(self) -> str:
        """How many are read as meant, by the network and by their real neighbours."""
        kinds = len(set(self.targets))
        told = (
            f"{plural(len(self.targets), 'picture')} of {plural(kinds, 'class', 'classes')}; "
            f"read as meant by the network: {percent(float(self.read.float().mean()))}."
        )
        if self.closeness is None or self.voted is None:
            return told
        return (
            f"{told} By the vote of the nearest real pictures: "
            f"{percent(float(self.voted.float().mean()))}; distance to the nearest: "
            f"{number(float(self.closeness.ratios.mean()))} times that of real pictures."
        )

    def to_json(self) -> dict[str, Any]:
        """The figures of all pictures as plain values for JSON."""
        near = self.closeness
        votes = None if near is None else near.votes[range(len(self.targets)), list(self.targets)]
        return {
            "targets": [self.classes[target] for target in self.targets],
            "recipe": self.recipe.to_json(),
            "probabilities": self.probabilities.tolist(),
            "logits": self.logits.tolist(),
            "votes": None if votes is None else votes.tolist(),
            "distance_ratios": None if near is None else near.ratios.tolist(),
        }


@telling("imagining")
def imagine(
    network: Model,
    recipe: Recipe,
    *,
    per_class: int = 8,
    seed: int = 0,
    spectrum: Spectrum | None = None,
    nearest: Nearest | None = None,
    held_out: Float[Tensor, "n c h w"] | None = None,
) -> Imagined:
    """Draw `per_class` pictures for the logit of each class, all in one batch.

    The canvas meant is `Decoded(decoder=…)`, with a decoder trained on the network's data, so that
    the picture sought is a likely one: `imagine(network, Recipe(canvas=Decoded(decoder=decoder)))`.
    Any other shows by the same figures what it would be without. `nearest` finds real neighbours,
    and `held_out` are real pictures that are not among them. Picture i of a class has random
    numbers of its own, from (seed, class, i).

    Raises:
        ChannelError, SizeError: a decoder of another shape than the network's input.
        InputError: no pictures, several from one start, a recipe for neurons, one of `nearest`
            and `held_out` without the other, or held-out pictures that are all among the others.
        NetworkError: a network without classes.

    *Source:* Nguyen et al. 2016, "Synthesizing the preferred inputs for neurons in neural networks
    via deep generator networks" (arXiv 1605.09304); the comparison with real pictures is ours.
    """
    network = network_of(network)
    _check(recipe, per_class, nearest, held_out)
    unit = network.logits
    targets = [c for c in range(unit.units) for _ in range(per_class)]
    names = [f"{unit.name}:{c}/{i}" for c in range(unit.units) for i in range(per_class)]
    size = batch_size(network, unit.name)
    drawn = []
    for first in counted(range(0, len(targets), size)):
        objective = Logit(tuple(targets[first : first + size]))
        streams = Streams.seeded(seed, names[first : first + size])
        drawn.append(paint(network, objective, recipe, streams, spectrum=spectrum).cpu())
    pictures = on_screen(torch.cat(drawn))
    closeness = None
    if nearest is not None and held_out is not None:
        closeness = _compare(pictures, len(network.classes), nearest, held_out)
    logits = torch.cat([network.class_scores(some).cpu() for some in pictures.split(size)])
    classes, task = network.classes, network.task
    return Imagined(tuple(targets), classes, recipe, pictures, logits, closeness, task)


def _check(
    recipe: Recipe, per_class: int, nearest: Nearest | None, held_out: Tensor | None
) -> None:
    if per_class < 1 or (per_class > 1 and recipe.canvas.start != "noise"):
        raise InputError(
            f"{per_class} pictures of each class from {recipe.canvas.start!r} were asked for; "
            "expected at least one, and for several a canvas that starts from 'noise'"
        )
    if recipe.aim != "channel":
        raise InputError(
            f"whole pictures are imagined; give a recipe with aim 'channel', not {recipe.aim!r}"
        )
    if (nearest is None) != (held_out is None):
        raise InputError(
            "a distance is told in units of that of real pictures: give `nearest` and `held_out` "
            "together, or neither"
        )


def _compare(pictures: Tensor, classes: int, nearest: Nearest, held_out: Tensor) -> Closeness:
    found = nearest(pictures)
    usual = float(nearest(held_out).distances[:, 0].mean())
    if usual == 0:
        raise InputError(
            "the real pictures that were held out are among those they are compared with, so that "
            "none is any distance from the nearest; give others: on the command line --train"
        )
    return Closeness(found.votes(classes), found.distances[:, 0], usual)


@dataclass(frozen=True)
class Imagining(Question):
    """Imagine each class: seek pictures among those that a decoder trained on the data draws."""

    name, panel = "imagine", TRAIN
    train_on: str | None = retraining.data_option()
    folder: str = retraining.folder_option("decoders")
    training_steps: int | None = retraining.steps_option("Default: the decoder's own.")
    codes: int = options.option("count", "Numbers a picture is made from.", 16, least=1, key=None)
    per_class: int = options.option("count", "Pictures of each class.", 8, least=1)
    steps: int = options.steps(128, "Steps of each picture.")
    precision: Precision = options.precision()

    def title(self, subject: Subject) -> str:
        """What is done."""
        return "Imagined classes"

    def key(self, subject: Subject) -> dict[str, Any]:
        """The decoder, how many pictures, steps."""
        return super().key(subject) | {"decoder": self._decoder(subject).fingerprint}

    def rests_on_data(self, subject: Subject) -> bool:
        """They say how near pictures usually are."""
        return True

    def ask(self, subject: Subject) -> Imagined:
        """The pictures."""
        pictures = self._pictures(subject)
        return imagine(
            subject.network,
            Recipe(
                canvas=Decoded(decoder=self._decoder(subject)),
                steps=self.steps,
                precision=self.precision,
            ),
            per_class=self.per_class,
            seed=subject.seed,
            nearest=lambda some: nearest_neighbours(some, batches(pictures), 5),
            held_out=next(iter(batches(subject.data, 256))).pictures,
        )

    def _pictures(self, subject: Subject) -> Dataset[Any]:
        input = subject.network.input
        named = retraining.required(self.train_on)
        return load_data(named, input.channels, input.size, "train")

    def _decoder(self, subject: Subject) -> VariationalAutoencoder:
        told = self.folder, self.codes, self.training_steps
        return subject.once(
            f"decoder {told}", lambda: retraining.decoder(subject, self._pictures(subject), *told)
        )
