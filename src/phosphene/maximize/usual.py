"""What real pictures make of a network's layers, so that a picture may be held to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import DataError
from phosphene.network import Network
from phosphene.objectives import Outstanding, Term, Unusual, Values, unit_maps

MOST_LAYERS = 4
"""Enough to hold what lies below a unit, and each costs time in every step."""

_FAINTEST = 0.1
"""Of the layer's median deviation: the least that a unit's own counts for."""


@dataclass(frozen=True)
class Usual:
    """Mean and deviation, over real pictures, of each unit's mean over a picture, by layer."""

    moments: Mapping[str, tuple[Values, Values]]

    @classmethod
    @torch.no_grad()
    def measure(
        cls,
        network: Network,
        pictures: Iterable[Float[Tensor, "_ c h w"]],
        layers: Sequence[str] | None = None,
    ) -> "Usual":
        """Measure some batches of real pictures, by the layers that a study looks at unless given.

        A few hundred pictures are enough; those to which some layer answers no number are left out.
        Raises `DataError` for fewer than two.
        """
        names = [la.name for la in network.default_layers] if layers is None else list(layers)
        found: dict[str, list[Tensor]] = {name: [] for name in names}
        for batch in pictures:
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

    def below(self, network: Network, layer: str) -> tuple[str, ...]:
        """At most four of the known layers before `layer`, evenly, the last among them."""
        order = list(network.layers)
        before = [n for n in order[: order.index(network.layer(layer).name)] if n in self.moments]
        step = len(before) / min(MOST_LAYERS, len(before) or 1)
        return tuple(
            before[round((i + 1) * step) - 1] for i in range(min(MOST_LAYERS, len(before)))
        )

    def outstanding(
        self, network: Network, layer: str, index: tuple[int, ...], weight: float
    ) -> Term:
        """z of units of `layer`, less `weight` times the mean of `Unusual` over layers `below`."""
        mean, deviation = self.moments[layer]
        aim: Term = Outstanding(layer, mean, deviation, index)
        held = self.below(network, layer)
        for name in held:
            aim = aim - (weight / len(held)) * Unusual(name, *self.moments[name])
        return aim

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            name: [[list(part.shape), part.data] for part in pair]
            for name, pair in self.moments.items()
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Usual":
        """The inverse of `to_json`."""
        return cls(
            {
                name: (Values(tuple(mean[0]), mean[1]), Values(tuple(spread[0]), spread[1]))
                for name, (mean, spread) in value.items()
            }
        )


def _moments(means: Float[Tensor, "n units"]) -> tuple[Values, Values]:
    deviation = means.std(dim=0)
    least = _FAINTEST * float(deviation.median())
    return Values.of(means.mean(dim=0)), Values.of(deviation.clamp_min(max(least, 1e-6)))
