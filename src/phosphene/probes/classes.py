"""Pictures of classes, from a blank image."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Pixels, Spectrum
from phosphene.evaluation import Confirmed, confirm
from phosphene.maximize import Optimizer, Recipe, Stop, on_screen, paint, rose
from phosphene.network import PLAIN, STRAIGHT, Network, Rule
from phosphene.objectives import L2, Logit
from phosphene.precisions import Precision
from phosphene.probes import options
from phosphene.probes.question import DRAW, Question
from phosphene.probes.subject import Subject
from phosphene.progress import counted, telling
from phosphene.results import Result
from phosphene.spellings import Classes, classes_of, network_of
from phosphene.streams import Streams
from phosphene.transforms import Identity
from phosphene.words import percent, plural

BLANK = Recipe(
    canvas=Pixels(start="grey"),
    steps=128,
    optimizer=Optimizer("NormalizedGradient", 0.01),
    transform=Identity(),
)
"""Simonyan's way: the pixels themselves, from a blank picture, without any transform."""


@dataclass(frozen=True, eq=False)
class ClassModels(Result):
    """A picture for each of `targets`, and what the network makes of it.

    Pictures have the 256 levels of a screen; `confirmed` tells of just those.
    """

    network: str
    classes: tuple[str, ...]
    targets: tuple[int, ...]
    pictures: Float[Tensor, "b c h w"]
    confirmed: Confirmed

    @property
    def names(self) -> tuple[str, ...]:
        """What the targets are called."""
        return tuple(self.classes[target] for target in self.targets)

    @property
    def summary(self) -> str:
        """How many are read as meant, and how well that stands small moves."""
        first = int((self.confirmed.ranks == 1).sum())
        return (
            f"{self.network} reads {first} of {plural(len(self.targets), 'picture')} as the class "
            f"they were made for, and {percent(float(self.confirmed.robust.mean()))} of their "
            "copies that were shifted, turned and resized."
        )

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "classes": list(self.names),
            "targets": list(self.targets),
            "ranks": self.confirmed.ranks.tolist(),
            "probabilities": self.confirmed.probabilities.tolist(),
            "robust": self.confirmed.robust.tolist(),
        }


@telling("drawing class models")
def class_models(
    network: Network,
    targets: Classes | None = None,
    recipe: Recipe = BLANK,
    *,
    decay: float = 1.0,
    seed: int = 0,
    spectrum: Spectrum | None = None,
    batch: int = 32,
) -> ClassModels:
    """Draw what `network` takes for the purest picture of each class, by number or by name.

    The score is S_c(I) - decay |I - blank|² (the mean over pixels), with the class's logit S_c,
    from the blank picture that the network sees as about zero. Where the blank picture keeps a
    class closed, gradients pass straight through rectifiers until its score rises. Other recipes
    start as their canvas says: `Recipe()` makes the pictures that an atlas holds.

    Raises:
        NetworkError: the network does not classify.
        ObjectiveError: no such class, or no classes at all.

    *Source:* Simonyan, Vedaldi & Zisserman 2013, arXiv 1312.6034, sec. 2. Steps there are plain
    gradients; here they are normalised, so that one rate fits any network.
    """
    network = network_of(network)
    chosen = classes_of(network, targets)
    easel = _Easel(network, recipe, decay, seed, spectrum)
    drawn: list[Tensor] = []
    for first in counted(range(0, len(chosen), batch)):
        drawn.append(easel.draw(chosen[first : first + batch]))
    pictures = torch.cat(drawn)
    return ClassModels(
        network.name,
        network.classes,
        chosen,
        pictures.cpu(),
        confirm(network, pictures, chosen, seed=seed),
    )


@dataclass(frozen=True)
class _Easel:
    """What all classes have in common."""

    network: Network
    recipe: Recipe
    decay: float
    seed: int
    spectrum: Spectrum | None

    def draw(self, targets: tuple[int, ...]) -> Float[Tensor, "b c h w"]:
        pictures = self.ascend(targets)
        blank = (pictures.amax((2, 3)) - pictures.amin((2, 3))).amax(1) < 1 / 255
        closed = blank.nonzero().flatten().tolist()
        if closed:  # no gradient has reached these
            some = tuple(targets[i] for i in closed)
            opened = self.ascend(some, rule=STRAIGHT, stop=rose)
            pictures[closed] = self.ascend(some, opened)
        return on_screen(pictures)

    def ascend(
        self,
        targets: tuple[int, ...],
        pictures: Float[Tensor, "b c h w"] | None = None,
        rule: Rule = PLAIN,
        stop: Stop | None = None,
    ) -> Float[Tensor, "b c h w"]:
        zero = torch.tensor(self.network.input.zero).clamp(0, 1)
        if pictures is None and self.recipe.canvas.start == "grey":
            pictures = zero.view(1, -1, 1, 1).expand(1, *self.network.input.shape)
        return paint(
            self.network,
            Logit(targets) - self.decay * L2(float(zero.mean())),
            self.recipe,
            Streams.seeded(self.seed, targets),
            spectrum=self.spectrum,
            pictures=pictures,
            rule=rule,
            stop=stop,
        )


@dataclass(frozen=True)
class ClassDrawing(Question):
    """Draw classes from a blank picture, after Simonyan."""

    name, panel = "classes", DRAW
    towards: str | None = options.towards("Only these classes, by name: cat,dog. Default: all.")
    decay: float = options.option("number", "How much large values are held back.", 1.0)
    steps: int = options.steps(BLANK.steps)
    precision: Precision = options.precision()

    def title(self, subject: Subject) -> str:
        """Which classes."""
        return f"{self.towards or 'All classes'} from blank"

    def ask(self, subject: Subject) -> ClassModels:
        """The pictures."""
        return class_models(
            subject.network,
            subject.classes(self.towards),
            replace(BLANK, steps=self.steps, precision=self.precision),
            decay=self.decay,
            seed=subject.seed,
        )
