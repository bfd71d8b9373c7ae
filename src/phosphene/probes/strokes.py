"""What are a few strokes taken for? Drawings from lists of points, and from any image file."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor

from phosphene.data.example import picture
from phosphene.data.ground import border
from phosphene.data.modes import plain
from phosphene.errors import DataError, PhospheneError, UnreadableImageError
from phosphene.probes import options
from phosphene.probes.question import MOVE, Question
from phosphene.probes.subject import Subject
from phosphene.probes.texts import file_hash
from phosphene.results import Result
from phosphene.spellings import Model, network_of
from phosphene.words import class_name, percent

Point = tuple[float, float]
"""(y, x), each from 0 to 1 over the drawing's square."""

FAINT = 0.1
"""Less contrast than this between ink and ground is no drawing."""

BOX = 20 / 28
"""How much of a picture's side MNIST's makers let a digit fill."""


@dataclass(frozen=True)
class Sketch:
    """Polylines drawn with a round pen of `width`, in units of the drawing's side.

    >>> picture = Sketch("dot", (((0.5, 0.5), (0.5, 0.5)),), width=0.5).picture((4, 4))
    >>> picture[0]
    tensor([[0.0000, 0.0000, 0.0000, 0.0000],
            [0.0000, 0.7929, 0.7929, 0.0000],
            [0.0000, 0.7929, 0.7929, 0.0000],
            [0.0000, 0.0000, 0.0000, 0.0000]])
    """

    name: str
    lines: tuple[tuple[Point, ...], ...]
    width: float = 0.09

    def picture(
        self, size: tuple[int, int], channels: int = 1, *, dark: bool = True
    ) -> Float[Tensor, "c h w"]:
        """The drawing in a centred square of a picture, white on black if `dark`, else inverted.

        A pixel's ink is clamp(r - d + 1/2, 0, 1), where d is the distance in pixels from its
        centre to the nearest line and r half the pen's width.
        """
        height, width = size
        side = min(size)
        corner = torch.tensor([(height - side) / 2, (width - side) / 2])
        grid = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        pixels = torch.stack(grid, dim=2)
        distance = torch.full(size, torch.inf)
        for line in self.lines:
            points = torch.tensor(line) * side + corner
            for start, end in pairwise(points):
                distance = torch.minimum(distance, _distance(pixels, start, end))
        ink = (self.width * side / 2 - distance + 0.5).clamp(0, 1)
        return (ink if dark else 1 - ink).expand(channels, -1, -1).clone()


def _distance(pixels: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """From each pixel to the nearest point between `start` and `end`."""
    along = end - start
    share = ((pixels - start) @ along / along.square().sum().clamp_min(1e-12)).clamp(0, 1)
    nearest: Tensor = start + share[:, :, None] * along
    return (pixels - nearest).square().sum(2).sqrt()


def _arc(y: float, x: float, radius: float, start: float, end: float) -> tuple[Point, ...]:
    """Part of a circle, from one angle to another in turns, clockwise from the right."""
    angles = [2 * pi * (start + (end - start) * i / 24) for i in range(25)]
    return tuple((y + radius * sin(a), x + radius * cos(a)) for a in angles)


_DASH: tuple[Point, ...] = ((0.25, 0.28), (0.25, 0.72))
_VERTICAL: tuple[Point, ...] = ((0.18, 0.5), (0.82, 0.5))
_SEVEN: tuple[Point, ...] = ((0.22, 0.3), (0.22, 0.7), (0.82, 0.45))

SKETCHES: tuple[Sketch, ...] = (
    Sketch("dash", (_DASH,)),
    Sketch("dash in the middle", (((0.5, 0.28), (0.5, 0.72)),)),
    Sketch("vertical", (_VERTICAL,)),
    Sketch("slanted", (((0.18, 0.62), (0.82, 0.38)),)),
    Sketch("dash and vertical", (_DASH, _VERTICAL)),
    Sketch("vertical with base", (_VERTICAL, ((0.82, 0.32), (0.82, 0.68)))),
    Sketch("one with flag", (((0.34, 0.34), (0.18, 0.52), (0.82, 0.52)),)),
    Sketch(
        "one with flag and base",
        (((0.34, 0.34), (0.18, 0.52), (0.82, 0.52)), ((0.82, 0.34), (0.82, 0.7))),
    ),
    Sketch("seven", (_SEVEN,)),
    Sketch("seven with bar", (_SEVEN, ((0.52, 0.4), (0.52, 0.7)))),
    Sketch("cross", (((0.25, 0.25), (0.75, 0.75)), ((0.25, 0.75), (0.75, 0.25)))),
    Sketch("ring", (_arc(0.5, 0.5, 0.27, 0, 1),)),
    Sketch("hook", (_arc(0.38, 0.5, 0.18, 0.5, 1.25), ((0.56, 0.5), (0.68, 0.5)))),
)
"""Digits, parts of digits and none of them."""


@dataclass(frozen=True, eq=False)
class StrokeScores(Result):
    """What a network makes of drawings: a picture and class probabilities for each name."""

    names: tuple[str, ...]
    pictures: Float[Tensor, "b c h w"]
    probabilities: Float[Tensor, "b classes"]
    classes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """What each drawing is read as."""
        best, read = self.probabilities.max(1)
        return "; ".join(
            f"{name}: {class_name(self.classes, c)} ({percent(p)})"
            for name, c, p in zip(self.names, read.tolist(), best.tolist(), strict=True)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: name of the drawing, then class, then probability."""
        return {
            name: dict(zip(self.classes, row.tolist(), strict=True))
            for name, row in zip(self.names, self.probabilities, strict=True)
        }


def read_strokes(
    network: Model, sketches: Sequence[Sketch] = SKETCHES, *, dark: bool = True
) -> StrokeScores:
    """Draw `sketches` in the size of the network's input and have them read.

    `dark` says that the network knows light ink on dark ground.

    Raises:
        NetworkError: the network does not classify.

    *Source:* Krishna 2016, "What does your neural network really look for?", where a lone dash is
    a 7 with p = 0.9997.
    """
    network = network_of(network)
    size, channels = network.input.size, network.input.channels
    pictures = torch.stack([sketch.picture(size, channels, dark=dark) for sketch in sketches])
    names = tuple(sketch.name for sketch in sketches)
    return StrokeScores(names, pictures, network.probabilities(pictures).cpu(), network.classes)


@dataclass(frozen=True, eq=False)
class DrawingScores(Result):
    """A user's drawing as the network saw it, and what the network made of it.

    `light` says that its ground was found to be light, `inverted` that the picture was inverted.
    """

    picture: Float[Tensor, "c h w"]
    light: bool
    inverted: bool
    probabilities: Float[Tensor, "classes"]
    classes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """What the drawing is read as, and what was done to it before."""
        best, read = self.probabilities.max(0)
        told = f"Read as {class_name(self.classes, int(read))} ({percent(float(best))})."
        told += f" Its ground was found to be {'light' if self.light else 'dark'}"
        return told + (", so it was inverted." if self.inverted else ".")

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "ground": "light" if self.light else "dark",
            "inverted": self.inverted,
            "probabilities": dict(zip(self.classes, self.probabilities.tolist(), strict=True)),
        }


def read_drawing(
    source: str | Path | Image.Image, network: Model, *, dark: bool = True, centre: bool = True
) -> DrawingScores:
    """Bring a drawing of any size and colours to the network's input and have it read.

    Whether its ground is light or dark is told from its border; it is inverted where the network,
    as `dark` says, knows the other. The ground becomes fully dark (or light), the strongest ink
    the full opposite. With `centre` the ink is cut out, scaled to 20/28 of the input's sides and
    set with its centre of mass in the middle, as MNIST's makers did; else the whole drawing is
    scaled evenly into the input.

    Raises:
        UnreadableImageError: a file that cannot be decoded.
        DataError: nothing is drawn.
        NetworkError: the network does not classify.

    *Source:* LeCun et al. 1998 for the box and the centre of mass.
    """
    network = network_of(network)
    image = source if isinstance(source, Image.Image) else _opened(source)
    pixels = picture(_opaque(plain(image)))
    light = bool(border(pixels.mean(0, keepdim=True)).item() >= 0.5)
    ink = _ink(1 - pixels if light else pixels)
    framed = _centred(ink, network.input.size) if centre else _whole(ink, network.input.size)
    framed = framed / framed.max()
    channels = network.input.channels
    if channels != len(framed):
        framed = framed.mean(0, keepdim=True).expand(channels, -1, -1)
    shown = framed if dark else 1 - framed
    scores = network.probabilities(shown[None])[0].cpu()
    return DrawingScores(shown, light, light == dark, scores, network.classes)


def _opened(path: str | Path) -> Image.Image:
    try:
        with Image.open(path) as file:
            return plain(ImageOps.exif_transpose(file))
    except PhospheneError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        raise UnreadableImageError(
            f"cannot read the drawing {path}: {error}; give a PNG or JPEG file"
        ) from error


def _opaque(image: Image.Image) -> Image.Image:
    """RGB; what is transparent becomes the ground that its ink stands out from."""
    if image.mode not in ("LA", "RGBA"):
        return image.convert("RGB")
    grey, alpha = (picture(image.convert("LA").getchannel(band)) for band in "LA")
    level = float((grey * alpha).sum() / alpha.sum().clamp_min(1e-6))
    ground = Image.new("RGBA", image.size, "black" if level >= 0.5 else "white")
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _ink(pixels: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """How far light pixels stand out from their dark ground."""
    ink = (pixels - border(pixels)).clamp_min(0)
    if ink.max() < FAINT:
        raise DataError(
            f"nothing is drawn: no pixel of the {pixels.shape[1]} x {pixels.shape[2]} image "
            "differs from its border; draw dark on light or light on dark, inside the border"
        )
    return ink


def _centred(ink: Float[Tensor, "c h w"], size: tuple[int, int]) -> Float[Tensor, "c h2 w2"]:
    strong = ink.amax(0) > 0.2 * ink.max()  # fainter than that is noise of a camera or of JPEG
    (top, bottom), (left, right) = (
        (int(found.min()), int(found.max()) + 1)
        for found in (strong.any(1).nonzero(), strong.any(0).nonzero())
    )
    small = _scaled(ink[:, top:bottom, left:right], (round(size[0] * BOX), round(size[1] * BOX)))
    mass = small.mean(0)
    corner = []
    for axis, whole in enumerate(size):
        extent = mass.shape[axis]
        places = torch.arange(extent) + 0.5
        middle = float(mass.sum(1 - axis) @ places / mass.sum())
        corner.append(min(max(round(whole / 2 - middle), 0), whole - extent))
    return _placed(small, size, corner)


def _whole(ink: Float[Tensor, "c h w"], size: tuple[int, int]) -> Float[Tensor, "c h2 w2"]:
    small = _scaled(ink, size)
    corner = [(whole - extent) // 2 for whole, extent in zip(size, small.shape[1:], strict=True)]
    return _placed(small, size, corner)


def _scaled(ink: Float[Tensor, "c h w"], box: tuple[int, int]) -> Float[Tensor, "c h2 w2"]:
    """Evenly, until it just fits into `box`."""
    height, width = ink.shape[1:]
    factor = min(box[0] / height, box[1] / width)
    size = [max(1, round(height * factor)), max(1, round(width * factor))]
    return F.interpolate(ink[None], size, mode="bilinear", antialias=True)[0]


def _placed(ink: Tensor, size: tuple[int, int], corner: Sequence[int]) -> Tensor:
    (top, left), (height, width) = corner, ink.shape[1:]
    return F.pad(ink, (left, size[1] - left - width, top, size[0] - top - height))


@dataclass(frozen=True)
class Strokes(Question):
    """Have a dash, a vertical, a hook … read, or a drawing of your own."""

    name, panel = "strokes", MOVE
    drawing: str | None = options.option(
        "file", "Your own drawing, any size, light or dark ground.", None, key=None
    )
    light: bool = options.option("switch", "The network knows dark ink on light ground.", False)

    @property
    def kind(self) -> str:
        """Strokes, or one drawing."""
        return "strokes" if self.drawing is None else "drawing"

    def title(self, subject: Subject) -> str:
        """What is read."""
        return "Strokes" if self.drawing is None else f"The drawing {Path(self.drawing).name}"

    def key(self, subject: Subject) -> dict[str, Any]:
        """The ground, and what the drawing's file holds."""
        drawn = {} if self.drawing is None else {"drawing": file_hash(self.drawing)}
        return super().key(subject) | drawn

    def ask(self, subject: Subject) -> StrokeScores | DrawingScores:
        """What they are read as."""
        if self.drawing is None:
            return read_strokes(subject.network, dark=not self.light)
        return read_drawing(self.drawing, subject.network, dark=not self.light)
