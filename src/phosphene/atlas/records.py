"""What an atlas holds, as plain frozen values, and the table that each kind is kept in.

There is no torch here and no SQL: a class of records and its table are all that a new kind takes.
Arrays are numpy.
Pictures are `c h w` in [0, 1]; boxes are `(top, left, bottom, right)` in pixels of the image.
"""

import io
import json
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from numpy import ndarray
from PIL import Image

from phosphene.atlas.codec import canonical_json, shape_of
from phosphene.atlas.table import (
    EXACT,
    GREY,
    PICTURE,
    SIGNED,
    TABLES,
    Codec,
    Record,
    Table,
    stored,
)
from phosphene.errors import AtlasError
from phosphene.shapes import Float

R = TypeVar("R")


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
    state: Literal["done", "failed"]
    seconds: float
    finished: str
    error: str | None


JOBS = stored("jobs", Job, "key", title="the note on the job “{title}”", owned=False, format=1)


@dataclass(frozen=True)
class Document(Record):
    """A named JSON value that describes the study as a whole, such as `network` or `data`."""

    name: str
    value: Any


DOCUMENTS = stored("documents", Document, "name", title="the document {name}", format=1)


@dataclass(frozen=True, eq=False)
class ArrayRecord(Record):
    """One of the arrays that describe the study as a whole, such as those of its `spectrum`."""

    document: str
    name: str
    array: Float[ndarray, "..."]


ARRAYS = stored(
    "arrays", ArrayRecord, "document", "name", title="the {name} of the {document}", array=EXACT
)


@dataclass(frozen=True)
class LayerRecord(Record):
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


LAYERS = stored(
    "layers", LayerRecord, "name", title="the description of the layer {name}", format=1
)


class Correlated(NamedTuple):
    """A unit that answers much as another does, and how much: Pearson's correlation."""

    unit: int
    correlation: float


@dataclass(frozen=True, eq=False)
class UnitRecord(Record):
    """How one unit behaves over a whole dataset.

    Bin i of the histogram starts at `histogram_low + i * histogram_width`. `class_means` is empty
    when the data has no labels. `twin` is the unit's near-duplicate in the layer, if it has one.
    `correlated` are the units that it correlates with most, by their layers: in its own layer over
    all positions of all pictures, in the ones before and after by its largest value in each
    picture. It is None in an atlas that does not know, and a layer that was not compared is not in
    it.
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
    correlated: dict[str, tuple[Correlated, ...]] | None = None


_CORRELATED = Codec(
    "TEXT",
    canonical_json,
    lambda text: {
        layer: tuple(Correlated(*pair) for pair in pairs)
        for layer, pairs in json.loads(text).items()
    },
)

UNITS = stored(
    "units",
    UnitRecord,
    "layer",
    "unit",
    title="what is known of {layer}:{unit}",
    weights=EXACT,
    correlated=_CORRELATED,
    format=1,
)


@dataclass(frozen=True, eq=False)
class ImageRecord(Record):
    """One image of the dataset that something in the atlas refers to by its `index` there."""

    index: int
    label: int | None
    predicted: int | None
    probability: float | None
    picture: Float[ndarray, "c h w"]

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of the picture, which stays packed."""
        file = self.file("picture")
        return self.picture.shape if file is None else shape_of(file)


IMAGES = stored(
    "images", ImageRecord, "image", title="image {image}", shared=True, picture=PICTURE, format=1
)


@dataclass(frozen=True, eq=False)
class ExampleRecord(Record):
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


EXAMPLES = stored(
    "examples",
    ExampleRecord,
    "layer",
    "unit",
    "rank",
    title="what image {image} showed {layer}:{unit}",
    guided=SIGNED,
    format=1,
)


@dataclass(frozen=True, eq=False)
class PictureRecord(Record):
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


PICTURES = stored(
    "pictures",
    PictureRecord,
    "layer",
    "unit",
    "kind",
    "canvas",
    title="the {kind} picture of {layer}:{unit} on {canvas}",
    picture=PICTURE,
    alpha=GREY,
    format=1,
)


@dataclass(frozen=True)
class Finding(Record):
    """One plain sentence about the network, with the figures it rests on."""

    position: int
    topic: str
    text: str
    figures: dict[str, Any]


FINDINGS = stored("findings", Finding, "position", title="finding {position}", format=1)


@dataclass(frozen=True)
class Skipped(Record):
    """A file of the dataset that could not be read, and why."""

    path: str
    reason: str


SKIPPED = stored(
    "skipped", Skipped, "path", title="the note on the file {path}", shared=True, format=1
)


@dataclass(frozen=True, eq=False)
class ProbeRecord(Record):
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


PROBES = stored("probes", ProbeRecord, "name", title="the probe {name}", format=2)


@dataclass(frozen=True)
class PartRecord(Record):
    """What a part of a pass over the data found, until the pass itself is done.

    `whole` is the key of the pass's job; `shard`, `level` and `count` say which shards it went
    through (see `phosphene.survey.tree`), and `about` with `tensors`, a safetensors file, what it
    found there.
    """

    whole: str
    shard: int
    level: int
    count: int
    about: dict[str, Any]
    tensors: bytes


PARTS = stored(
    "parts",
    PartRecord,
    "whole",
    "shard",
    title="the part of a pass from shard {shard} on",
    shared=True,
)


def artefacts() -> tuple[Table[Any], ...]:
    """The tables of what jobs add."""
    return tuple(table for table in TABLES if table.owned)


def table_of(record: type[R]) -> Table[R]:
    """The table that holds a class of records; raises `AtlasError` where there is none."""
    found = next((table for table in TABLES if table.record is record), None)
    if found is None:
        raise AtlasError(f"an atlas has no table of {record.__name__}; make one by stored(…)")
    return found
