"""What does it take to change the answer? Move, turn and resize pictures and watch it flip."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.data import Batch
from phosphene.errors import DataError, SettingError
from phosphene.network import Network
from phosphene.probes import options
from phosphene.probes.moves import Family, Fill, rotations, scalings, shifts
from phosphene.probes.question import MOVE, Question
from phosphene.probes.subject import Subject
from phosphene.results import Result
from phosphene.scores import probabilities
from phosphene.spellings import Model, Shown, classes_of, network_of, picture_of
from phosphene.words import class_name, number, percent, plural


@dataclass(frozen=True, eq=False)
class MoveMap(Result):
    """What a network makes of one picture under every move of a family.

    `probability` is that of the class `label`, `predicted` the class read; both have the family's
    shape, for shifts `(2r + 1, 2r + 1)` with the picture as it is in the middle.
    """

    family: Family
    picture: Float[Tensor, "c h w"]
    classes: tuple[str, ...]
    label: int
    probability: Float[Tensor, "..."]
    predicted: Int[Tensor, "..."]

    @property
    def summary(self) -> str:
        """Under how many of the moves the picture is read as its class."""
        true = class_name(self.classes, self.label)
        wrong = float((self.predicted != self.label).double().mean())
        return (
            f"True class {true}. {plural(self.probability.numel(), 'move')}, of which "
            f"{percent(wrong)} are read as another class; p({true}) goes from "
            f"{number(float(self.probability.min()))} to {number(float(self.probability.max()))}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return self.family.to_json() | {
            "label": self.label,
            "probability": self.probability.tolist(),
            "predicted": self.predicted.tolist(),
        }


def move_map(
    network: Model,
    picture: Shown,
    label: int | str,
    family: Family,
    *,
    fill: Fill = 0.0,
    rows: int = 2048,
) -> MoveMap:
    """Read one picture under every move, `rows` of them at a time.

    Raises:
        NetworkError: the network does not classify.
        UnknownUnitError: `label` is none of its classes.

    *Source:* Krishna 2016, "What does your neural network really look for?", where a drawn 1 is
    read as a 7 a few pixels further.
    """
    network = network_of(network)
    shown = picture_of(network, picture)
    (asked,) = classes_of(network, label)
    parts = [
        probabilities(scores[:, 0], network.task)
        for scores in _scores(network, shown[None], family, fill, rows)
    ]
    read = torch.cat(parts)
    return MoveMap(
        family,
        shown.cpu(),
        network.classes,
        asked,
        read[:, asked].view(family.shape),
        read.argmax(1).view(family.shape),
    )


@dataclass(frozen=True, eq=False)
class Flips(Result):
    """How many pictures are read as another class somewhere within each extent.

    `flipped[i]` of `count` pictures have at least one move of extent `levels[i]` or less under
    which they are not read as they are unmoved, rightly or wrongly. Pictures without a label
    count in all, and in no class.
    """

    network: str
    classes: tuple[str, ...]
    family: Family
    count: int
    flipped: Int[Tensor, "levels"]
    class_count: Int[Tensor, "classes"]
    class_flipped: Int[Tensor, "classes levels"]

    @property
    def levels(self) -> tuple[float, ...]:
        """The extents, in rising order."""
        return self.family.levels

    @property
    def share(self) -> Float[Tensor, "levels"]:
        """The share of pictures that flip within each extent."""
        return self.flipped.double() / self.count

    @property
    def share_by_class(self) -> Float[Tensor, "classes levels"]:
        """The same among the pictures of each class; zero for classes that were never seen."""
        return self.class_flipped.double() / self.class_count.clamp_min(1)[:, None]

    @property
    def summary(self) -> str:
        """The share that flips within each extent."""
        shares = ", ".join(
            f"{percent(share)} within {number(level)}"
            for level, share in zip(self.levels, self.share.tolist(), strict=True)
            if share > 0 or level == self.levels[-1]
        )
        return (
            f"{self.network}, {self.family.name} in {self.family.unit}: of "
            f"{plural(self.count, 'picture')} {shares} are read as another class."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "network": self.network,
            "family": self.family.name,
            "unit": self.family.unit,
            "levels": list(self.levels),
            "count": self.count,
            "classes": list(self.classes),
            "share": self.share.tolist(),
            "class_count": self.class_count.tolist(),
            "share_by_class": self.share_by_class.tolist(),
        }


@dataclass(frozen=True, eq=False)
class FlipRates(Result):
    """What `flips` found for several networks, or under several families, side by side."""

    runs: tuple[Flips, ...]

    @property
    def summary(self) -> str:
        """A sentence for each."""
        return "\n".join(run.summary for run in self.runs)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"runs": [run.to_json() for run in self.runs]}


def flips(
    network: Model,
    data: Iterable[Batch],
    family: Family,
    *,
    fill: Fill = 0.0,
    rows: int = 2048,
) -> Flips:
    """Count the pictures that flip under a family's moves, in one pass over `data`.

    About `rows` moved pictures go through the network at once, whatever the length of the data.

    Raises:
        NetworkError: the network does not classify.
        DataError: a label that the network has no class for, or no picture at all.
    """
    network = network_of(network)
    levels = torch.tensor(family.levels)
    reached = torch.tensor(family.extents)[:, None] <= levels
    flipped = torch.zeros(len(levels), dtype=torch.long)
    class_flipped = torch.zeros(len(network.classes), len(levels), dtype=torch.long)
    class_count = torch.zeros(len(network.classes), dtype=torch.long)
    count = 0
    for batch in data:
        if len(batch.indices) == 0:
            continue
        _check_labels(batch.labels, network)
        still = network.class_scores(batch.pictures).argmax(1)
        scores = _scores(network, batch.pictures, family, fill, rows)
        differs = torch.cat([part.argmax(2) != still for part in scores]).cpu()
        within = (differs[:, None] & reached[:, :, None]).any(0).T.long()
        known = batch.labels >= 0
        flipped += within.sum(0)
        class_flipped.index_add_(0, batch.labels[known], within[known])
        class_count += batch.labels[known].bincount(minlength=len(class_count))
        count += len(batch.indices)
    if count == 0:
        raise DataError("no picture was given; a share of pictures needs at least one")
    return Flips(network.name, network.classes, family, count, flipped, class_count, class_flipped)


def _scores(
    network: Network, pictures: Float[Tensor, "b c h w"], family: Family, fill: Fill, rows: int
) -> Iterator[Float[Tensor, "moves b classes"]]:
    pictures = pictures.to(network.device)
    together = max(1, rows // len(pictures))
    for start in range(0, len(family.moves), together):
        moves = family.moves[start : start + together]
        moved = torch.cat([move(pictures, fill) for move in moves])
        yield network.class_scores(moved).view(len(moves), len(pictures), -1)


def _check_labels(labels: Tensor, network: Network) -> None:
    if int(labels.max()) >= len(network.classes):
        raise DataError(
            f"label {int(labels.max())} is beyond the network's {len(network.classes)} classes "
            f"(0 to {len(network.classes) - 1}); give data with the classes it was trained on"
        )


FAMILIES = ("shift", "rotation", "scale")


@dataclass(frozen=True)
class Moving(Question):
    """Move, turn or resize pictures and see where the prediction flips."""

    name, panel = "shift", MOVE
    image: str | None = options.image(
        None, "Map one picture: its number, or a file. Default: count over the data."
    )
    label: str | None = options.option("class", "With --image FILE: its class.", None)
    move: str = options.option(
        "choice", f"One of {', '.join(FAMILIES)}.", "shift", choices=FAMILIES
    )
    radius: int = options.option("count", "Largest shift in pixels (shifts only).", 3, least=1)
    also: tuple[str, ...] = options.option(
        "files", "Weights of the same network trained otherwise, to set beside it.", ()
    )
    part: str | None = options.part()

    @property
    def kind(self) -> str:
        """One picture is moved, or flips are counted."""
        return "flips" if self.image is None else "move"

    def title(self, subject: Subject) -> str:
        """What is moved."""
        if self.image is None:
            return f"Flips under {self.move}s{options.of_part(self.part)}"
        return f"Image {Path(self.image).name} under every {self.move}"

    def key(self, subject: Subject) -> dict[str, Any]:
        """The moves, and the picture with its class, or the part of the data and the networks."""
        if self.image is None:
            beside = [network.fingerprint for network in self._beside(subject)]
            return {"part": self.part, "beside": beside, **self.family.to_json()}
        image = subject.resolved("image", self.image)
        return {"image": image, "label": self._picture(subject)[1], **self.family.to_json()}

    def rests_on_data(self, subject: Subject) -> bool:
        """Unless the picture is a file."""
        return self.image is None or self.image.isdecimal()

    def ask(self, subject: Subject) -> MoveMap | FlipRates:
        """The map of one picture, or the rates at which networks flip."""
        if self.image is not None:
            return move_map(subject.network, *self._picture(subject), self.family)
        data, networks = subject.part(self.part), [subject.network, *self._beside(subject)]
        found = [flips(network, subject.batches(data), self.family) for network in networks]
        return FlipRates(tuple(found))

    @property
    def family(self) -> Family:
        """The moves."""
        if self.move == "shift":
            return shifts(self.radius)
        if self.move == "rotation":
            return rotations(range(-30, 31, 5))
        return scalings([0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4])

    def _beside(self, subject: Subject) -> list[Network]:
        return [subject.named(weights) for weights in self.also]

    def _picture(self, subject: Subject) -> tuple[Tensor, int]:
        if self.part is not None:
            raise SettingError(f"--slice {self.part} is about the data; leave it out with --image")
        picture, known = subject.picture(str(self.image))
        chosen = subject.classes(self.label)
        label = chosen[0] if chosen else known
        if label is None:
            raise SettingError(f"the class of {self.image} is not known; give it with --label")
        return picture, label
