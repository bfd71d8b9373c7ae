"""What real pictures make of a network's layers, so that a picture may be held to it.

It is measured on some hundred pictures; where there are none, what the network's own batch
normalisations remember of the pictures that it was trained on does nearly as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Fourier
from phosphene.canvas.spectrum import in_batches
from phosphene.errors import DataError
from phosphene.network import Network, remembered
from phosphene.objectives import Outstanding, Term, Unfamiliar, Unusual, Values, unit_maps
from phosphene.spellings import layers_of
from phosphene.streams import Streams
from phosphene.values import Value

Moments = tuple[Values, Values]
"""Mean and deviation of each unit of a layer."""


class Hold(NamedTuple):
    """How layers are held: by which term, at most how many, and at what cost.

    A layer too many only costs time in every step. `weight` is what one unit's squared deviation
    costs, as a mean over the layers, in deviations of the unit that is drawn: docs/decisions.md.
    """

    term: type[Unusual] | type[Unfamiliar]
    most: int
    weight: float


MEASURED = Hold(Unusual, most=4, weight=0.006)
REMEMBERED = Hold(Unfamiliar, most=16, weight=0.06)

_FAINTEST = 0.1
"""Of the layer's median deviation: the least that a unit's own counts for."""

_NOISE = 8
"""Pictures of noise by which the scale of a layer's answers is told."""


@dataclass(frozen=True)
class Usual(Value):
    """What real pictures make of layers: what was measured, or else what is remembered.

    `moments` are the mean and the deviation, over pictures, of each unit's mean over a picture.
    `memory` holds what batch normalisations remember: mean and deviation over all places of all
    pictures; the layers of `moments` are then those whose units can be drawn, and no more is known
    of them than the scale of their answers.
    """

    called: ClassVar[str] = "measure of what is usual"
    moments: Mapping[str, Moments]
    memory: Mapping[str, Moments] = field(default_factory=dict)

    @classmethod
    @torch.no_grad()
    def measure(
        cls,
        network: Network,
        pictures: Float[Tensor, "_ c h w"] | Iterable[Float[Tensor, "_ c h w"]],
        layers: str | Sequence[str] | None = None,
    ) -> "Usual":
        """Measure one or some batches of real pictures, by the layers that a study
        looks at unless given.

        A few hundred pictures are enough; those to which some layer answers no number are left out.
        Raises `DataError` for fewer than two.
        """
        names = (
            [la.name for la in network.default_layers]
            if layers is None
            else layers_of(network, layers)
        )
        found: dict[str, list[Tensor]] = {name: [] for name in names}
        for batch in in_batches(pictures):
            recording = network.record(batch, names)
            for name in names:
                found[name].append(unit_maps(recording[name]).mean(2).cpu())
        means = {name: torch.cat(parts) for name, parts in found.items() if parts}
        fine = (
            torch.stack([part.isfinite().all(1) for part in means.values()]).all(0) if means else ()
        )
        count = int(sum(fine))
        if count < 2:
            raise DataError(f"{count} pictures tell nothing of what is usual; give two or more")
        return cls({name: _moments(part[fine]) for name, part in means.items()})

    @classmethod
    @torch.no_grad()
    def remembered(cls, network: Network) -> "Usual":
        """What the network's own batch normalisations remember; it takes no pictures.

        Nothing is known where nothing was normalised in training, or no longer is. A layer's scale
        is how much its units differ in what they answer to noise with the spectrum of photographs.

        *Source:* Yin et al. 2020, "Dreaming to Distill" (arXiv 1912.08795).
        """
        memory = {
            name: (Values.of(known.mean), Values.of(_floored(known.deviation)))
            for name, known in remembered(network).items()
        }
        if not memory:
            return cls({})
        names = [layer.name for layer in network.default_layers]
        noise = Streams.seeded(0, range(_NOISE))
        pictures = Fourier(spread=1.0).build(noise, network.input.shape)()
        recording = network.record(pictures, names)
        return cls({name: _scale(unit_maps(recording[name]).mean(2)) for name in names}, memory)

    @property
    def hold(self) -> Hold:
        """How layers are held by what is known of them."""
        return REMEMBERED if self.memory else MEASURED

    def below(self, network: Network, layer: str) -> tuple[str, ...]:
        """At most so many of the known layers before `layer`, evenly, the last one among them."""
        order = list(network.layers)
        known = self.memory or self.moments
        before = [n for n in order[: order.index(network.layer(layer).name)] if n in known]
        most = min(self.hold.most, len(before))
        return tuple(before[round((i + 1) * len(before) / most) - 1] for i in range(most))

    def outstanding(
        self, network: Network, layer: str, index: tuple[int, ...], weight: float
    ) -> Term:
        """z of units of `layer`, less `weight` times how unusual the layers `below` are."""
        aim: Term = Outstanding(layer, *self.moments[layer], index)
        known, held = self.memory or self.moments, self.below(network, layer)
        for name in held:
            aim = aim - (weight / len(held)) * self.hold.term(name, *known[name])
        return aim


def _moments(means: Float[Tensor, "n units"]) -> Moments:
    return Values.of(means.mean(dim=0)), Values.of(_floored(means.std(dim=0)))


def _floored(deviation: Float[Tensor, "units"]) -> Float[Tensor, "units"]:
    return deviation.clamp_min(max(_FAINTEST * float(deviation.median()), 1e-6))


def _scale(means: Float[Tensor, "n units"]) -> Moments:
    """One mean and one deviation for all units of a layer; its own size if it has but one."""
    spread = (means - means.mean()).square().mean().sqrt().clamp_min(1e-6)
    like = torch.ones(means.shape[1])
    return Values.of(float(means.mean()) * like), Values.of(float(spread) * like)
