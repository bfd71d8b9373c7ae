"""How a picture excites units beside what real pictures do: one unit by far, the rest as usual."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ObjectiveError
from phosphene.network.recorded import Recording
from phosphene.objectives.algebra import LayerTerm
from phosphene.objectives.likeness import Values
from phosphene.objectives.terms import PerImage, _pick, unit_means, unit_variances


@dataclass(frozen=True)
class _Standard(LayerTerm):
    """Base of the terms that count what units make of a picture in deviations of real pictures'.

    z = (mean_p a[unit, p] - mean[unit]) / deviation[unit]
    """

    layer: str
    mean: Values
    deviation: Values

    def __post_init__(self) -> None:
        """Refuse deviations that are not above zero; raises `ObjectiveError`."""
        super().__post_init__()
        if self.mean.shape != self.deviation.shape or not bool((self._moments[1] > 0).all()):
            raise ObjectiveError(
                f"means of shape {self.mean.shape} with deviations of {self.deviation.shape} were "
                f"given for {self.layer}; expected one of each per unit, all deviations above zero"
            )

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        return self.mean.tensor, self.deviation.tensor

    def scores(self, recording: Recording) -> Float[Tensor, "b units"]:
        """z of every unit, per image."""
        found = unit_means(recording[self.layer])
        mean, deviation = (moment.to(found) for moment in self._moments)
        if found.shape[1:] != mean.shape:
            raise ObjectiveError(
                f"{self.layer} has {found.shape[1]} units; means of {len(mean)} were given"
            )
        standard: Tensor = (found - mean) / deviation
        return standard


@dataclass(frozen=True)
class Unusual(_Standard):
    """How far a layer is from what real pictures make of it: subtract it from what is maximised.

    score = sum over units of z², about the number of units for a real picture, where `mean` and
    `deviation` are those of a unit's mean over one picture, `mean_p a[unit, p]`, among real
    pictures. A sum, since it is that of which a real picture is the likelier the less there is of
    it (units taken for independent), and through few units there is less room to go far.

    *Source:* Yin et al. 2020, "Dreaming to Distill" (arXiv 1912.08795), eq. 4. There a batch is
    held to the running statistics of batch normalisation; here each picture by itself, in units of
    what real pictures differ by, in any layer.
    """

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The squared deviations, summed, per image."""
        return self.scores(recording).square().sum(1)

    def __str__(self) -> str:
        return f"unusual in {self.layer}"


@dataclass(frozen=True)
class Unfamiliar(_Standard):
    """How far a layer is from what a batch normalisation remembers of it: to be subtracted.

    score = sum over units of z² + (deviation_p a[unit, p] / deviation[unit] - 1)²

    `mean` and `deviation` are those of a unit's answers at all places of all pictures; for one real
    picture the score is about half the number of units, since most of what places differ by, they
    differ by within a picture.

    *Source:* as for `Unusual`, here also of the deviation, as there.
    """

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The squared deviations of means and of deviations, summed, per image."""
        variance = unit_variances(recording[self.layer])
        deviation = self._moments[1].to(variance)
        # Constant maps have a deviation of zero, whose root has no slope.
        spread = (variance + 1e-6 * deviation.square()).sqrt() / deviation
        return (self.scores(recording).square() + (spread - 1).square()).sum(1)

    def __str__(self) -> str:
        return f"unfamiliar in {self.layer}"


@dataclass(frozen=True)
class Outstanding(_Standard):
    """How far above real pictures a picture excites a unit: its z, as for `Unusual`."""

    index: PerImage = 0
    batched: ClassVar[tuple[str, ...]] = ("index",)

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The unit's deviation, per image."""
        return _pick(self.scores(recording), unit=self.index)

    def __str__(self) -> str:
        return f"outstanding {self.layer}:{self.index}"
