"""What of a picture is left in a layer: another picture that gives the same values there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Fourier, Spectrum
from phosphene.maximize import Recipe
from phosphene.objectives import RelativeError, TotalVariation
from phosphene.precisions import Precision
from phosphene.probes import options
from phosphene.probes.by_layer import counterparts
from phosphene.probes.question import DRAW, Question
from phosphene.probes.subject import Subject
from phosphene.progress import telling
from phosphene.results import Result
from phosphene.spellings import Model, Shown, network_of, picture_of
from phosphene.transforms import Identity
from phosphene.words import percent

INVERT = Recipe(canvas=Fourier(), steps=256, transform=Identity())
"""From noise on a Fourier canvas, where coarse and fine structure are found alike."""


@dataclass(frozen=True, eq=False)
class Inversion(Result):
    """A picture, and for each of `layers` one that the layer cannot well tell from it.

    `errors` are |phi(x) - phi_0| / |phi_0|, of the pictures with the 256 levels of a screen.
    """

    network: str
    original: Float[Tensor, "c h w"]
    layers: tuple[str, ...]
    pictures: Float[Tensor, "n c h w"]
    errors: tuple[float, ...]

    @property
    def summary(self) -> str:
        """The relative error at each layer."""
        told = ", ".join(
            f"{layer} {percent(error)}"
            for layer, error in zip(self.layers, self.errors, strict=True)
        )
        return f"Relative error of the representation in {self.network}: {told}."

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "layers": list(self.layers),
            "errors": list(self.errors),
        }


@telling("inverting")
def invert(
    network: Model,
    picture: Shown,
    layers: str | Sequence[str],
    recipe: Recipe = INVERT,
    *,
    variation: float = 0.1,
    seed: int = 0,
    spectrum: Spectrum | None = None,
) -> Inversion:
    """Find for each layer a picture x that gives the values phi_0 that `picture` gives there.

    Lowered is |phi(x) - phi_0|² / |phi_0|² + variation · TV(x), with the total variation TV in
    differences of neighbouring pixels; from noise, so nothing of the picture but phi_0 is used.

    Raises:
        UnknownLayerError: with the nearest names.
        InputError, ChannelError, SizeError: the picture does not fit.
        ObjectiveError: a layer gives zeros alone.

    *Source:* Mahendran & Vedaldi 2014, arXiv 1412.0035. There steps are taken on pixels, which are
    also held back by their sixth power; here the canvas keeps pictures in [0, 1].
    """
    network = network_of(network)
    shown = picture_of(network, picture)
    smooth = variation * TotalVariation()
    found = counterparts(
        network,
        shown,
        layers,
        lambda layer, values: -RelativeError(layer, values) - smooth,
        recipe,
        seed=seed,
        spectrum=spectrum,
    )
    return Inversion(
        network.name,
        shown.cpu(),
        tuple(one.layer for one in found),
        torch.stack([one.picture for one in found]),
        tuple(one.error for one in found),
    )


@dataclass(frozen=True)
class Inverting(Question):
    """Find what else a layer would take for this picture: what it kept, and what it forgot."""

    name, panel = "invert", DRAW
    layers: tuple[str, ...] = options.layers()
    image: str = options.image()
    variation: float = options.option(
        "number", "Weight of total variation, which keeps pictures smooth.", 0.1
    )
    steps: int = options.steps(INVERT.steps)
    precision: Precision = options.precision()

    def title(self, subject: Subject) -> str:
        """What kept of what."""
        return f"What {', '.join(self.layers)} kept of {self.image}"

    def ask(self, subject: Subject) -> Inversion:
        """The pictures that the layers would take for this one."""
        return invert(
            subject.network,
            subject.picture(self.image)[0],
            self.layers,
            replace(INVERT, steps=self.steps, precision=self.precision),
            variation=self.variation,
            seed=subject.seed,
        )
