"""What an atlas holds, as plain frozen values: no torch, no database, arrays are numpy.

Pictures are `c h w` in [0, 1]; boxes are `(top, left, bottom, right)` in pixels of the image.
"""

import io
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from numpy import ndarray
from PIL import Image


@dataclass(frozen=True)
class LayerRecord:
    """One layer. `shape` leaves out the batch; `field` is the receptive field `(h, w)` in pixels.

    `field` is None where it could not be found; `field_whole` says that it takes in the image, and
    `field_bound`, "at least" or "at most", that it could be measured no closer.
    `layout` says how the network itself has the values, and `multiply_adds` what the layer costs
    for one image, with all that runs inside it; both are None in an atlas that does not know.
    """

    name: str
    position: int
    kind: str
    shape: tuple[int, ...]
    units: int
    field: tuple[int, int] | None
    field_whole: bool
    default: bool
    layout: str | None = None
    multiply_adds: int | None = None
    field_bound: str | None = None


@dataclass(frozen=True, eq=False)
class UnitRecord:
    """How one unit behaves over a whole dataset.

    Bin i of the histogram starts at `histogram_low + i * histogram_width`. `class_means` is empty
    when the data has no labels. `twin` is the unit's near-duplicate in the layer, if it has one.
    """

    layer: str
    unit: int
    firing_rate: float
    mean: float
    deviation: float
    maximum: float
    histogram_counts: tuple[int, ...]
    histogram_low: float
    histogram_width: float
    class_means: tuple[float, ...]
    preferred_class: int | None
    selectivity: float | None
    twin: int | None
    twin_correlation: float | None
    weights: Float[ndarray, "..."] | None


@dataclass(frozen=True, eq=False)
class ImageRecord:
    """One image of the dataset that something in the atlas refers to by its `index` there."""

    index: int
    label: int | None
    predicted: int | None
    probability: float | None
    picture: Float[ndarray, "c h w"]


@dataclass(frozen=True, eq=False)
class ExampleRecord:
    """The image that excites a unit most (`rank` 0), second most, …, and where it looks in it.

    `y, x` is the position of the maximum in the layer's map. `box` is what the unit sees there
    and may reach outside the image; `guided` is the signed map of that box, 0 outside:
    a guided gradient, or the plain one where the document `rule` of its job says so.
    """

    layer: str
    unit: int
    rank: int
    image: int
    value: float
    y: int | None
    x: int | None
    box: tuple[int, int, int, int]
    guided: Float[ndarray, "c h w"]


@dataclass(frozen=True, eq=False)
class PictureRecord:
    """A picture made for a unit: `kind` says of what, `canvas` how it was held.

    `strongest_real` is the unit's activation for the strongest real image. `silent` says that
    nothing woke the unit, and `attempts` what was tried. `alpha` is how opaque each place of the
    picture is, by how much was asked of it, in [0, 1] and in fewer pixels than a large picture has.
    """

    layer: str
    unit: int
    kind: str
    canvas: str
    picture: Float[ndarray, "c h w"]
    activation: float
    strongest_real: float | None
    silent: bool
    settings: dict[str, Any]
    attempts: tuple[str, ...]
    alpha: Float[ndarray, "h2 w2"] | None = None


@dataclass(frozen=True)
class Finding:
    """One plain sentence about the network, with the figures it rests on."""

    position: int
    topic: str
    text: str
    figures: dict[str, Any]


@dataclass(frozen=True, eq=False)
class ProbeRecord:
    """What a probe found: `text` in words, `figures` as JSON, `sheet` the bytes of a PNG file.

    `name` tells it from other probes, `kind` says which question was put, `title` how.
    """

    name: str
    kind: str
    title: str
    text: str
    figures: dict[str, Any]
    sheet: bytes

    @property
    def image(self) -> Image.Image:
        """The sheet, decoded."""
        with Image.open(io.BytesIO(self.sheet), formats=["PNG"]) as image:
            image.load()
        return image


@dataclass(frozen=True)
class Skipped:
    """A file of the dataset that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Document:
    """A named JSON value that describes the study as a whole, such as `network` or `data`."""

    name: str
    value: Any


@dataclass(frozen=True)
class Job:
    """What made an artefact: parameters, seed and version, and when it ended.

    `state` is "done" or "failed"; a failed job has no artefacts. `finished` is ISO 8601, UTC.
    """

    key: str
    kind: str
    title: str
    params: dict[str, Any]
    seed: int | None
    version: str
    state: str
    seconds: float
    finished: str
    error: str | None


Record = (
    LayerRecord
    | UnitRecord
    | ImageRecord
    | ExampleRecord
    | PictureRecord
    | Finding
    | ProbeRecord
    | Skipped
    | Document
)
"""Everything a job can add to an atlas."""
