"""The strongest real images of a unit: what it saw of each, and what mattered in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy import ndarray

from phosphene.atlas import ExampleRecord, ImageRecord
from phosphene.atlas.codec import farthest, size_of
from phosphene.figures.ink.crops import OUTSIDE, covers, crop
from phosphene.figures.ink.palette import full_strength, on_paper, picture_to_image, signed_to_rgba
from phosphene.figures.ink.png import AnyImage
from phosphene.figures.ink.tile import Tile
from phosphene.figures.views.atlas import AtlasView
from phosphene.shapes import Float, UInt8
from phosphene.units import Box
from phosphene.words import number


@dataclass(frozen=True)
class Patch:
    """One of the strongest real images of a unit: what it saw there and what mattered in it.

    `whole` is the image it is from; where `cut` is false, the patch is all of it. `name` is its
    class; `read` says what it is read as, where that is not known to be its class. `file` is
    where it comes from.
    """

    example: ExampleRecord
    image: ImageRecord
    cut: bool
    box: Box
    name: str | None
    read: str | None
    value: str
    place: str
    file: str | None = None

    @property
    def told(self) -> str:
        """Its class, and what it is read as where that is another; nothing where none is known."""
        labelled = None if self.name is None else f"class {self.name}"
        return ", ".join(filter(None, (labelled, self.read)))

    @cached_property
    def whole(self) -> AnyImage:
        """The image it is from."""
        return picture_to_image(self.image.picture)

    @cached_property
    def crop(self) -> UInt8[ndarray, "h w 4"]:
        """What the unit saw of it."""
        return crop(self.image.picture, self.box)

    @cached_property
    def guided(self) -> UInt8[ndarray, "h w 4"]:
        """What mattered in it."""
        return signed_to_rgba(self._shown, full_strength(self._shown))

    @property
    def _shown(self) -> Float[ndarray, "c h w"]:
        """The map of what is shown of the image."""
        guided = self.example.guided
        if not self.cut:
            top, left, _, _ = self.example.box
            _, _, height, width = self.box
            guided = guided[:, -top : height - top, -left : width - left]
        return guided

    @property
    def map_tile(self) -> Tile:
        """What mattered in it: in three colours the file that the atlas has, with more contrast."""
        file, (top, left, _, _) = self.example.file("guided"), self.example.box
        _, _, height, width = self.box
        part = None if self.cut else (-top, -left, height - top, width - left)
        coloured = file is not None and len(self.example.guided) == 3
        found = Tile.stored(file, part, size_of(file)) if file and coloured else None
        if file is None or found is None:
            return Tile.of(self.guided)
        strongest = float(np.abs(self.example.guided).max())
        limit = full_strength(self._shown)
        return replace(found, contrast=127.5 / farthest(file) * strongest / limit if limit else 1.0)

    @property
    def tile(self) -> Tile:
        """What the unit saw, as a part of the file that the atlas has of the image."""
        return whole_tile(self.image, self.box if self.cut else None)

    @property
    def words(self) -> str:
        """What it is, and what the unit answers."""
        return f"{self.told}: {self.value}" if self.told else self.value

    @property
    def bounds(self) -> Box:
        """Its box without what lies beyond the image's border."""
        _, height, width = self.image.shape
        top, left, bottom, right = self.box
        inside = max(top, 0), max(left, 0), min(bottom, height), min(right, width)
        return self.box if inside[0] >= inside[2] or inside[1] >= inside[3] else inside

    @property
    def inside(self) -> UInt8[ndarray, "h2 w2 4"]:
        """What the unit saw of the image alone."""
        return crop(self.image.picture, self.bounds)

    @property
    def inside_tile(self) -> Tile:
        """The same as a part of the image's file."""
        _, height, width = self.image.shape
        return whole_tile(self.image, None if self.bounds == (0, 0, height, width) else self.bounds)

    @property
    def solid(self) -> UInt8[ndarray, "h w 3"]:
        """What the unit saw, on the colour of what lies beyond the image."""
        return on_paper(self.crop, OUTSIDE)


@dataclass(frozen=True)
class Seen:
    """The patches that can be shown, strongest first, and what to say in the place of the rest."""

    patches: Sequence[Patch]
    lost: Sequence[str]


def seen(view: AtlasView, examples: Sequence[ExampleRecord]) -> Seen:
    """What real images showed a unit."""
    found = [(example, view.image(example.image)) for example in examples]
    return Seen(
        [_patch(view, example, image) for example, image in found if image is not None],
        [
            f"Image {example.image}, which excites it, is damaged."
            for example, image in found
            if image is None
        ],
    )


def _patch(view: AtlasView, example: ExampleRecord, image: ImageRecord) -> Patch:
    _, height, width = image.shape
    whole = covers(example.box, height, width)
    return Patch(
        example=example,
        image=image,
        cut=not whole,
        box=(0, 0, height, width) if whole else example.box,
        name=view.names.of_image(image),
        read=view.names.read_as(image),
        value=number(example.value),
        place="" if example.y is None else f" at row {example.y}, column {example.x}",
        file=view.names.file(image),
    )


def whole_tile(image: ImageRecord, part: Box | None = None) -> Tile:
    """An image that an atlas keeps, or a part of it, as its file where that can be shown."""
    file = image.file("picture")
    found = Tile.stored(file, part) if file else None
    if found is None:
        whole = image.picture
        found = Tile.of(picture_to_image(whole) if part is None else crop(whole, part))
    return found
