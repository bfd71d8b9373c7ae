"""What a network answers to one picture: classes, the maps of a layer, where a unit looks."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from pydantic import BaseModel, Field
from torch import Tensor

from phosphene.attribution.names import called, method
from phosphene.circuits.target import target_of
from phosphene.figures.ink.palette import full_strength, signed_to_rgba
from phosphene.figures.ink.png import data_uri, png_bytes
from phosphene.live.sent import Kept, Sent, picture_sent
from phosphene.network import Network
from phosphene.objectives import unit_maps
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


class Look(BaseModel):
    """Where a unit or a class looks in a picture."""

    unit: str
    words: str
    value: float
    told: str = Field(description="the value as people read it")
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


def read(network: Network, asked: Asked, kept: Kept) -> Reading:
    """Everything that was asked of a picture.

    Raises:
        UnreadableImageError, DataError: what was sent is no picture.
        UnknownLayerError, UnknownUnitError, ObjectiveError, RectifierError: of the map or wall.
    """
    pictures = picture_sent(network, asked, kept)[None]
    found = bars(network, pictures, max(1, asked.bars))
    unit = asked.unit
    if unit == FIRST:
        unit = f"{network.logits.name}:{found[0].index}" if found else ""
    return Reading(
        bars=found[: asked.bars],
        unread="" if network.classifies else network.unread,
        look=look(network, pictures, unit, asked.method) if unit else None,
        wall=wall(network, pictures, asked.wall) if asked.wall else None,
    )


def bars(network: Network, pictures: Float[Tensor, "1 c h w"], count: int) -> list[Bar]:
    """The classes that the network gives most, the first first."""
    if not network.classifies or not count:
        return []
    with torch.no_grad():
        shares = network.probabilities(pictures)[0]
    best = shares.topk(min(count, len(shares)))
    return [
        Bar(index=i, name=class_name(network.classes, i), share=share)
        for share, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


def look(network: Network, pictures: Float[Tensor, "1 c h w"], unit: str, way: str) -> Look:
    """Where a unit looks from its strongest place, or a class."""
    meant = network.unit(unit)
    target = target_of(network, pictures, meant).term
    values = method(way)(network, pictures, target)[0].detach().cpu().numpy()
    with torch.no_grad():
        value = float(target(network.record(pictures, target.layers))[0])
    return Look(
        unit=str(meant),
        words=f"{called(way)} of {network.called(meant)}",
        value=value,
        told=number(value),
        src=_coloured(_summed(values)),
    )


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
