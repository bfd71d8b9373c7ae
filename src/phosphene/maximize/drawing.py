"""Draw what units look for, a whole layer in one batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.canvas import Spectrum
from phosphene.errors import ObjectiveError
from phosphene.maximize.choice import chosen
from phosphene.maximize.easel import FIRST, NEXT, Easel
from phosphene.maximize.recipe import STANDARD, Recipe, on_screen
from phosphene.maximize.transparency import opacity, traced
from phosphene.maximize.usual import Usual
from phosphene.network import Network
from phosphene.objectives import Channel, Combination, Term
from phosphene.precisions import Precision
from phosphene.progress import counted, telling
from phosphene.results import Displayed, Result
from phosphene.spellings import Meant, Model, network_of, units_of
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
        easel = Easel(network, chosen(network, layer, recipe, spectrum, usual), seed)
        found |= _drawn(
            _Studio(easel, kept),
            [wanted[i] for i in places],
            None if starts is None else starts[places],
            _ATTEMPTS[:attempts],
        )
    return Drawings(found[unit] for unit in wanted)


def _drawn(
    studio: "_Studio",
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
        for drawing in studio.tried(some, attempt, begin, hurried=len(attempts) > 1):
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
    salt: int
    wakes: bool = False
    from_real: bool = False


_ATTEMPTS = (
    _Attempt("from noise", FIRST),
    _Attempt("from noise, through closed rectifiers", NEXT, wakes=True),
    _Attempt("from other noise, through closed rectifiers", salt=1, wakes=True),
    _Attempt("from the strongest real picture", salt=3, wakes=True, from_real=True),
)

ASLEEP = "no slope to follow"
"""How the note of an attempt ends at whose start a unit slept."""


@dataclass(frozen=True)
class _Studio:
    """An easel, and what becomes of pictures where they are kept."""

    easel: Easel
    kept: Callable[[Tensor], Tensor] | None

    def tried(
        self, units: Sequence[Unit], attempt: _Attempt, starts: Tensor | None, *, hurried: bool
    ) -> list[Drawing]:
        """What one attempt makes of `units`.

        `hurried`, when others follow, it leaves a start at which nothing happens.
        """
        if attempt.wakes:
            return self._woken(units, attempt, starts if attempt.from_real else None)
        return self._unless_asleep(units, attempt) if hurried else self._climbed(units, attempt)

    def _unless_asleep(self, units: Sequence[Unit], attempt: _Attempt) -> list[Drawing]:
        """The ascents of those that do not sleep at the start, and the start of those that do."""
        begin, awake = self.easel.begun(units, attempt.salt)
        down, left = _where(units, ~awake), begin[~awake]
        rested = self._judged(down, attempt, left, torch.zeros_like(left[:, 0]), f", {ASLEEP}")
        still = [drawing for drawing in rested if drawing.silent]  # as it is kept it may wake one
        asleep = {drawing.unit for drawing in still}
        up = [unit for unit in units if unit not in asleep]
        return still + (self._climbed(up, attempt) if up else [])

    def _woken(
        self, units: Sequence[Unit], attempt: _Attempt, starts: Tensor | None
    ) -> list[Drawing]:
        """The ascents of those that wake, and how far the others have come on the way."""
        begin, asked, awake = self.easel.woken(units, attempt.salt, starts)
        left = self._judged(_where(units, ~awake), attempt, begin[~awake], asked[~awake])
        up = _where(units, awake)
        return left + (self._climbed(up, attempt, begin[awake], asked[awake]) if up else [])

    def _climbed(
        self,
        units: Sequence[Unit],
        attempt: _Attempt,
        pictures: Tensor | None = None,
        before: Tensor | None = None,
    ) -> list[Drawing]:
        """The ends of the ascents; of one that asked for nothing counts what was asked `before`."""
        found, asked = traced(self.easel.ascent(units, attempt.salt, pictures))
        if before is not None:
            asked = torch.where(asked.flatten(1).any(1)[:, None, None], asked, before)
        return self._judged(units, attempt, found, asked)

    @torch.no_grad()
    def _judged(
        self,
        units: Sequence[Unit],
        attempt: _Attempt,
        pictures: Tensor,
        asked: Tensor,
        note: str = "",
    ) -> list[Drawing]:
        """The pictures as a screen shows them, and what their units answer to just those."""
        if not units:
            return []
        choice, shown = self.easel.choice, on_screen(pictures)
        objective = choice.objective(units)
        answers = self.easel.answers(units, self._left(shown))
        top, left, bottom, right = choice.patch.box
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
                choice.recipe,
                _of(unit, objective),
            )
            for i, (unit, value) in enumerate(zip(units, answers.tolist(), strict=True))
        ]

    def _left(self, shown: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """What is left of the pictures, each in its surroundings, where they are kept."""
        if self.kept is None:
            return shown
        top, left, bottom, right = self.easel.choice.patch.box
        found = shown.clone()
        for one in found:
            one[:, top:bottom, left:right] = self.kept(one[:, top:bottom, left:right].cpu())
        return found


def _where(units: Sequence[Unit], chosen: Bool[Tensor, "units"]) -> list[Unit]:
    return [unit for unit, is_chosen in zip(units, chosen.tolist(), strict=True) if is_chosen]


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
