"""Draw what units look for, a whole layer in one batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Spectrum
from phosphene.errors import ObjectiveError
from phosphene.maximize.choice import Choice, chosen
from phosphene.maximize.recipe import STANDARD, Recipe, follow, on_screen
from phosphene.maximize.transparency import opacity, traced
from phosphene.maximize.usual import Usual
from phosphene.network import PLAIN, STRAIGHT, Network, Rule
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
    A unit that stays silent is tried again: from other noise, with gradients that pass straight
    through closed rectifiers, and from a real picture if `starts` has one for each unit. What a
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
        drawn = easel.draw(some, attempt, starts[waiting] if starts is not None else None)
        for drawing in easel.judge(some, attempt, *drawn):
            unit, value = drawing.unit, drawing.activation
            found[unit] = _better(found.get(unit), drawing)
            note = f"{attempt.name}: reached {number(value)}"
            found[unit] = replace(found[unit], attempts=(*found[unit].attempts, note))
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
    rule: Rule = PLAIN
    salt: int = 0
    from_real: bool = False
    as_chosen: bool = False


_ATTEMPTS = (
    _Attempt("from noise", as_chosen=True),
    _Attempt("from other noise", salt=1),
    _Attempt("from noise, gradients straight through rectifiers", rule=STRAIGHT, salt=2),
    _Attempt("from the strongest real picture", rule=STRAIGHT, salt=3, from_real=True),
)
"""What has to be woken first is drawn by its mean alone: no place has a strength to go by yet."""

ATTEMPTS = len(_ATTEMPTS)
"""How often a unit that stays silent is tried, where there is a real picture to start from."""


@dataclass(frozen=True)
class _Easel:
    """One layer's units in front of a network."""

    network: Network
    choice: Choice
    seed: int
    kept: Callable[[Tensor], Tensor] | None

    def objective(self, units: Sequence[Unit], attempt: _Attempt) -> Term:
        if attempt.as_chosen or self.choice.recipe.aim == "neuron":
            return self.choice.objective(units)
        return Channel(self.choice.layer, tuple(unit.index for unit in units))

    def draw(
        self, units: Sequence[Unit], attempt: _Attempt, starts: Tensor | None
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b h w"]]:
        """The pictures of `units` after one ascent, and how much it asked of each place."""
        size = self.choice.patch.size
        begin = starts if attempt.from_real else None
        steps = follow(
            self.network,
            self.objective(units, attempt),
            self.choice.recipe,
            Streams.seeded(derived(self.seed, attempt.salt), units),
            shape=(self.network.input.channels, *size),
            spectrum=self.choice.spectrum,
            pictures=None if begin is None else resized(begin, size).clamp(0, 1),
            rule=attempt.rule,
        )
        return traced(steps)

    @torch.no_grad()
    def judge(
        self, units: Sequence[Unit], attempt: _Attempt, pictures: Tensor, asked: Tensor
    ) -> list[Drawing]:
        """The pictures as a screen shows them, and what their units answer to just those."""
        shown, objective = on_screen(pictures), self.objective(units, attempt)
        layer = self.choice.layer
        recording = self.network.record(self._left(shown), [layer])
        if isinstance(objective, Neuron):
            answers = objective(recording)
        else:
            maps = unit_maps(recording[layer])
            answers = maps.amax(2)[range(len(units)), [unit.index for unit in units]]
        made = self.choice.recipe
        if not attempt.as_chosen:  # nothing is held while a unit is to be woken
            made = replace(made, unusual=0.0)
        top, left, bottom, right = self.choice.patch.box
        alphas = opacity(asked[:, top:bottom, left:right]).cpu()
        shown = shown[:, :, top:bottom, left:right].cpu()
        return [
            Drawing(
                unit,
                shown[i],
                value,
                value <= 0,
                (),
                alphas[i],
                made,
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


def _of(unit: Unit, objective: Term) -> Term:
    """The part of an objective of several units that is of one of them, without what is held."""
    if isinstance(objective, Combination):
        objective = Channel(unit.layer, unit.index)
    return replace(objective, index=unit.index)  # type: ignore[type-var]


def _better(old: Drawing | None, new: Drawing) -> Drawing:
    if old is None:
        return new
    return replace(new if new.activation > old.activation else old, attempts=old.attempts)
