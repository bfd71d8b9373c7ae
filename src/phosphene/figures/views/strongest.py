"""The real pictures that excite a unit most: as an atlas keeps them, or as a survey found them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.atlas import Atlas, ExampleRecord
from phosphene.data import Example, read
from phosphene.errors import InputError
from phosphene.figures.views.atlas import AtlasView
from phosphene.network import Layer, Network
from phosphene.survey import Survey
from phosphene.units import Unit
from phosphene.words import class_name, number


class Strongest(NamedTuple):
    """A real picture that excites a unit, where in it, and what the unit answers there."""

    picture: Float[Tensor, "c h w"]
    place: int
    words: str


def strongest(
    network: Network, found: Survey | Atlas, data: Dataset[object] | None
) -> Callable[[Unit], list[Strongest]]:
    """What finds the pictures that excite a unit most; none before an atlas was built.

    Raises:
        InputError: a survey without the data that it went over.
    """
    if isinstance(found, Atlas):
        kept = partial(_kept, AtlasView(found), network)
    elif data is None:
        raise InputError(
            "a survey was given without data; expected the pictures that it went over, since it "
            "holds none itself: attributions_sheet(network, picture, units, survey, data)"
        )
    else:
        kept = partial(_surveyed, network, found, data)
    return lambda unit: list(kept(unit))


def _kept(view: AtlasView, network: Network, unit: Unit) -> Iterator[Strongest]:
    for example in view.atlas.examples(unit.layer, unit.index):
        image = view.image(example.image)
        if image is not None:
            told = _told(view.names.of_image(image), example.value)
            place = _place(view, network.layer(unit.layer), example)
            yield Strongest(torch.from_numpy(image.picture), place, told)


def _place(view: AtlasView, layer: Layer, example: ExampleRecord) -> int:
    """The number of the position at which a patch excites its unit most."""
    if example.y is not None and example.x is not None:
        return example.y * layer.shape[-1] + example.x
    if len(layer.shape) == 1:
        return 0
    tokens = view.atlas.document(f"top {example.layer}")["places"]  # rows know no tokens
    return int(tokens[example.unit][example.rank])


def _surveyed(
    network: Network, survey: Survey, data: Dataset[object], unit: Unit
) -> Iterator[Strongest]:
    """Those that can be read again."""
    top = survey.layers[unit.layer].top
    rows = (row[unit.index].tolist() for row in (top.images, top.places, top.values))
    for image, place, value in zip(*rows, strict=True):
        item = read(data[image])
        if isinstance(item, Example):
            label = None
            if item.label is not None and network.classifies:
                label = class_name(network.classes, item.label)
            yield Strongest(item.picture, place, _told(label, value))


def _told(label: str | None, value: float) -> str:
    return number(value) if label is None else f"{label}: {number(value)}"
