"""The strongest real images of a unit: what it saw of each, and what mattered in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import UInt8
from numpy import ndarray

from phosphene.atlas import ExampleRecord, ImageRecord
from phosphene.figures.ink.crops import OUTSIDE, covers, crop
from phosphene.figures.ink.palette import full_strength, on_paper, picture_to_image, signed_to_rgba
from phosphene.figures.ink.png import AnyImage
from phosphene.figures.views.atlas import AtlasView
from phosphene.units import Box
from phosphene.words import number


@dataclass(frozen=True)
class Patch:
    """One of the strongest real images of a unit: what it saw there and what mattered in it.

    `whole` is the image it is from; where `cut` is false, the patch is all of it. `name` is its
    class; `read` says what it is read as, where its class is not known.
    """

    crop: UInt8[ndarray, "h w 4"]
    guided: UInt8[ndarray, "h w 4"]
    whole: AnyImage
    cut: bool
    box: Box
    name: str | None
    read: str | None
    value: str
    place: str

    @property
    def words(self) -> str:
        """Its class, or what it is read as, and what the unit answers."""
        told = f"class {self.name}" if self.name is not None else self.read
        return f"{told}: {self.value}" if told else self.value

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
    _, height, width = image.picture.shape
    whole = covers(example.box, height, width)
    box = (0, 0, height, width) if whole else example.box
    guided = example.guided
    if whole:
        top, left, _, _ = example.box
        guided = guided[:, -top : height - top, -left : width - left]
    return Patch(
        crop=crop(image.picture, box),
        guided=signed_to_rgba(guided, full_strength(guided)),
        whole=picture_to_image(image.picture),
        cut=not whole,
        box=box,
        name=view.names.of_image(image),
        read=view.names.read_as(image),
        value=number(example.value),
        place="" if example.y is None else f" at row {example.y}, column {example.x}",
    )
