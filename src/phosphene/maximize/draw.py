"""Draw what units look for, a whole layer in one batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.canvas import Spectrum
from phosphene.errors import ObjectiveError
from phosphene.maximize.recipe import Recipe, follow, on_screen
from phosphene.maximize.transparency import opacity, traced
from phosphene.network import PLAIN, STRAIGHT, Network, Patch, Rule
from phosphene.objectives import Channel, Neuron, Term, unit_maps
from phosphene.results import Result
from phosphene.streams import Streams, derived
from phosphene.types import Unit
from phosphene.words import number


@dataclass(frozen=True)
class Drawing(Result):
    """The picture of one unit.

    The picture has the 256 levels of a screen, and `activation` is what the unit answers to just
    that picture: its largest value over all positions, or a neuron's value at its position. A
    `silent` unit never rose above zero; `attempts` says in words what was tried to wake it.
    `alpha` is how opaque each place is, by how much the ascent asked of it: see `opacity`.
    """

    unit: Unit
    picture: Float[Tensor, "c h w"]
    activation: float
    silent: bool
    attempts: tuple[str, ...]
    alpha: Float[Tensor, "h w"] | None = None

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


def draw(
    network: Network,
    units: Sequence[Unit | str],
    recipe: Recipe,
    *,
    seed: int = 0,
    spectrum: Spectrum | None = None,
    starts: Float[Tensor, "units c h w"] | None = None,
) -> list[Drawing]:
    """Draw `units`, all of one layer, in one batch; texts such as "conv2:17" name units too.

    A unit that stays silent is tried again: from other noise, with gradients that pass straight
    through closed rectifiers, and from a real picture if `starts` has one for each unit. What a
    unit gets does not depend on the others of the batch.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        ObjectiveError: units of more than one layer, or no list of units.
    """
    wanted = _units(network, units)
    layers = {unit.layer for unit in wanted}
    if len(layers) != 1:
        raise ObjectiveError(f"units of one layer are drawn at a time; {sorted(layers)} were given")
    easel = _Easel(network, recipe, layers.pop(), seed, spectrum)
    found: dict[Unit, Drawing] = {}
    for attempt in _ATTEMPTS:
        waiting = [i for i, unit in enumerate(wanted) if unit not in found or found[unit].silent]
        if not waiting or (attempt.from_real and starts is None):
            continue
        chosen = [wanted[i] for i in waiting]
        drawn = easel.draw(chosen, attempt, starts[waiting] if starts is not None else None)
        for unit, picture, value, alpha in zip(chosen, *easel.judge(chosen, *drawn), strict=True):
            drawing = Drawing(unit, picture, value, value <= 0, (), alpha)
            found[unit] = _better(found.get(unit), drawing)
            note = f"{attempt.name}: reached {value:.3g}"
            found[unit] = replace(found[unit], attempts=(*found[unit].attempts, note))
    return [found[unit] for unit in wanted]


def _units(network: Network, named: object) -> list[Unit]:
    """The units that are named, each of which `network` has."""
    if isinstance(named, str | Unit) or not isinstance(named, Iterable):
        raise ObjectiveError(
            f"{named!r:.80} is no list of units; write draw(network, ['conv2:17'], recipe), "
            "also for one unit"
        )
    return [network.unit(unit) for unit in named]


def batch_size(network: Network, layer: str, memory: int = 2**30) -> int:
    """How many pictures may be drawn at once for `layer` in about `memory` bytes.

    Counted from the shapes of the layers up to `layer`, three times over for values, gradients
    and workspace; the same on every machine, so that a resumed study cuts its work alike.
    """
    numbers, deepest = 0, network.layer(layer).name
    for found in network.layers.values():
        numbers += prod(found.shape)
        if found.name == deepest:
            break
    return max(1, min(256, memory // (3 * 4 * numbers)))


@dataclass(frozen=True)
class _Attempt:
    name: str
    rule: Rule = PLAIN
    salt: int = 0
    from_real: bool = False


_ATTEMPTS = (
    _Attempt("from noise"),
    _Attempt("from other noise", salt=1),
    _Attempt("from noise, gradients straight through rectifiers", rule=STRAIGHT, salt=2),
    _Attempt("from the strongest real picture", rule=STRAIGHT, salt=3, from_real=True),
)


@dataclass(frozen=True)
class _Easel:
    """One layer's units in front of a network."""

    network: Network
    recipe: Recipe
    layer: str
    seed: int
    spectrum: Spectrum | None

    @property
    def patch(self) -> Patch:
        if self.recipe.aim == "neuron":
            return self.network.patch(self.layer)
        size = self.recipe.size or self.network.window(self.layer)
        return Patch(size, 0, 0, (0, 0, *size))

    def objective(self, units: Sequence[Unit]) -> Term:
        index = tuple(unit.index for unit in units)
        if self.recipe.aim == "neuron":
            return Neuron(self.layer, index, self.patch.y, self.patch.x)
        return Channel(self.layer, index)

    def draw(
        self, units: Sequence[Unit], attempt: _Attempt, starts: Tensor | None
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b h w"]]:
        """The pictures of `units` after one ascent, and how much it asked of each place."""
        shape = (self.network.input.channels, *self.patch.size)
        real = _resized(starts, self.patch.size) if attempt.from_real else None
        streams = Streams.seeded(derived(self.seed, attempt.salt), units)
        steps = follow(
            self.network,
            self.objective(units),
            self.recipe,
            streams,
            shape=shape,
            spectrum=self.spectrum,
            pictures=real,
            rule=attempt.rule,
        )
        return traced(steps)

    @torch.no_grad()
    def judge(
        self, units: Sequence[Unit], pictures: Tensor, asked: Tensor
    ) -> tuple[list[Tensor], list[float], list[Tensor]]:
        """The pictures as a screen shows them, what their units answer to them, and `alpha`."""
        shown = on_screen(pictures)
        recording = self.network.record(shown, [self.layer])
        if self.recipe.aim == "neuron":
            answers = self.objective(units)(recording)
        else:
            maps = unit_maps(recording[self.layer])
            answers = maps.amax(2)[range(len(units)), [unit.index for unit in units]]
        top, left, bottom, right = self.patch.box
        alphas = opacity(asked[:, top:bottom, left:right])
        return list(shown[:, :, top:bottom, left:right].cpu()), answers.tolist(), list(alphas.cpu())


def _resized(pictures: Tensor | None, size: tuple[int, int]) -> Tensor | None:
    """Pictures of another size, still in [0, 1]; themselves if they have the size."""
    if pictures is None or tuple(pictures.shape[2:]) == size:
        return pictures
    return F.interpolate(pictures, size, mode="bilinear", antialias=True).clamp(0, 1)


def _better(old: Drawing | None, new: Drawing) -> Drawing:
    if old is None:
        return new
    return replace(new if new.activation > old.activation else old, attempts=old.attempts)
