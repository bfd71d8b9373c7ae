"""Morphing: a real picture becomes another class; how far that is, over a whole data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.canvas import Pixels
from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.errors import InputError, NetworkError, SettingError
from phosphene.maximize import Optimizer, ascend
from phosphene.network import Network
from phosphene.objectives import LogProbability
from phosphene.probes import options
from phosphene.probes.film import Film, shoot
from phosphene.probes.question import CHANGE, Question
from phosphene.probes.subject import Subject
from phosphene.progress import tell, telling
from phosphene.results import Result
from phosphene.spellings import Classes, Model, Shown, classes_of, network_of, pictures_of
from phosphene.streams import Streams
from phosphene.words import number, plural

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@telling("morphing")
def morph(
    network: Model,
    pictures: Shown,
    targets: Classes,
    *,
    rate: float = 0.02,
    steps: int = 10,
) -> Film:
    """Lead real pictures, one for all targets or one for each, to `targets` in small steps.

    x ← x + rate · g / (std(g) + 1e-8), cut to [0, 1], with g the gradient of log p[target]; its
    direction is that of the article's p[target], without underflow where p is tiny.

    Raises:
        InputError, ChannelError, SizeError: no targets; pictures outside [0, 1] or that do not fit.
        ObjectiveError: the network has no such class.

    *Source:* Bruner, "Interpretability of neural networks" (a 7 becomes a 3).
    """
    network = network_of(network)
    chosen = classes_of(network, targets)
    optimizer = Optimizer("NormalizedGradient", rate)
    objective = LogProbability(chosen)
    return shoot(
        network, pictures_of(network, pictures), chosen, objective, optimizer=optimizer, steps=steps
    )


@dataclass(frozen=True, eq=False)
class MorphDistances(Result):
    """How far n morphs went until the network's prediction flipped.

    Morph i leads picture `images[i]` of the data set, labelled `labels[i]` (-1 for none) and read
    as `sources[i]`, until it is read as `targets[i]`, or as any other class where that is -1.
    `ends` is what it is read as at the end. `l2` is the Euclidean distance over all pixels, `linf`
    the largest change of one pixel, `steps` their number; where `flipped` is false, they are
    those of the last try and the morph counts as farther than that.
    """

    classes: tuple[str, ...]
    rate: float
    images: Int[Tensor, "n"]
    labels: Int[Tensor, "n"]
    sources: Int[Tensor, "n"]
    targets: Int[Tensor, "n"]
    ends: Int[Tensor, "n"]
    steps: Int[Tensor, "n"]
    l2: Float[Tensor, "n"]
    linf: Float[Tensor, "n"]

    @property
    def flipped(self) -> Bool[Tensor, "n"]:
        """Whether the prediction became what was asked."""
        return _arrived(self.ends, self.sources, self.targets)

    @property
    def medians(self) -> dict[tuple[int, int], float]:
        """The median `l2` from class s to class t, by (s, t); infinite where most never flipped.

        Where any other class would do, t is the class the picture came to.
        """
        goals = torch.where(self.targets < 0, self.ends, self.targets)
        pairs = torch.stack([self.sources, goals], dim=1)
        within = torch.where(self.flipped, self.l2, torch.inf)
        return {
            (int(pair[0]), int(pair[1])): float(within[(pairs == pair).all(1)].median())
            for pair in pairs.unique(dim=0)
        }

    def quantiles(self, distances: Float[Tensor, "n"]) -> dict[float, float]:
        """The distance within which 5, 25, 50, 75 and 95 % of the morphs have flipped.

        `distances` is `l2`, `linf` or `steps.float()`; infinite where fewer have flipped.
        """
        if len(distances) == 0:
            return {}
        within = torch.where(self.flipped, distances, torch.inf)
        # Between the last that flipped and infinity there is nothing to interpolate.
        values = within.quantile(within.new_tensor(QUANTILES), interpolation="higher")
        return dict(zip(QUANTILES, values.tolist(), strict=True))

    @property
    def summary(self) -> str:
        """How many morphs flipped, and how far the middle one had to go."""
        flipped = int(self.flipped.sum())
        told = f"{flipped:,} of {plural(len(self.images), 'morph')} flipped the prediction."
        middle = self.quantiles(self.l2).get(0.5, inf)
        if isfinite(middle):
            told += f" Half of them within L2 {number(middle)}"
            told += f", L∞ {number(self.quantiles(self.linf)[0.5])}."
        return told

    def to_json(self) -> dict[str, Any]:
        """The distribution as plain values for JSON; None stands for "not within the steps"."""
        figures = {"l2": self.l2, "linf": self.linf, "steps": self.steps.float()}
        return {
            "rate": self.rate,
            "morphs": len(self.images),
            "flipped": int(self.flipped.sum()),
            "quantiles": {
                name: {str(q): _finite(v) for q, v in self.quantiles(values).items()}
                for name, values in figures.items()
            },
            "median l2": [
                {"from": self.classes[s], "to": self.classes[t], "l2": _finite(v)}
                for (s, t), v in self.medians.items()
            ],
        }


@telling("morphing every picture")
def morph_distances(
    network: Model,
    dataset: Dataset[Any],
    targets: Sequence[int] | None = None,
    *,
    rate: float = 0.02,
    steps: int = 100,
    batch: int = 256,
) -> MorphDistances:
    """Morph every picture of `dataset` until the network's prediction flips.

    Each picture goes to each of `targets`, but for what it is read as already; without `targets`
    it goes to any other class, by way of the class that comes second at the start. Steps are
    those of `morph`; a picture stops at the first frame that is read as asked, so a distance is
    exact to one step, `rate` · sqrt(pixels) in L2. At most `batch` morphs run at once.

    Raises:
        InputError: no targets, a rate or steps below what moves.
        NetworkError: the network has a single class.
        DataError: what `batches` raises.
        SizeError, ChannelError: pictures that do not fit the network.
        ObjectiveError: the network has no such class.
    """
    network = network_of(network)
    if rate <= 0 or steps < 1 or (targets is not None and not targets):
        raise InputError(
            f"rate {rate}, {steps} steps, targets {targets}; expected a positive rate, at least "
            "1 step, and at least one target, or None for any other class"
        )
    if len(network.classes) < 2:
        raise NetworkError(f"{network.name} has one class alone; a morph needs another to go to")
    total, size = length(dataset), max(1, batch // len(targets or (-1,)))
    rows: list[Tensor] = []
    distances: list[Tensor] = []
    for done, some in enumerate(batches(dataset, size), 1):
        if len(some.indices):
            scores = network.class_scores(some.pictures).cpu()
            which, pairs = _pairs(scores, targets)
            for pair in zip(which.split(batch), pairs.split(batch), strict=True):
                told, far = _run(network, some.pictures[pair[0]], pair[1], rate, steps)
                seen = torch.stack([some.indices, some.labels], 1)[pair[0]]
                rows.append(torch.cat([seen, told], dim=1))
                distances.append(far)
        tell(min(total, done * size), total)
    table = torch.cat([torch.zeros(0, 6, dtype=torch.long), *rows])
    l2, linf = torch.cat([torch.zeros(0, 2), *distances]).unbind(1)
    images, labels, sources, goals, ends, taken = table.unbind(1)
    return MorphDistances(
        network.classes, rate, images, labels, sources, goals, ends, taken, l2, linf
    )


def _pairs(
    scores: Float[Tensor, "b classes"], targets: Sequence[int] | None
) -> tuple[Int[Tensor, "n"], Int[Tensor, "n 3"]]:
    """Which picture goes where: its place in the batch; source, target, the class aimed at."""
    best = scores.topk(2).indices
    if targets is None:
        anything = torch.full_like(best[:, 0], -1)
        return torch.arange(len(best)), torch.stack([best[:, 0], anything, best[:, 1]], 1)
    goals = torch.tensor(targets).expand(len(best), -1)
    which, place = (goals != best[:, :1]).nonzero(as_tuple=True)
    goal = goals[which, place]
    return which, torch.stack([best[which, 0], goal, goal], 1)


def _run(
    network: Network,
    pictures: Float[Tensor, "n c h w"],
    pairs: Int[Tensor, "n 3"],
    rate: float,
    steps: int,
) -> tuple[Int[Tensor, "n 4"], Float[Tensor, "n 2"]]:
    """Source, target, end and steps of each morph; its L2 and L∞."""
    source, target, aim = pairs.unbind(1)

    def read(shown: Tensor) -> Tensor:
        return network.class_scores(shown).argmax(1).cpu()

    streams = Streams.seeded(0, range(len(pictures)))
    canvas = Pixels().build(streams, network.input.shape, pictures=pictures, device=network.device)
    taken = torch.full_like(source, -1)  # the start is a frame and no step
    for step in ascend(
        network,
        LogProbability(tuple(aim.tolist())),
        canvas,
        streams,
        steps=steps,
        optimizer=Optimizer("NormalizedGradient", rate),
        stop=lambda step: _arrived(read(step.pictures), source, target),
    ):
        taken += ~step.stopped
        last = step.pictures
    change = (last.cpu() - pictures).flatten(1)
    return (
        torch.stack([source, target, read(last), taken], 1),
        torch.stack([change.norm(dim=1), change.abs().amax(1)], 1),
    )


def _arrived(
    read: Int[Tensor, "n"], source: Int[Tensor, "n"], target: Int[Tensor, "n"]
) -> Bool[Tensor, "n"]:
    return torch.where(target < 0, read != source, read == target)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


@dataclass(frozen=True)
class Morphing(Question):
    """Lead one real picture to other classes in small steps, and film it."""

    name, panel = "morph", CHANGE
    towards: str | None = options.towards("Only these classes, by name: 3,7. Default: all.")
    origin: str | None = options.option(
        "class", "Take the first picture of this class in the data.", None, flag="--from", key=None
    )
    image: str | None = options.image(
        None, "A picture: its number in the data, or an image file. Default: 0."
    )
    rate: float = options.option("number", "How far a step goes.", 0.02)
    steps: int = options.steps(10)

    def title(self, subject: Subject) -> str:
        """Which picture goes where."""
        image = Path(self._image(subject)).name
        return f"Morphing: image {image} to {self.towards or 'other classes'}"

    def key(self, subject: Subject) -> dict[str, Any]:
        """Targets and picture as they were found, rate and steps."""
        image = self._image(subject)
        found = {"targets": self._targets(subject), "image": subject.resolved("image", image)}
        return super().key(subject) | found

    def rests_on_data(self, subject: Subject) -> bool:
        """Whether the picture is one of the data."""
        return self._image(subject).isdecimal()

    def ask(self, subject: Subject) -> Film:
        """The film."""
        picture, _ = subject.picture(self._image(subject))
        return morph(
            subject.network,
            picture[None],
            self._targets(subject),
            rate=self.rate,
            steps=self.steps,
        )

    def _image(self, subject: Subject) -> str:
        if self.origin is None:
            return self.image or "0"
        if self.image is not None:
            raise SettingError(
                f"--from {self.origin} finds a picture; leave out --image {self.image}"
            )
        return str(subject.first_of(self.origin))

    def _targets(self, subject: Subject) -> tuple[int, ...]:
        if (named := subject.classes(self.towards)) is not None:
            return named
        _, label = subject.picture(self._image(subject))
        return tuple(c for c in range(len(subject.network.classes)) if c != label)


@dataclass(frozen=True)
class Distances(Question):
    """Morph all pictures until their prediction flips: how far is that?"""

    name, panel = "distances", CHANGE
    towards: str | None = options.towards("To these classes. Default: to any other.")
    rate: float = options.option("number", "How far a step goes.", 0.02)
    steps: int = options.steps(100)
    part: str | None = options.part()

    def title(self, subject: Subject) -> str:
        """To where."""
        return f"Distance to {self.towards or 'any other class'}{options.of_part(self.part)}"

    def ask(self, subject: Subject) -> MorphDistances:
        """The distances."""
        return morph_distances(
            subject.network,
            subject.part(self.part),
            subject.classes(self.towards),
            rate=self.rate,
            steps=self.steps,
        )
