"""One picture for each of several objectives: directions, differences, any sum of terms."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Spectrum
from phosphene.errors import ObjectiveError
from phosphene.maximize import Recipe, on_screen, paint
from phosphene.maximize.recipe import STANDARD
from phosphene.maximize.scoring import score
from phosphene.network import Network
from phosphene.objectives import Direction, Term, unit_maps
from phosphene.results import Result
from phosphene.spellings import Meant, Model, Shown, each_of, network_of, objective_of, pictures_of
from phosphene.streams import Streams
from phosphene.values import identity
from phosphene.words import number, plural


@dataclass(frozen=True, eq=False)
class Pictured(Result):
    """A picture for each objective, and its score on just that picture, as a screen shows it."""

    network: str
    objectives: tuple[Term, ...]
    pictures: Float[Tensor, "b c h w"]
    scores: tuple[float, ...]

    @property
    def summary(self) -> str:
        """The scores reached."""
        told = "; ".join(
            f"{objective}: {number(score)}"
            for objective, score in zip(self.objectives, self.scores, strict=True)
        )
        return f"{plural(len(self.objectives), 'objective')} of {self.network}. {told}."

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "objectives": [objective.to_json() for objective in self.objectives],
            "scores": list(self.scores),
        }


def picture(
    network: Model,
    objectives: Meant,
    recipe: Recipe = STANDARD,
    *,
    seed: int = 0,
    spectrum: Spectrum | None = None,
    starts: Float[Tensor, "n c h w"] | None = None,
) -> Pictured:
    """Draw a picture for each of `objectives`, such as `Channel("conv2", 3) - Channel("conv2", 5)`.

    `starts`, one or one for each, take the place of the canvas's start.

    Raises:
        ObjectiveError: no objectives, or one for several images.
        UnknownLayerError: with the nearest names.

    *Source:* Olah et al. 2017, "Feature Visualization", on sums and directions.
    """
    network = network_of(network)
    wanted = _each(network, objectives)
    pictures, scores = [], []
    for i, objective in enumerate(wanted):
        start = None if starts is None else starts[i % len(starts)][None]
        streams = Streams.seeded(seed, [identity(objective)])
        made = on_screen(
            paint(network, objective, recipe, streams, spectrum=spectrum, pictures=start)
        )
        scores.append(float(score(network, objective, made)[0]))
        pictures.append(made[0].cpu())
    return Pictured(network.name, tuple(wanted), torch.stack(pictures), tuple(scores))


def _each(network: Network, objectives: Meant) -> list[Term]:
    """One objective for each that was given, also where one alone was."""
    each = each_of(objectives)
    if not each:
        raise ObjectiveError("no objectives were given to draw a picture for; give at least one")
    return [objective_of(network, objective) for objective in each]


@torch.no_grad()
def direction(
    network: Model,
    layer: str,
    towards: Shown,
    away: Shown | None = None,
    *,
    cosine_power: float = 1.0,
) -> Direction:
    """The direction of a layer's space that leads to some pictures, and away from others.

    v = mean_p phi(towards) - mean_p phi(away), the means over pictures and positions p.

    Raises:
        UnknownLayerError: with the nearest names.
        InputError, ChannelError, SizeError: pictures that do not fit.
        ObjectiveError: the means are the same.

    *Source:* Kim et al. 2018, arXiv 1711.11279, with the difference of means for the classifier.
    """
    network = network_of(network)
    vector = _mean(network, layer, pictures_of(network, towards))
    if away is not None:
        vector = vector - _mean(network, layer, pictures_of(network, away))
    return Direction(network.layer(layer).name, tuple(vector.tolist()), cosine_power)


def _mean(
    network: Network, layer: str, pictures: Float[Tensor, "_ c h w"]
) -> Float[Tensor, "units"]:
    if not len(pictures):
        raise ObjectiveError("no pictures were given to take a direction from")
    return unit_maps(network.record(pictures, [layer])[layer]).mean((0, 2)).cpu()
