"""Draw what units look for, a whole layer in one batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.canvas import Spectrum
from phosphene.errors import ObjectiveError
from phosphene.maximize.choice import Choice, chosen
from phosphene.maximize.loop import Step, Stop
from phosphene.maximize.recipe import STANDARD, Recipe, follow, on_screen, start
from phosphene.maximize.transparency import opacity, traced
from phosphene.maximize.usual import Usual
from phosphene.maximize.waking import asleep
from phosphene.network import PLAIN, STRAIGHT, Network
from phosphene.objectives import Channel, Combination, Neuron, Term, unit_maps
from phosphene.precisions import Precision
from phosphene.progress import counted, telling
from phosphene.results import Displayed, Result
from phosphene.spellings import Meant, Model, network_of, units_of
from phosphene.streams import Streams, derived
from phosphene.transforms import resized
from phosphene.units import Unit
from phosphene.words import number


@dataclass(frozen=True)
class Drawing(Result):
    """The picture of one unit.

    The picture has the 256 levels of a screen, and `activation` is what the unit answers to just
    that picture: its largest value over all positions, or a neuron's value at its position. A
    `silent` unit never rose above zero; `attempts` says in words what was tried to wake it.
    `alpha` is how opaque each place is, by how much the ascent asked of it: see `opacity`.
    `recipe` is what the picture was made by, with nothing left open, and `objective` what for.
    """

    unit: Unit
    picture: Float[Tensor, "c h w"]
    activation: float
    silent: bool
    attempts: tuple[str, ...]
    alpha: Float[Tensor, "h w"] | None = None
    recipe: Recipe | None = None
    objective: Term | None = None

    @property
    def summary(self) -> str:
        """What the unit answers, or that nothing woke it."""
        if self.silent:
            return f"{self.unit} never fires: {'; '.join(self.attempts)}."
        return f"{self.unit} answers {number(self.activation)} to the picture drawn for it."

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "unit": str(self.unit),
            "activation": self.activation,
            "silent": self.silent,
            "attempts": list(self.attempts),
        }


class Drawings(Displayed, list[Drawing]):
    """Drawings in the order in which they were asked for, which a notebook shows as one figure."""

    @property
    def summary(self) -> str:
        """What each of them says."""
        return " ".join(drawing.summary for drawing in self)

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self))}]"


@telling("drawing")
def draw(
    network: Model,
    units: Meant,
    recipe: Recipe = STANDARD,
    *,
    steps: int | None = None,
    seed: int = 0,
    spectrum: Spectrum | None = None,
    usual: Usual | None = None,
    starts: Float[Tensor, "units c h w"] | None = None,
    kept: Callable[[Tensor], Tensor] | None = None,
    attempts: int | None = None,
    precision: Precision | None = None,
) -> Drawings:
    """Draw `units`, each layer's in one batch: one or several, as `phosphene.spellings` reads them.

    What the recipe leaves open is chosen for the layer, the spectrum of the data and what is
    `usual` for it: see `chosen`. `steps` and `precision` go before the recipe's.
    A unit that stays silent is tried again: from other noise, and from a real picture if `starts`
    has one for each unit, along gradients that pass straight through closed rectifiers until it
    wakes (see `waking`); a start at which it sleeps is then left after a few looks. What a
    unit gets does not depend on the others of the batch. Where pictures `c h w` will be `kept` with
    less than they hold, units are told to answer what they do to what is left. At most so many
    `attempts` are made, all of these unless given.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        ObjectiveError: no units, or starts for more or fewer than there are.
    """
    network = network_of(network)
    wanted = units_of(network, units)
    recipe = recipe if steps is None else replace(recipe, steps=steps)
    recipe = recipe if precision is None else replace(recipe, precision=precision)
    if starts is not None and len(starts) != len(wanted):
        raise ObjectiveError(
            f"{len(starts)} starts were given for {len(wanted)} units; give one for each"
        )
    found: dict[Unit, Drawing] = {}
    for layer in counted(list(dict.fromkeys(unit.layer for unit in wanted))):
        places = [i for i, unit in enumerate(wanted) if unit.layer == layer]
        easel = _Easel(network, chosen(network, layer, recipe, spectrum, usual), seed, kept)
        found |= _drawn(
            easel,
            [wanted[i] for i in places],
            None if starts is None else starts[places],
            _ATTEMPTS[:attempts],
        )
    return Drawings(found[unit] for unit in wanted)


def _drawn(
    easel: "_Easel",
    wanted: Sequence[Unit],
    starts: Float[Tensor, "units c h w"] | None,
    attempts: Sequence["_Attempt"],
) -> dict[Unit, Drawing]:
    """Each unit's best attempt; who is silent is tried again."""
    found: dict[Unit, Drawing] = {}
    for attempt in attempts:
        waiting = [i for i, unit in enumerate(wanted) if unit not in found or found[unit].silent]
        if not waiting or (attempt.from_real and starts is None):
            continue
        some = [wanted[i] for i in waiting]
        begin = None if starts is None else starts[waiting]
        for drawing in easel.tried(some, attempt, begin, hurried=len(attempts) > 1):
            found[drawing.unit] = _better(found.get(drawing.unit), drawing)
    return found


def batch_size(network: Network, layer: str, memory: int = 2**30) -> int:
    """How many pictures may be drawn at once for `layer` in about `memory` bytes.

    The same on every machine, so that a resumed study cuts its work alike.
    """
    return max(1, min(256, memory // drawing_memory(network, layer)))


def drawing_memory(network: Network, layer: str) -> int:
    """About how many bytes one picture takes that is drawn for `layer`.

    Counted from the shapes of the layers up to `layer`, three times over for values, gradients
    and workspace.
    """
    numbers, deepest = 0, network.layer(layer).name
    for found in network.layers.values():
        numbers += prod(found.shape)
        if found.name == deepest:
            break
    return 3 * 4 * numbers


@dataclass(frozen=True)
class _Attempt:
    name: str
    salt: int = 0
    wakes: bool = False
    from_real: bool = False


_ATTEMPTS = (
    _Attempt("from noise"),
    _Attempt("from noise, through closed rectifiers", salt=2, wakes=True),
    _Attempt("from other noise, through closed rectifiers", salt=1, wakes=True),
    _Attempt("from the strongest real picture", salt=3, wakes=True, from_real=True),
)

AWAKE = 2
"""Steps at which a unit must have fired to count as woken; after one the next move may close it."""

ASLEEP = "no slope to follow"
"""How the note of an attempt ends at whose start a unit slept."""


@dataclass(frozen=True)
class _Easel:
    """One layer's units in front of a network."""

    network: Network
    choice: Choice
    seed: int
    kept: Callable[[Tensor], Tensor] | None

    def tried(
        self, units: Sequence[Unit], attempt: _Attempt, starts: Tensor | None, *, hurried: bool
    ) -> list[Drawing]:
        """What one attempt makes of `units`; those that sleep are shown where it left them.

        `hurried`, when others follow, it leaves a start at which nothing happens.
        """
        if attempt.wakes:
            begin, awake = self._woken(units, attempt, starts if attempt.from_real else None)
        elif hurried:
            begin, awake = self._start(units, attempt)
        else:
            return self._judged(units, attempt, *traced(self._ascent(units, attempt)))
        up, down = _parted(units, awake)
        drawn = []
        if up:
            pictures = begin[awake] if attempt.wakes else None
            drawn += self._judged(up, attempt, *traced(self._ascent(up, attempt, pictures)))
        if down:
            left, note = begin[~awake], "" if attempt.wakes else f", {ASLEEP}"
            drawn += self._judged(down, attempt, left, torch.zeros_like(left[:, 0]), note)
        return drawn

    def _start(
        self, units: Sequence[Unit], attempt: _Attempt
    ) -> tuple[Float[Tensor, "b c h w"], Bool[Tensor, "b"]]:
        """The pictures that an attempt starts from, and whether there is anything to follow."""
        choice, streams = self.choice, self._streams(units, attempt)
        canvas = start(
            self.network, choice.recipe, streams, shape=self._shape, spectrum=choice.spectrum
        )
        pictures = canvas().detach()
        awake = self._answers(units, on_screen(pictures)) > 0
        _, silent = _parted(units, awake)
        if silent:
            awake[~awake] = ~asleep(self._ascent(silent, attempt))
        return pictures, awake

    def _woken(
        self, units: Sequence[Unit], attempt: _Attempt, starts: Tensor | None
    ) -> tuple[Float[Tensor, "b c h w"], Bool[Tensor, "b"]]:
        """Pictures at which `units` have a slope to follow, and which of them do."""
        fired = torch.zeros(len(units), dtype=torch.long)

        def fires(step: Step) -> Bool[Tensor, "b"]:
            fired.add_(self._answers(units, on_screen(step.pictures)) > 0)
            return fired >= AWAKE

        begin = None if starts is None else resized(starts, self._shape[1:]).clamp(0, 1)
        pictures, _ = traced(self._ascent(units, attempt, begin, wakes=fires))
        return pictures, self._answers(units, on_screen(pictures)) > 0

    def _ascent(
        self,
        units: Sequence[Unit],
        attempt: _Attempt,
        pictures: Tensor | None = None,
        *,
        wakes: Stop | None = None,
    ) -> Iterator[Step]:
        """The steps of an attempt, or those straight through closed rectifiers until all wake.

        What is to be woken is drawn by its mean: it has no place yet whose strength would count.
        """
        objective = self.choice.objective(units)
        if wakes is not None and not isinstance(objective, Neuron):
            objective = Channel(self.choice.layer, tuple(unit.index for unit in units))
        return follow(
            self.network,
            objective,
            self.choice.recipe,
            self._streams(units, attempt),
            shape=self._shape,
            spectrum=self.choice.spectrum,
            pictures=pictures,
            rule=PLAIN if wakes is None else STRAIGHT,
            stop=wakes,
        )

    def _streams(self, units: Sequence[Unit], attempt: _Attempt) -> Streams:
        return Streams.seeded(derived(self.seed, attempt.salt), units)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return (self.network.input.channels, *self.choice.patch.size)

    @torch.no_grad()
    def _answers(
        self, units: Sequence[Unit], pictures: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b"]:
        """What each of `units` answers to its picture."""
        layer, objective = self.choice.layer, self.choice.objective(units)
        recording = self.network.record(pictures, [layer])
        if isinstance(objective, Neuron):
            return objective(recording).cpu()
        maps = unit_maps(recording[layer])
        return maps.amax(2)[range(len(units)), [unit.index for unit in units]].cpu()

    def _judged(
        self,
        units: Sequence[Unit],
        attempt: _Attempt,
        pictures: Tensor,
        asked: Tensor,
        note: str = "",
    ) -> list[Drawing]:
        """The pictures as a screen shows them, and what their units answer to just those."""
        shown, objective = on_screen(pictures), self.choice.objective(units)
        answers = self._answers(units, self._left(shown))
        top, left, bottom, right = self.choice.patch.box
        alphas = opacity(asked[:, top:bottom, left:right]).cpu()
        shown = shown[:, :, top:bottom, left:right].cpu()
        return [
            Drawing(
                unit,
                shown[i],
                value,
                value <= 0,
                (f"{attempt.name}: reached {number(value)}{note}",),
                alphas[i],
                self.choice.recipe,
                _of(unit, objective),
            )
            for i, (unit, value) in enumerate(zip(units, answers.tolist(), strict=True))
        ]

    def _left(self, shown: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """What is left of the pictures, each in its surroundings, where they are kept."""
        if self.kept is None:
            return shown
        top, left, bottom, right = self.choice.patch.box
        found = shown.clone()
        for one in found:
            one[:, top:bottom, left:right] = self.kept(one[:, top:bottom, left:right].cpu())
        return found


def _parted(units: Sequence[Unit], chosen: Bool[Tensor, "units"]) -> tuple[list[Unit], list[Unit]]:
    """The chosen ones, and the others."""
    told = list(zip(units, chosen.tolist(), strict=True))
    return [unit for unit, is_so in told if is_so], [unit for unit, is_so in told if not is_so]


def _of(unit: Unit, objective: Term) -> Term:
    """The part of an objective of several units that is of one of them, without what is held."""
    if isinstance(objective, Combination):
        objective = Channel(unit.layer, unit.index)
    return replace(objective, index=unit.index)  # type: ignore[type-var]


def _better(old: Drawing | None, new: Drawing) -> Drawing:
    if old is None:
        return new
    attempts = old.attempts + new.attempts
    return replace(new if new.activation > old.activation else old, attempts=attempts)
