"""How a unit is drawn where the recipe leaves it open: from what is measured, never from names."""

from dataclasses import dataclass, replace

from phosphene.canvas import Chosen, Spectrum
from phosphene.maximize.recipe import WIDE, Recipe
from phosphene.network import Layer, Network, Patch
from phosphene.transforms import Identity, RandomAffine

SMALL = RandomAffine()
"""Moves of a picture that is made for what a unit sees in one place."""


@dataclass(frozen=True)
class Choice:
    """A `recipe` with nothing left open, and the `spectrum` of pictures of the canvas's size.

    `local` says that the unit sees less than half of the network's picture.
    """

    recipe: Recipe
    spectrum: Spectrum
    patch: Patch
    local: bool


def chosen(network: Network, layer: str, recipe: Recipe, spectrum: Spectrum | None) -> Choice:
    """Fill in what `recipe` leaves open for the units of `layer`.

    1. A unit that sees less than half of the picture sees a window that may lie anywhere: its
       canvas has no mean picture and is free, its moves are small, and its channel is drawn by
       `Energy`, each place counted by its own strength.
    2. A unit that sees most of the picture is drawn by its mean under wide moves, held near the
       usual pictures where the data's mean picture says where things are (see `Chosen`).
    3. Moves of less than a pixel would only blur, and are left out.

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
    if recipe.transform is None:
        recipe = replace(recipe, transform=_moves(recipe, local, patch.size))
    return Choice(recipe, spectrum, patch, local)


def sees_less_than_half(network: Network, layer: Layer) -> bool:
    """Whether a unit of `layer` sees less than half of the network's picture."""
    if not layer.spatial:
        return False
    field = network.fields[layer.name]
    height, width = network.input.size
    return not field.whole and 2 * field.size[0] * field.size[1] < height * width


def _patch(network: Network, layer: Layer, recipe: Recipe) -> Patch:
    """The canvas, and what of it is shown."""
    if recipe.aim == "neuron":
        return network.patch(layer.name)
    size = recipe.size or network.window(layer.name)
    return Patch(size, 0, 0, (0, 0, *size))


def _moves(recipe: Recipe, local: bool, size: tuple[int, int]) -> RandomAffine | Identity:
    if recipe.aim == "channel" and not local:
        return WIDE
    return SMALL if SMALL.shift * max(size) >= 1 else Identity()
