"""A layer's units in front of a network: their ascents, and how those that sleep are woken."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.maximize.choice import Choice
from phosphene.maximize.loop import Step, Stop
from phosphene.maximize.recipe import follow, on_screen, start
from phosphene.maximize.transparency import traced
from phosphene.maximize.waking import asleep
from phosphene.network import PLAIN, STRAIGHT, Network
from phosphene.objectives import Channel, Neuron, unit_maps
from phosphene.streams import Streams, derived
from phosphene.transforms import resized
from phosphene.units import Unit

FIRST, NEXT = 0, 2
"""Salts of the noise that a unit is drawn from, and woken from where it sleeps there."""

AWAKE = 2
"""Steps at which a unit must have fired to count as woken; after one the next move may close it."""


@dataclass(frozen=True)
class Easel:
    """Units of one layer, to be drawn as was chosen for it; `salt` makes a seed another's."""

    network: Network
    choice: Choice
    seed: int

    def ascent(
        self,
        units: Sequence[Unit],
        salt: int,
        pictures: Float[Tensor, "b c h w"] | None = None,
        *,
        wakes: Stop | None = None,
    ) -> Iterator[Step]:
        """The steps from noise or `pictures`, or those straight through closed rectifiers.

        The latter last until all wake. What is to be woken is drawn by its mean: it has no place
        yet whose strength would count.
        """
        objective = self.choice.objective(units)
        if wakes is not None and not isinstance(objective, Neuron):
            objective = Channel(self.choice.layer, tuple(unit.index for unit in units))
        return follow(
            self.network,
            objective,
            self.choice.recipe,
            self._streams(units, salt),
            shape=self._shape,
            spectrum=self.choice.spectrum,
            pictures=pictures,
            rule=PLAIN if wakes is None else STRAIGHT,
            stop=wakes,
        )

    def begun(
        self, units: Sequence[Unit], salt: int
    ) -> tuple[Float[Tensor, "b c h w"], Bool[Tensor, "b"]]:
        """The noise that an ascent starts from, and whether there is anything to follow."""
        choice, streams = self.choice, self._streams(units, salt)
        canvas = start(
            self.network, choice.recipe, streams, shape=self._shape, spectrum=choice.spectrum
        )
        pictures = canvas().detach()
        awake = self.answers(units, on_screen(pictures)) > 0
        silent = [unit for unit, answers in zip(units, awake.tolist(), strict=True) if not answers]
        if silent:
            awake[~awake] = ~asleep(self.ascent(silent, salt))
        return pictures, awake

    def woken(
        self, units: Sequence[Unit], salt: int, pictures: Float[Tensor, "b c h2 w2"] | None = None
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b h w"], Bool[Tensor, "b"]]:
        """Pictures at which `units` fire, from noise or pictures of any size.

        Beside them how much was asked of each place on the way, and which units do fire.
        """
        fired = torch.zeros(len(units), dtype=torch.long)

        def fires(step: Step) -> Bool[Tensor, "b"]:
            fired.add_(self.answers(units, on_screen(step.pictures)) > 0)
            return fired >= AWAKE

        if pictures is not None:
            pictures = resized(pictures, self._shape[1:]).clamp(0, 1)
        found, asked = traced(self.ascent(units, salt, pictures, wakes=fires))
        return found, asked, self.answers(units, on_screen(found)) > 0

    @torch.no_grad()
    def answers(
        self, units: Sequence[Unit], pictures: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b"]:
        """What each of `units` answers to its picture: its largest value, or that of its place."""
        layer, objective = self.choice.layer, self.choice.objective(units)
        recording = self.network.record(pictures, [layer])
        if isinstance(objective, Neuron):
            return objective(recording).cpu()
        maps = unit_maps(recording[layer])
        return maps.amax(2)[range(len(units)), [unit.index for unit in units]].cpu()

    def _streams(self, units: Sequence[Unit], salt: int) -> Streams:
        return Streams.seeded(derived(self.seed, salt), units)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return (self.network.input.channels, *self.choice.patch.size)
