"""From one unit to another: what is between them."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Spectrum
from phosphene.errors import ObjectiveError
from phosphene.maximize import Recipe, on_screen, paint
from phosphene.maximize.recipe import STANDARD
from phosphene.maximize.scoring import score
from phosphene.objectives import Blend, Term
from phosphene.precisions import Precision
from phosphene.probes import options
from phosphene.probes.question import DRAW, Question
from phosphene.probes.subject import Subject
from phosphene.results import Result
from phosphene.spellings import Meant, Model, network_of, objective_of
from phosphene.streams import Streams
from phosphene.words import number, plural


@dataclass(frozen=True, eq=False)
class Interpolation(Result):
    """Pictures for mixtures of two objectives, and what both say to each of them."""

    network: str
    first: Term
    second: Term
    shares: tuple[float, ...]
    pictures: Float[Tensor, "b c h w"]
    scores: Float[Tensor, "b 2"]

    @property
    def summary(self) -> str:
        """What both ends answer, at the ends."""
        ends = self.scores[[0, -1]].tolist()
        first, second = ([number(end[i]) for end in ends] for i in (0, 1))
        return (
            f"From {self.first} to {self.second} of {self.network} in "
            f"{plural(len(self.shares), 'picture')}: the first goes from {first[0]} to {first[1]}, "
            f"the second from {second[0]} to {second[1]}."
        )

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "shares": list(self.shares),
            "scores": self.scores.tolist(),
        }


def interpolate(
    network: Model,
    first: Meant,
    second: Meant,
    *,
    count: int = 7,
    recipe: Recipe = STANDARD,
    seed: int = 0,
    spectrum: Spectrum | None = None,
) -> Interpolation:
    """Draw `count` pictures for (1 - s) first + s second, with s from 0 to 1 in even steps.

    All start from the same noise and are moved alike, so that neighbours look alike where the
    objectives let them.

    Raises:
        ObjectiveError: fewer than two pictures, or objectives for several images.
        UnknownLayerError, UnknownUnitError: with the nearest names.

    *Source:* Olah et al. 2017, "Feature Visualization", interpolating between objectives.
    """
    if count < 2:
        raise ObjectiveError(f"{count} pictures lead nowhere; ask for two ends at least")
    network = network_of(network)
    ends = [objective_of(network, end) for end in (first, second)]
    shares = tuple(i / (count - 1) for i in range(count))
    blend = Blend(ends[0], ends[1], shares)
    streams = Streams.seeded(seed, [f"{ends[0]} to {ends[1]}"] * count)
    pictures = on_screen(paint(network, blend, recipe, streams, spectrum=spectrum))
    scores = torch.stack([score(network, end, pictures) for end in ends], dim=1)
    return Interpolation(network.name, ends[0], ends[1], shares, pictures.cpu(), scores)


@dataclass(frozen=True)
class Interpolating(Question):
    """Draw what lies between two units."""

    name, panel = "interpolate", DRAW
    first: str = options.unit(key=None)
    second: str = options.unit(key=None)
    count: int = options.option("count", "How many pictures.", 7, least=2)
    steps: int = options.steps(STANDARD.steps)
    precision: Precision = options.precision()

    def title(self, subject: Subject) -> str:
        """From where to where."""
        return f"From {self.first} to {self.second}"

    def key(self, subject: Subject) -> dict[str, Any]:
        """Both units, how many pictures, steps."""
        ends = [str(subject.unit(end)) for end in (self.first, self.second)]
        return super().key(subject) | {"units": ends}

    def rests_on_data(self, subject: Subject) -> bool:
        """Where there are any: they have the spectrum."""
        return subject.has_data

    def ask(self, subject: Subject) -> Interpolation:
        """The pictures."""
        return interpolate(
            subject.network,
            subject.unit(self.first),
            subject.unit(self.second),
            count=self.count,
            recipe=replace(STANDARD, steps=self.steps, precision=self.precision),
            seed=subject.seed,
            spectrum=subject.spectrum,
        )
