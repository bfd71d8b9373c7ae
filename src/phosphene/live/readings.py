"""What a network answers to one picture: classes, the maps of a layer, where a unit looks."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from pydantic import BaseModel, Field
from torch import Tensor

from phosphene.attribution.names import called, method
from phosphene.circuits import Baseline
from phosphene.circuits.baseline import baseline_of
from phosphene.circuits.target import target_of
from phosphene.figures.ink.palette import full_strength, signed_to_rgba
from phosphene.figures.ink.png import data_uri, png_bytes
from phosphene.live.changes import MOST, Altered, with_changes
from phosphene.live.sent import Kept, Sent, picture_sent
from phosphene.network import Network
from phosphene.network.turns import turn
from phosphene.objectives import Term, unit_maps
from phosphene.units import Unit
from phosphene.words import class_name, number

FIRST = "*"
"""The class that is read, wherever a unit is named."""

WALL = 64
"""Pixels of a side of a unit's map on the wall at most."""


class Bar(BaseModel):
    """A class, and how much the network gives it."""

    index: int
    name: str
    share: float = Field(description="probability, 0 to 1")
    before: float | None = Field(
        default=None, description="the same without the changes that were asked"
    )


class Look(BaseModel):
    """Where a unit or a class looks in a picture."""

    unit: str
    words: str
    value: float
    told: str = Field(description="the value as people read it")
    before: float | None = Field(default=None, description="the value without the changes")
    before_told: str = ""
    src: str = Field(description="a PNG, transparent where the map is zero")


class Wall(BaseModel):
    """The maps of all units of a layer, in one image."""

    layer: str
    units: int
    columns: int
    width: int = Field(description="of one map, in pixels")
    height: int
    src: str = Field(description="a PNG: maps in reading order, each in its own range")
    strongest: list[float] = Field(description="each unit's largest value")


class Reading(BaseModel):
    """All that was asked of a picture."""

    bars: list[Bar] = Field(default_factory=list)
    unread: str = Field("", description="why there are no classes")
    absent: str = Field(default="", description="what removed units have, where some are")
    look: Look | None = None
    wall: Wall | None = None


class Asked(Sent):
    """A picture, and what is to be told of it."""

    bars: int = Field(10, ge=0, le=1000, description="how many classes")
    unit: str = Field(
        "", max_length=300, description="conv2:17, a class, or * for what is read; none: no map"
    )
    method: str = Field("guided", max_length=40, pattern="^[a-z+ -]+$")
    wall: str = Field("", max_length=300, description="a layer; none for no wall")
    changes: list[Altered] = Field(
        default_factory=list,
        max_length=MOST,
        description="units that are removed, kept or raised: classes, map and wall are those of "
        "the changed network, and what it says without them is told beside them",
    )
    baseline: Literal["mean", "zero"] = Field(
        "mean", description="what removed units have: the mean over pictures of the atlas, or zero"
    )


Levels = Callable[[str, bool], Baseline]
"""What each unit of a layer has where it is removed: over zero, or over means."""


def _zero(network: Network) -> Levels:
    return lambda layer, _: baseline_of(network, layer, "zero")


def read(network: Network, asked: Asked, kept: Kept, absent: Levels | None = None) -> Reading:
    """Everything that was asked of a picture, in one turn: what else runs the network waits.

    `absent` knows what removed units have; zero without it.

    Raises:
        UnreadableImageError, DataError: what was sent is no picture.
        UnknownLayerError, UnknownUnitError, ObjectiveError, RectifierError: of the map or wall.
        InputError: of the changes.
    """
    pictures = picture_sent(network, asked, kept)[None]
    with turn(network.module):
        if not asked.changes:
            return _told(network, asked, pictures)
        before, levels = shares(network, pictures), absent or _zero(network)
        zero = asked.baseline == "zero"
        with with_changes(network, asked.changes, lambda layer: levels(layer, zero)) as there:
            changed, words = there
            found = _told(changed, asked, pictures, before)
        if found.look is not None:
            _, value = _target(network, pictures, network.unit(found.look.unit))
            found.look.before, found.look.before_told = value, number(value)
    found.absent = words
    return found


def _told(
    network: Network,
    asked: Asked,
    pictures: Float[Tensor, "1 c h w"],
    before: Float[Tensor, "classes"] | None = None,
) -> Reading:
    """What a network answers; `before` are its probabilities without what was changed in it."""
    found = bars(network, pictures, max(1, asked.bars), before)
    unit = asked.unit
    if unit == FIRST:
        unit = f"{network.logits.name}:{found[0].index}" if found else ""
    return Reading(
        bars=found[: asked.bars],
        unread="" if network.classifies else network.unread,
        look=look(network, pictures, unit, asked.method) if unit else None,
        wall=wall(network, pictures, asked.wall) if asked.wall else None,
    )


def shares(network: Network, pictures: Float[Tensor, "1 c h w"]) -> Float[Tensor, "classes"] | None:
    """The probability of each class; None where the network has none."""
    if not network.classifies:
        return None
    with torch.no_grad():
        return network.probabilities(pictures)[0]


def bars(
    network: Network,
    pictures: Float[Tensor, "1 c h w"],
    count: int,
    before: Float[Tensor, "classes"] | None = None,
) -> list[Bar]:
    """The classes that the network gives most, or gave most `before`, by what it gives now."""
    found = shares(network, pictures) if count else None
    if found is None:
        return []
    ranked = found.clone() if before is None else found.maximum(before)
    ranked[found.argmax()] = torch.inf
    best = ranked.topk(min(count, len(found))).indices
    order = best[found[best].argsort(descending=True, stable=True)].tolist()
    return [
        Bar(
            index=i,
            name=class_name(network.classes, i),
            share=float(found[i]),
            before=None if before is None else float(before[i]),
        )
        for i in order
    ]


def look(network: Network, pictures: Float[Tensor, "1 c h w"], unit: str, way: str) -> Look:
    """Where a unit looks from its strongest place, or a class."""
    meant = network.unit(unit)
    target, value = _target(network, pictures, meant)
    values = method(way)(network, pictures, target)[0].detach().cpu().numpy()
    return Look(
        unit=str(meant),
        words=f"{called(way)} of {network.called(meant)}",
        value=value,
        told=number(value),
        src=_coloured(_summed(values)),
    )


def _target(network: Network, pictures: Float[Tensor, "1 c h w"], unit: Unit) -> tuple[Term, float]:
    """What is looked at of a unit, and its value."""
    target = target_of(network, pictures, unit).term
    with torch.no_grad():
        return target, float(target(network.record(pictures, target.layers))[0])


def _summed(values: Float[ndarray, "c h w"]) -> Float[ndarray, "1 h w"]:
    """One map of all channels, which lies over a picture: in colour it would hide it."""
    return np.asarray(values.sum(0, keepdims=True))


def _coloured(values: Float[ndarray, "1 h w"]) -> str:
    return data_uri(png_bytes(signed_to_rgba(values, full_strength(values))))


def wall(network: Network, pictures: Float[Tensor, "1 c h w"], layer: str) -> Wall:
    """The maps of all units of a layer, each in its own range, or its values where it has none."""
    found = network.layer(layer)
    with torch.no_grad():
        values = network.record(pictures, [found.name])[found.name]
    maps = unit_maps(values)[0]
    shape = tuple(values.shape[2:]) if values.ndim == 4 else (1, maps.shape[1])
    each = _small(maps.reshape(len(maps), *shape)).cpu()
    strongest = maps.amax(1)
    scale = each.abs().amax((1, 2), keepdim=True).clamp_min(1e-12)
    units, height, width = each.shape
    columns = max(1, round((units * height / width) ** 0.5 * (width / height) ** 0.5))
    images = [signed_to_rgba(one.numpy(), 1.0) for one in each / scale]
    return Wall(
        layer=found.name,
        units=units,
        columns=columns,
        width=width,
        height=height,
        src=data_uri(png_bytes(_grid(images, columns))),
        strongest=strongest.tolist(),
    )


def _small(maps: Float[Tensor, "units h w"]) -> Float[Tensor, "units h2 w2"]:
    """Maps no larger than the wall has room for: each spot keeps its largest value."""
    most = max(maps.shape[1:])
    if most <= WALL:
        return maps
    size = [max(1, round(side * WALL / most)) for side in maps.shape[1:]]
    high = torch.nn.functional.adaptive_max_pool2d(maps[None], size)[0]
    low = -torch.nn.functional.adaptive_max_pool2d(-maps[None], size)[0]
    return torch.where(high.abs() >= low.abs(), high, low)


def _grid(images: list[UInt8[ndarray, "h w 4"]], columns: int) -> UInt8[ndarray, "h2 w2 4"]:
    """Images of one size side by side without gaps, the last row filled with nothing."""
    height, width, bands = images[0].shape
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * height, columns * width, bands), np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * height, i % columns * width
        sheet[top : top + height, left : left + width] = image
    return sheet
