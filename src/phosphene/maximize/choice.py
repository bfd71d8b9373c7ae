"""How a unit is drawn where the recipe leaves it open: from what is measured, never from names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

from phosphene.canvas import Chosen, Fourier, Spectrum
from phosphene.errors import InputError
from phosphene.maximize.optimizers import Optimizer
from phosphene.maximize.recipe import WIDE, Recipe
from phosphene.maximize.usual import Usual
from phosphene.network import Layer, Network, Patch
from phosphene.objectives import Channel, Energy, Neuron, Term
from phosphene.transforms import Identity, RandomAffine, Transform
from phosphene.units import Unit
from phosphene.words import literal

SMALL = RandomAffine()
"""Moves of a picture that is made for what a unit sees in one place."""


EARLY = 1 / 4
"""Of the picture: the most that an early unit sees."""


class Pace(NamedTuple):
    """A share of the steps, each so many times as long."""

    steps: float
    rate: float

    def of(self, recipe: Recipe) -> Recipe:
        """A recipe at this pace."""
        canvas = replace(recipe.canvas, learning_rate=self.rate * recipe.canvas.learning_rate)
        return replace(recipe, canvas=canvas, steps=ceil(self.steps * recipe.steps))


EARLY_PACE = Pace(steps=3 / 8, rate=3.5)
"""Textures of early units come out the same, see docs/decisions.md; later ones become harsher."""


@dataclass(frozen=True)
class Choice:
    """A `recipe` with nothing left open, and the `spectrum` of pictures of the canvas's size.

    `local` says that the units see less than half of the network's picture; `usual` is what real
    pictures make of the layers below, where that is known.
    """

    network: Network
    layer: str
    recipe: Recipe
    spectrum: Spectrum
    patch: Patch
    local: bool
    usual: Usual | None

    def objective(self, units: Sequence[Unit]) -> Term:
        """What pictures of `units` are drawn for."""
        index = tuple(unit.index for unit in units)
        if self.recipe.aim == "neuron":
            return Neuron(self.layer, index, self.patch.y, self.patch.x)
        if self.usual is not None and self.recipe.unusual:
            return self.usual.outstanding(self.network, self.layer, index, self.recipe.unusual)
        return Energy(self.layer, index) if self.local else Channel(self.layer, index)


def chosen(
    network: Network,
    layer: str,
    recipe: Recipe,
    spectrum: Spectrum | None,
    usual: Usual | None = None,
) -> Choice:
    """Fill in what `recipe` leaves open for the units of `layer`.

    1. A unit that sees less than half of the picture sees a window that may lie anywhere: its
       canvas has no mean picture and is free, its moves are small, and its channel is drawn by
       `Energy`, each place counted by its own strength.
    2. A unit that sees most of the picture is drawn by its mean under wide moves. Where the data's
       mean picture says where things are, pictures are held near it (see `Chosen`); elsewhere they
       are free, and it is the layers below that are held near what real pictures make of them: by
       what was measured, or else by what the network itself remembers (see `Usual`).
    3. The channel of a unit that sees at most a quarter of the picture is drawn in fewer, longer
       steps, see `EARLY_PACE`: its recipe's `steps` are the most that are taken.
    4. Moves of less than half a pixel would only blur, and are left out.

    What the recipe does say is kept.
    """
    found = network.layer(layer)
    local = sees_less_than_half(network, found)
    patch = _patch(network, found, recipe)
    channels = network.input.channels
    if spectrum is None:
        spectrum = Spectrum.natural(channels, patch.size)
    if local:
        spectrum = spectrum.fitted((channels, *spectrum.size)).resized(patch.size)
    else:
        spectrum = spectrum.fitted((channels, *patch.size))
    if isinstance(recipe.canvas, Chosen):
        recipe = replace(recipe, canvas=recipe.canvas.suited(spectrum))
        if recipe.aim == "channel" and _seen(network, found) <= EARLY and _paced(recipe):
            recipe = EARLY_PACE.of(recipe)
    free = isinstance(recipe.canvas, Fourier) and recipe.aim == "channel" and not local
    if usual is None and free and recipe.unusual != 0:
        usual = Usual.remembered(network)
    if recipe.unusual and (usual is None or found.name not in usual.moments):
        raise InputError(
            f"unusual={literal(recipe.unusual)} holds the layers below {found.name!r} near what "
            "real pictures make of them, and that is not known of it; measure it with "
            "Usual.measure on two hundred pictures or more, or leave `unusual` out"
        )
    if recipe.unusual is None:
        known = usual is not None and found.name in usual.moments
        recipe = replace(recipe, unusual=usual.hold.weight if usual and free and known else 0.0)
    if recipe.transform is None:
        recipe = replace(recipe, transform=_moves(recipe, local, patch.size))
    return Choice(network, found.name, recipe, spectrum, patch, local, usual)


def sees_less_than_half(network: Network, layer: Layer) -> bool:
    """Whether a unit of `layer` sees less than half of the network's picture."""
    return _seen(network, layer) < 1 / 2


def _seen(network: Network, layer: Layer) -> float:
    """The share of the network's picture that a unit of `layer` sees."""
    if not layer.spatial:
        return 1.0
    field = network.fields[layer.name]
    height, width = network.input.size
    return 1.0 if field.whole else field.size[0] * field.size[1] / (height * width)


def _paced(recipe: Recipe) -> bool:
    """Whether the length of the steps is the tool's own."""
    return recipe.optimizer == Optimizer()


def _patch(network: Network, layer: Layer, recipe: Recipe) -> Patch:
    """The canvas, and what of it is shown."""
    if recipe.aim == "neuron":
        return network.patch(layer.name)
    size = recipe.size or network.window(layer.name)
    return Patch(size, 0, 0, (0, 0, *size))


def _moves(recipe: Recipe, local: bool, size: tuple[int, int]) -> Transform:
    if recipe.aim == "channel" and not local:
        return WIDE
    return SMALL if SMALL.shift * max(size) >= 0.5 else Identity()
