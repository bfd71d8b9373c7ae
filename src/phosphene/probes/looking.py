"""A first look at units: the picture drawn for each, its strongest real patches, what in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.attribution import guided
from phosphene.canvas import Spectrum
from phosphene.data import ArrayDataset, Example, batches, load_data, read
from phosphene.errors import RectifierError
from phosphene.maximize import Drawing, Recipe, draw
from phosphene.maximize.recipe import STANDARD
from phosphene.network import Network
from phosphene.objectives import at_places
from phosphene.progress import telling
from phosphene.results import Result
from phosphene.spellings import Meant, Model, Shown, network_of, pictures_of, units_of
from phosphene.survey import Survey, crop, seen_from
from phosphene.units import Unit
from phosphene.words import number, plural

OUTSIDE = 0.93
"""How light it is beyond a picture's border."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A real patch that a unit answers to, what it answers, and which pixels of it matter.

    `map` is guided backpropagation's, signed, None where its rule does not hold for the network;
    both are cut to what the unit sees.
    """

    image: int
    patch: Float[Tensor, "c h w"]
    value: float
    map: Float[Tensor, "c h w"] | None


@dataclass(frozen=True, eq=False)
class Look(Result):
    """What was drawn for each of some units, beside the strongest of the pictures looked through.

    `names` are what to call the units; `seen` holds the patches of each, strongest first, and
    nothing where no pictures were given, which `pictures` counts.
    """

    network: str
    names: tuple[str, ...]
    drawings: tuple[Drawing, ...]
    seen: tuple[tuple[Seen, ...], ...]
    pictures: int

    @property
    def summary(self) -> str:
        """What each unit answers to its picture and to the strongest real one."""
        most = plural(self.pictures, "real picture")
        strongest = [
            f", the strongest of {most} {number(s[0].value)}" if s else "" for s in self.seen
        ]
        return " ".join(map(_sentence, self.names, self.drawings, strongest))

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "pictures": self.pictures,
            "units": [
                {"name": name, **drawing.to_json(), "seen": [[s.image, s.value] for s in seen]}
                for name, drawing, seen in zip(self.names, self.drawings, self.seen, strict=True)
            ],
        }


@telling("looking")
def look(
    model: Model,
    units: Meant,
    data: Dataset[Any] | Shown | None = None,
    *,
    examples: int = 6,
    recipe: Recipe = STANDARD,
    seed: int = 0,
) -> Look:
    """Look at one or several units: draw each, and find what excites it most in `data`.

    `look(model, "layer4:17", data="photos/")` is enough: `model` is a network, a module or a text
    such as `model.py:make`, and `data` a dataset, a text as `load_data` takes it, or pictures.
    With data, what is drawn has its spectrum, `examples` patches are kept of each unit, and the
    maps below them are guided backpropagation's.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        DataError: data that cannot be read.
    """
    network = network_of(model)
    wanted = units_of(network, units)
    pictures = None if data is None else _dataset(network, data)
    spectrum = None
    seen: list[tuple[Seen, ...]] = [()] * len(wanted)
    count = 0
    if pictures is not None:
        spectrum = Spectrum.measure(batch.pictures for batch in batches(pictures))
        layers = list(dict.fromkeys(unit.layer for unit in wanted))
        survey = Survey(network, layers, classes=0, k=examples).over(pictures)
        seen, count = [_strongest(network, survey, pictures, unit) for unit in wanted], survey.count
    drawings = draw(network, wanted, recipe, seed=seed, spectrum=spectrum)
    names = tuple(network.called(unit) for unit in wanted)
    return Look(network.name, names, tuple(drawings), tuple(seen), count)


def _dataset(network: Network, data: Dataset[Any] | Shown) -> Dataset[Any]:
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str):
        return load_data(data, network.input.channels, network.input.size)
    shown = pictures_of(network, data)
    return ArrayDataset((shown * 255).round().to(torch.uint8), None, name="pictures")


def _strongest(
    network: Network, survey: Survey, data: Dataset[Any], unit: Unit
) -> tuple[Seen, ...]:
    """The patches that excite a unit most, and the maps of what it answers there."""
    top = survey.layers[unit.layer].top
    rows = [row[unit.index].tolist() for row in (top.images, top.places, top.values)]
    found = [
        (image, place, value, item.picture)
        for image, place, value in zip(*rows, strict=True)
        if isinstance(item := read(data[image]), Example)
    ]
    if not found:
        return ()
    images, places, values, pictures = zip(*found, strict=True)
    shown, layer = torch.stack(pictures), network.layer(unit.layer)
    boxes = [seen_from(layer, network.fields[layer.name], place) for place in places]
    maps: Sequence[Tensor | None]
    try:
        maps = crop(guided(network, shown, at_places(layer, unit.index, places)).cpu(), boxes)
    except RectifierError:
        maps = [None] * len(images)
    parts = zip(images, crop(shown, boxes, OUTSIDE), values, maps, strict=True)
    return tuple(Seen(image, patch, value, of_it) for image, patch, value, of_it in parts)


def _sentence(name: str, drawing: Drawing, strongest: str) -> str:
    if drawing.silent:
        return f"Nothing that was tried wakes {name}{strongest}."
    reached = number(drawing.activation)
    return f"The picture drawn for {name} makes it answer {reached}{strongest}."
