"""DeepDream: a photograph in which a layer, or some of its units, see more of what they see."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Pixels
from phosphene.errors import InputError
from phosphene.maximize import Optimizer, Recipe, on_screen, paint
from phosphene.maximize.scoring import score
from phosphene.network import Network
from phosphene.objectives import Norm, Term
from phosphene.precisions import Precision
from phosphene.probes import options
from phosphene.probes.question import DRAW, Question
from phosphene.probes.subject import Subject
from phosphene.probes.texts import numbers
from phosphene.progress import counted, telling
from phosphene.results import Result
from phosphene.spellings import Model, Shown, layer_of, network_of, picture_of
from phosphene.streams import Streams
from phosphene.transforms import RandomAffine, resized
from phosphene.words import number, plural

DREAM = Recipe(
    canvas=Pixels(),
    steps=10,
    optimizer=Optimizer("NormalizedGradient", 0.01),
    transform=RandomAffine(shift=0.06, rotate=0.0, scale=(1.0, 1.0), fill="reflection"),
)
"""Per octave: normalised gradient steps on the pixels of a picture that is shifted at each step."""

_SMALLEST = 32
"""Pixels of the short side below which an octave shows a network nothing."""


@dataclass(frozen=True, eq=False)
class Dream(Result):
    """A photograph, what became of it, and what the objective says to both."""

    network: str
    objective: Term
    original: Float[Tensor, "c h w"]
    picture: Float[Tensor, "c h w"]
    octaves: tuple[tuple[int, int], ...]
    scores: tuple[float, float]

    @property
    def summary(self) -> str:
        """What was raised from what to what."""
        before, after = (number(score) for score in self.scores)
        return (
            f"{self.objective} of {self.network} rose from {before} to {after} over "
            f"{plural(len(self.octaves), 'octave')}."
        )

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "objective": self.objective.to_json(),
            "octaves": [list(size) for size in self.octaves],
            "scores": list(self.scores),
        }


@telling("dreaming")
def dream(
    network: Model,
    picture: Shown,
    target: str | Term | Sequence[str],
    *,
    units: Sequence[int] | None = None,
    recipe: Recipe = DREAM,
    octaves: int = 4,
    scale: float = 1.4,
    seed: int = 0,
) -> Dream:
    """Raise the length of a layer's values, or of some of its `units`, starting from `picture`.

    `target` is a layer, for the objective `Norm(layer, units)`, or any objective. The picture is
    worked on at `octaves` sizes, each `scale` times the one before, up to its own. What was added
    at one size is enlarged and added to the picture at the next, so that no detail of it is lost.
    The picture may have any size that the network runs on.

    Raises:
        UnknownLayerError, UnknownUnitError: there is no such layer or unit.
        InputError, ChannelError, SizeError: pictures that do not fit; octaves that are none.

    *Source:* Mordvintsev, Olah & Tyka 2015, "Inceptionism", and its notebook. There steps are
    divided by the mean magnitude of the gradient, here by its deviation.
    """
    if octaves < 1 or not scale > 1:
        raise InputError(
            f"{octaves} octaves, each {scale} times the last; expected one or more, above 1 times"
        )
    network = network_of(network)
    given = picture_of(network, picture)
    network.input.check_shape(given[None])
    objective = _objective(network, target, units)
    sizes = _sizes((given.shape[1], given.shape[2]), octaves, scale)
    whole = given[None].to(network.device)
    added = torch.zeros_like(resized(whole, sizes[0]))
    for octave, size in counted(list(enumerate(sizes))):
        base = resized(whole, size)
        start = (base + resized(added, size)).clamp(0, 1)
        streams = Streams.seeded(seed, [f"octave {octave}"])
        added = paint(network, objective, recipe, streams, pictures=start) - base
    dreamt = on_screen((whole + added).clamp(0, 1))
    before, after = (float(score(network, objective, some)[0]) for some in (whole, dreamt))
    return Dream(
        network.name, objective, given.cpu(), dreamt[0].cpu(), tuple(sizes), (before, after)
    )


def _objective(
    network: Network, target: str | Term | Sequence[str], units: Sequence[int] | None
) -> Term:
    if isinstance(target, Term):
        return target
    layer = layer_of(network, target)
    if units is None:
        return Norm(layer)
    return Norm(layer, tuple(network.unit(f"{layer}:{unit}").index for unit in units))


def _sizes(size: tuple[int, int], octaves: int, scale: float) -> list[tuple[int, int]]:
    """From the smallest octave to the picture's own size; the smallest ones are left out."""
    height, width = size
    sizes = [
        (round(height / scale**octave), round(width / scale**octave))
        for octave in reversed(range(octaves))
    ]
    return [some for some in sizes if min(some) >= min(_SMALLEST, *size)]


@dataclass(frozen=True)
class Dreaming(Question):
    """Let a layer see more of what it sees in a picture: DeepDream."""

    name, panel = "dream", DRAW
    layer: str = options.layer(argument=True)
    image: str = options.image()
    units: str | None = options.option(
        "units", "Only these units of the layer: 3,17. Default: all.", None
    )
    octaves: int = options.option("count", "Sizes worked on.", 4, least=1)
    whole: bool = options.option("switch", "Keep an image file's own size.", False)
    steps: int = options.steps(DREAM.steps, "How many steps at each size.")
    precision: Precision = options.precision()

    def title(self, subject: Subject) -> str:
        """Who dreams of what."""
        return f"{self.layer} dreams of {self.image}"

    def ask(self, subject: Subject) -> Dream:
        """The dream."""
        whole = subject.whole_picture if self.whole else lambda name: subject.picture(name)[0]
        units = None if self.units is None else numbers(self.units, "--units", "3,17")
        return dream(
            subject.network,
            whole(self.image),
            self.layer,
            units=None if units is None else tuple(map(int, units)),
            recipe=replace(DREAM, steps=self.steps, precision=self.precision),
            octaves=self.octaves,
            seed=subject.seed,
        )
