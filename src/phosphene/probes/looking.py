"""A first look at units: the picture drawn for each, its strongest real patches, what in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from phosphene.attribution import guided
from phosphene.canvas import Spectrum
from phosphene.data import Example, batches, load_data, read
from phosphene.data.dataset import length
from phosphene.data.spec import is_data
from phosphene.errors import DataError, InputError, RectifierError, SizeError
from phosphene.maximize import Drawing, Recipe, draw
from phosphene.maximize.recipe import STANDARD
from phosphene.network import Layer, Network
from phosphene.objectives import at_places, unit_maps
from phosphene.precisions import Precision
from phosphene.progress import tell, telling
from phosphene.results import Result
from phosphene.spellings import Meant, Model, Shown, network_of, pictures_of, units_of
from phosphene.survey import OUTSIDE, Responses, TopExamples, crop, seen_from
from phosphene.units import Unit
from phosphene.words import number, plural


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
            f"; to the strongest of {most} it answers {number(s[0].value)}" if s else ""
            for s in self.seen
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
    steps: int | None = None,
    seed: int = 0,
    precision: Precision | None = None,
) -> Look:
    """Look at one or several units: draw each, and find what excites it most in `data`.

    `look(model, "layer4:17", data="photos/")` is enough: `model` is a network, a module or a text
    such as `model.py:make`, and `data` a dataset, a folder, a text as `load_data` takes it, or
    pictures. With data, which is gone through once, what is drawn has its spectrum, `examples`
    patches are kept of each unit, and the maps below them are guided backpropagation's. A unit
    with a position, such as `conv2:17@3,3`, is looked for at that position alone.
    `steps` and `precision` go before the recipe's.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        InputError, ChannelError, SizeError: pictures that do not fit, or fewer than one example.
        DataError: data that cannot be read, or that the network answers with NaN or infinity.
    """
    if examples < 1:
        raise InputError(f"{examples} examples of each unit; expected at least 1")
    network = network_of(model)
    wanted = units_of(network, units)
    spectrum, count = None, 0
    tops: list[TopExamples] = []
    pictures = _dataset(network, data)
    parts = 1 if pictures is None else 2
    if pictures is not None:
        tell(0, parts, "looking through the data")
        spectrum, tops, count = _gone_through(network, pictures, wanted, examples)
    tell(parts - 1, parts, "drawing")
    drawings = draw(
        network, wanted, recipe, steps=steps, seed=seed, spectrum=spectrum, precision=precision
    )
    tell(parts, parts)
    names = tuple(network.called(unit) for unit in wanted)
    seen: list[tuple[Seen, ...]] = [()] * len(wanted)
    if pictures is not None:
        seen = [_seen(network, pictures, *each) for each in zip(wanted, tops, strict=True)]
    return Look(network.name, names, tuple(drawings), tuple(seen), count)


def _dataset(network: Network, data: Dataset[Any] | Shown | None) -> Dataset[Any] | None:
    if data is None or isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path) and (is_data(str(data)) or not Path(data).is_file()):
        return load_data(str(data), network.input.channels, network.input.size)
    shown = pictures_of(network, data)
    network.input.check_shape(shown)
    network.input.check_values(shown)
    return TensorDataset(shown)


@telling("looking through the data")
def _gone_through(
    network: Network, data: Dataset[Any], units: Sequence[Unit], k: int
) -> tuple[Spectrum, list[TopExamples], int]:
    """In one pass the spectrum of the data, what excites each unit most, and of how many pictures.

    Pictures to which a layer answers NaN or infinity are left out, as a survey leaves them out.
    """
    tops = [TopExamples(1, k) for _ in units]
    layers, total, count = list(dict.fromkeys(unit.layer for unit in units)), length(data), 0

    def pictures() -> Iterator[Tensor]:
        nonlocal count
        done = 0
        for batch in batches(data):
            done += len(batch.indices) + len(batch.skipped)
            if len(batch.indices):
                _check_size(network, batch.pictures)
                yield batch.pictures
                recording = network.record(batch.pictures, layers)
                fine = [recording[layer].flatten(1).isfinite().all(1) for layer in layers]
                kept = torch.stack(fine).all(0)
                count += int(kept.sum())
                for unit, top in zip(units, tops, strict=True):
                    found = _answers(network.layer(unit.layer), unit, recording[unit.layer][kept])
                    top.add(found, batch.indices[kept.cpu()])
            tell(done, total)

    spectrum = Spectrum.measure(pictures())
    if not count:
        raise DataError(f"{network.name} answers NaN or infinity to all of {total} pictures")
    return spectrum, tops, count


def _check_size(network: Network, pictures: Float[Tensor, "b c h w"]) -> None:
    (height, width), (high, wide) = network.input.size, pictures.shape[2:]
    if (height, width) != (high, wide):
        raise SizeError(
            f"pictures of {high} x {wide} pixels; expected {height} x {width}, the network's "
            "input. Image files and PIL images are brought to size"
        )


def _answers(layer: Layer, unit: Unit, values: Tensor) -> Responses:
    """What one unit answers, at its own position if it has one, else where that is most."""
    maps = unit_maps(values)[:, [unit.index]]
    if unit.y is not None and unit.x is not None:
        place = unit.y * layer.shape[-1] + unit.x
        own = maps[..., place].clone()
        maps = torch.full_like(maps, -torch.inf)
        maps[..., place] = own
    return Responses(maps.amax(2), maps)


def _seen(network: Network, data: Dataset[Any], unit: Unit, top: TopExamples) -> tuple[Seen, ...]:
    """The patches that excite a unit most, and the maps of what it answers there."""
    images, places, values = (row[0].tolist() for row in (top.images, top.places, top.values))
    read_again = [read(data[image]) for image in images]
    if any(not isinstance(item, Example) for item in read_again):
        raise DataError("a picture that could be read a moment ago cannot be read any more")
    shown = torch.stack([item.picture for item in read_again if isinstance(item, Example)])
    layer = network.layer(unit.layer)
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
        return f"No picture that was drawn wakes {name}{strongest}."
    reached = number(drawing.activation)
    return f"The picture drawn for {name} makes it answer {reached}{strongest}."
