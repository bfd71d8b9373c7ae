"""What is asked of a picture beyond a reading: its parts, its moves, its way to another class."""

from typing import Any

import torch
from jaxtyping import Float
from pydantic import BaseModel, Field
from torch import Tensor

from phosphene.circuits import Tree, parts
from phosphene.figures.ink.palette import on_paper, picture_to_image, signed_to_rgba
from phosphene.figures.ink.png import data_uri, png_bytes
from phosphene.live.sent import Kept, Sent, picture_sent
from phosphene.network import Network
from phosphene.probes.morphing import morph
from phosphene.probes.moves import shifts
from phosphene.probes.shift import move_map
from phosphene.spellings import classes_of
from phosphene.words import class_name, percent

_SMALL = 64
"""Pictures up to this side are moved farther: each move costs a pass."""

_UNIT = "conv2:17, or a class by its name"
_CLASS = "a class by its name or number"


class Apart(Sent):
    """A picture, and a unit to be taken apart in it."""

    unit: str = Field(max_length=300, description=_UNIT)
    k: int = Field(4, ge=1, le=8, description="parts of each unit")
    depth: int = Field(2, ge=1, le=3, description="stages")


class Parts(BaseModel):
    """What a unit is made of in a picture."""

    words: str
    tree: dict[str, Any] = Field(description="as `phosphene.parts(...).to_json()`")
    drawing: str = Field("", description="the tree as HTML, its units linked to their pages")


class Everywhere(Sent):
    """A picture to be moved, and the class that is watched."""

    unit: str = Field(max_length=300, description=_CLASS)
    paper: float = Field(0.0, ge=0, le=1, description="what comes from outside the picture")


class Moves(BaseModel):
    """What becomes of a class while its picture is moved, a pixel of the map for each move."""

    words: str
    radius: int = Field(description="in pixels, up, down, left and right")
    probability: list[list[float]]
    src: str = Field(description="a PNG: blue where the class is read, red where another is")


class Towards(Sent):
    """A picture, and the class that it is to become."""

    unit: str = Field(max_length=300, description=_CLASS)
    steps: int = Field(10, ge=1, le=40)
    rate: float = Field(0.02, gt=0, le=1, description="of a step, in deviations of its gradient")


class Frames(BaseModel):
    """A picture on its way to another class, step by step."""

    words: str
    shares: list[float] = Field(description="the class's probability in each frame")
    frames: list[str] = Field(description="PNG files as data: links, the first as it was sent")


def take_apart(
    network: Network, asked: Apart, kept: Kept, data: Float[Tensor, "n c h w"] | None
) -> Tree:
    """A unit's parts in a picture, over the mean of `data`.

    Raises:
        UnreadableImageError, InputError: of the picture.
        UnknownLayerError, UnknownUnitError, ObjectiveError: of the unit.
    """
    picture = picture_sent(network, asked, kept)
    return parts(network, picture, asked.unit, k=asked.k, depth=asked.depth, data=data)


def move_everywhere(network: Network, asked: Everywhere, kept: Kept) -> Moves:
    """The class's probability under every shift of the picture by whole pixels.

    Raises:
        NetworkError: the network does not classify.
        UnknownUnitError: it has no such class.
    """
    picture = picture_sent(network, asked, kept)
    radius = 8 if max(network.input.size) <= _SMALL else 2
    found = move_map(network, picture, asked.unit, shifts(radius), fill=asked.paper)
    p, read = found.probability, found.predicted == found.label
    signed = torch.where(read, p, p - 1).numpy()
    name = class_name(found.classes, found.label)
    return Moves(
        words=f"{percent(float(read.double().mean()))} of all shifts by up to {radius} pixels are "
        f"read as {name}: blue, the middle is where it is now. Red: as another class.",
        radius=radius,
        probability=p.tolist(),
        src=data_uri(png_bytes(on_paper(signed_to_rgba(signed, 1.0)))),
    )


def lead_towards(network: Network, asked: Towards, kept: Kept) -> Frames:
    """The picture, changed in small steps until it is another class to the network.

    Raises:
        NetworkError, UnknownUnitError: as `move_everywhere`.
    """
    picture = picture_sent(network, asked, kept)
    goal = classes_of(network, asked.unit)
    film = morph(network, picture, goal, rate=asked.rate, steps=asked.steps)
    name = class_name(network.classes, goal[0])
    shares = film.towards[:, 0].tolist()
    return Frames(
        words=f"{percent(shares[-1])} {name} after {len(shares) - 1} steps, which changed no pixel "
        f"by more than {percent(float(film.linf[-1, 0]))} of the range.",
        shares=shares,
        frames=[data_uri(png_bytes(picture_to_image(each[0].numpy()))) for each in film.frames],
    )
