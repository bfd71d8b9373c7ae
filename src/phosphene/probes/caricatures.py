"""Caricatures: what a layer notices in a picture, and nothing else, exaggerated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Fourier, Spectrum
from phosphene.maximize import Recipe
from phosphene.objectives import Likeness
from phosphene.precisions import Precision
from phosphene.probes import options
from phosphene.probes.by_layer import counterparts
from phosphene.probes.question import DRAW, Question
from phosphene.probes.subject import Subject
from phosphene.progress import telling
from phosphene.results import Result
from phosphene.spellings import Model, Shown, network_of, picture_of
from phosphene.transforms import RandomAffine
from phosphene.words import number

CARICATURE = Recipe(
    canvas=Fourier(),
    steps=256,
    transform=RandomAffine(shift=0.01, rotate=1.0, scale=(0.99, 1.01), fill="reflection"),
)
"""Moves are small: what is where is part of what is compared."""


@dataclass(frozen=True, eq=False)
class Caricature(Result):
    """A picture, and for each of `layers` one that answers in its way, only more so.

    `cosines` say how well the layer's values for both agree in direction, and `lengths` how much
    stronger they are for the caricature.
    """

    network: str
    original: Float[Tensor, "c h w"]
    layers: tuple[str, ...]
    pictures: Float[Tensor, "n c h w"]
    cosines: tuple[float, ...]
    lengths: tuple[float, ...]

    @property
    def summary(self) -> str:
        """Agreement and exaggeration at each layer."""
        told = "; ".join(
            f"{layer}: {number(length)} times as strong, cosine {number(cosine)}"
            for layer, cosine, length in zip(self.layers, self.cosines, self.lengths, strict=True)
        )
        return f"Caricatures for {self.network}. {told}."

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "layers": list(self.layers),
            "cosines": list(self.cosines),
            "lengths": list(self.lengths),
        }


@telling("exaggerating")
def caricature(
    network: Model,
    picture: Shown,
    layers: str | Sequence[str],
    recipe: Recipe = CARICATURE,
    *,
    cosine_power: float = 1.0,
    seed: int = 0,
    spectrum: Spectrum | None = None,
) -> Caricature:
    """Draw for each layer the picture that goes furthest in the direction of `picture`'s values.

    The score is `Likeness`: <phi(x), phi_0> / |phi_0| · max(cos, 0.1)^cosine_power, from noise.

    Raises:
        UnknownLayerError: with the nearest names.
        InputError, ChannelError, SizeError: the picture does not fit.
        ObjectiveError: a layer gives zeros alone.

    *Source:* Olah et al. 2019, Lucid's caricatures.
    """
    network = network_of(network)
    shown = picture_of(network, picture)
    found = counterparts(
        network,
        shown,
        layers,
        lambda layer, values: Likeness(layer, values, cosine_power),
        recipe,
        seed=seed,
        spectrum=spectrum,
    )
    return Caricature(
        network.name,
        shown.cpu(),
        tuple(one.layer for one in found),
        torch.stack([one.picture for one in found]),
        tuple(one.cosine for one in found),
        tuple(one.length for one in found),
    )


@dataclass(frozen=True)
class Caricaturing(Question):
    """Exaggerate what a layer sees in a picture."""

    name, panel = "caricature", DRAW
    layers: tuple[str, ...] = options.layers()
    image: str = options.image()
    steps: int = options.steps(CARICATURE.steps)
    precision: Precision = options.precision()

    def title(self, subject: Subject) -> str:
        """Of what, by whom."""
        return f"A caricature of {self.image} by {', '.join(self.layers)}"

    def rests_on_data(self, subject: Subject) -> bool:
        """Where there are any: they have the spectrum."""
        return subject.has_data

    def ask(self, subject: Subject) -> Caricature:
        """The caricatures."""
        return caricature(
            subject.network,
            subject.picture(self.image)[0],
            self.layers,
            replace(CARICATURE, steps=self.steps, precision=self.precision),
            seed=subject.seed,
            spectrum=subject.spectrum,
        )
