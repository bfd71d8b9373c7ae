"""Several unlike pictures of one unit: the different things that it answers to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Spectrum
from phosphene.errors import ObjectiveError
from phosphene.maximize import Recipe, on_screen, paint
from phosphene.maximize.recipe import STANDARD
from phosphene.maximize.scoring import score
from phosphene.objectives import Diversity, Term
from phosphene.precisions import Precision
from phosphene.probes import options
from phosphene.probes.question import DRAW, Question
from phosphene.probes.subject import Subject
from phosphene.progress import tell, telling
from phosphene.results import Result
from phosphene.spellings import Meant, Model, layer_of, network_of, objective_of
from phosphene.streams import Streams
from phosphene.words import number, plural


@dataclass(frozen=True, eq=False)
class Facets(Result):
    """Pictures of one unit, its objective's score on each, and how alike `layer` finds them.

    `similarity` is the mean cosine of a picture's Gram matrix with those of the others.
    """

    network: str
    objective: Term
    layer: str
    pictures: Float[Tensor, "b c h w"]
    scores: tuple[float, ...]
    similarity: tuple[float, ...]

    @property
    def summary(self) -> str:
        """How strong and how alike they are."""
        weakest, strongest = number(min(self.scores)), number(max(self.scores))
        alike = number(sum(self.similarity) / len(self.similarity))
        return (
            f"{plural(len(self.scores), 'picture')} of {self.objective} of {self.network}, "
            f"answered with {weakest} to {strongest}; {self.layer} finds them {alike} alike."
        )

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "objective": self.objective.to_json(),
            "layer": self.layer,
            "scores": list(self.scores),
            "similarity": list(self.similarity),
        }


@telling("drawing facets")
def facets(
    network: Model,
    unit: Meant,
    layer: str | Sequence[str],
    *,
    count: int = 4,
    diversity: float = 0.5,
    recipe: Recipe = STANDARD,
    seed: int = 0,
    spectrum: Spectrum | None = None,
) -> Facets:
    """Draw `count` pictures of `unit` that `layer` finds unlike one another.

    The score is that of the unit, in units of what it reaches without diversity, plus `diversity`
    times `Diversity(layer)`: so a weight of 0.5 means the same for any unit.

    Raises:
        ObjectiveError: fewer than two pictures.
        UnknownLayerError, UnknownUnitError: with the nearest names.

    *Source:* Olah et al. 2017, "Feature Visualization", section on diversity.
    """
    if count < 2:
        raise ObjectiveError(f"{count} pictures cannot differ from one another; ask for two")
    network = network_of(network)
    objective = objective_of(network, unit)
    unlike = Diversity(layer_of(network, layer))
    names = [f"{objective}/{i}" for i in range(count)]

    def painted(term: Term) -> Tensor:
        streams = Streams.seeded(seed, names)
        return on_screen(paint(network, term, recipe, streams, spectrum=spectrum))

    tell(0, 2, "how far it goes alone")
    reached = float(score(network, objective, painted(objective)).mean())
    usual = max(abs(reached), 1e-6)
    tell(1, 2, "unlike one another")
    pictures = painted((1 / usual) * objective + diversity * unlike)
    tell(2, 2)
    scores, similarity = (score(network, term, pictures) for term in (objective, -unlike))
    return Facets(
        network.name,
        objective,
        unlike.layer,
        pictures.cpu(),
        tuple(scores.tolist()),
        tuple(similarity.tolist()),
    )


@dataclass(frozen=True)
class Faceting(Question):
    """Draw several pictures of one unit that are unlike one another."""

    name, panel = "facets", DRAW
    unit: str = options.unit()
    layer: str | None = options.option(
        "layer", "In which layer they must differ. Default: the unit's own.", None
    )
    count: int = options.option("count", "How many pictures.", 4, least=2)
    steps: int = options.steps(STANDARD.steps)
    precision: Precision = options.precision()

    def title(self, subject: Subject) -> str:
        """How many of what."""
        return f"{self.count} facets of {self.unit}"

    def rests_on_data(self, subject: Subject) -> bool:
        """Where there are any: they have the spectrum."""
        return subject.has_data

    def ask(self, subject: Subject) -> Facets:
        """The pictures."""
        unit = subject.unit(self.unit)
        return facets(
            subject.network,
            unit,
            self.layer or unit.layer,
            count=self.count,
            recipe=replace(STANDARD, steps=self.steps, precision=self.precision),
            seed=subject.seed,
            spectrum=subject.spectrum,
        )
