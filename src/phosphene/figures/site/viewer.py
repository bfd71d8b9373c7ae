"""An atlas read the way a person looks at it: unit by unit, in pictures and words.

The page and the standalone figures show the same things; both get them here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from phosphene.atlas import (
    Atlas,
    ExampleRecord,
    ImageRecord,
    Job,
    LayerRecord,
    PictureRecord,
    ProbeRecord,
    UnitRecord,
    expecting,
)
from phosphene.errors import DamagedError, UnfinishedAtlasError
from phosphene.figures.ink.captions import strength
from phosphene.figures.ink.crops import Box, covers, crop
from phosphene.figures.ink.palette import faded, full_strength, picture_to_image, signed_to_rgba
from phosphene.figures.ink.png import AnyImage, mosaic
from phosphene.words import class_name, number, percent, plural, scaled

MOST_KERNELS = 64

_LAYOUTS = {
    "channels_last": "The network itself has the channels last.",
    "tokens": "The network itself has the places as a row of tokens.",
    "token": "It is one token of the network’s row.",
    "flat_maps": "The network itself has each map as one row.",
    "signal": "The network itself has them as a signal, in one dimension.",
    "states": "They are the last states of a recurrent layer.",
    "two_sided": "The network itself has one score z for two classes; theirs are −z/2 and z/2.",
    "two_shares": "The network itself has one share p for two classes; theirs are 1 − p and p.",
}


@dataclass(frozen=True)
class Patch:
    """One of the strongest real images of a unit: what it saw there and what mattered in it.

    `whole` is the image the patch was cut from, None where the patch is all of it; `image` is its
    number. `name` is its class; `read` says what it is read as, where its class is not known.
    """

    crop: UInt8[ndarray, "h w 4"]
    guided: UInt8[ndarray, "h w 4"]
    whole: AnyImage | None
    image: int
    box: Box
    name: str | None
    read: str | None
    value: str
    place: str


@dataclass(frozen=True)
class Drawing:
    """One synthetic picture; `image` is None where the unit could not be woken.

    `alpha` is how opaque its places are, white on transparent, and `faded` the picture with it.
    """

    image: AnyImage | None
    alpha: UInt8[ndarray, "h2 w2 2"] | None
    faded: UInt8[ndarray, "h w 4"] | None
    title: str
    canvas: str
    activation: str
    share: str
    compared: str
    attempts: Sequence[str]
    settings: Mapping[str, str]


@dataclass(frozen=True)
class MapRule:
    """How the maps beside real patches were made; `reason` says why not by guided backpropagation.

    `rule` is empty where what says it is damaged.

    >>> MapRule("guided").maps, MapRule("plain", "it has GELUs").maps
    ('guided gradient', 'plain gradient')
    """

    rule: str
    reason: str | None = None

    @property
    def maps(self) -> str:
        """What to call one of the maps."""
        return f"{self.rule} gradient".strip()


GUIDED = MapRule("guided")
"""The rule wherever nothing else is said."""

UNTOLD = MapRule("")


UNREAD: Mapping[str, Any] = {"told": "", "how": "found", "labels": ()}
"""What an atlas that says nothing of how outputs are read leaves to be assumed."""


class Viewer:
    """Gives every page and figure what it shows of an atlas, and words for what is damaged.

    Raises:
        UnfinishedAtlasError: the study has not come as far as anything to show.
        TruncatedAtlasError: what the atlas says of its network is no description of one.
    """

    def __init__(self, atlas: Atlas) -> None:
        require_begun(atlas)
        self.atlas = atlas
        self.documents: Mapping[str, Any] = atlas.documents()
        self.network: Mapping[str, Any] = self.documents["network"]
        self.layers = atlas.layers()
        with expecting(atlas, self.network, "description of a network"):
            self.outputs: Sequence[str] = tuple(self.network["labels"])
        told = self.documents.get("reading", {})
        with expecting(atlas, told, "description of how outputs are read"):
            self.reading: Mapping[str, Any] = UNREAD | told
            self.labels: Sequence[str] = tuple(self.reading["labels"]) or self.outputs
        self.image = lru_cache(maxsize=512)(atlas.image)
        self.units = lru_cache(maxsize=2)(atlas.units)
        self.weights_limit = cache(self._weights_limit)
        self.examined = cache(atlas.examined)
        self.telling = cache(lambda layer: telling(atlas.pictures(layer)))
        self.rules = {
            name.removeprefix("rule "): MapRule(**value)
            for name, value in self.documents.items()
            if name.startswith("rule ")
        }
        self._images_lost: dict[tuple[str, int], dict[int, str]] = {}

    def lost(self, layer: str, unit: int, table: str) -> list[str]:
        """What to say in the place of a unit's damaged pictures, once they have been asked for."""
        of_layer = self.atlas.damaged(layer, table=table)
        said = [found.sentence for found in of_layer if found.unit in {unit, None}]
        images = self._images_lost.get((layer, unit), {}) if table == "examples" else {}
        return [*said, *images.values()]

    @cached_property
    def probes(self) -> list[ProbeRecord]:
        """The probes that can be told, with how they were asked."""
        return [probe for probe in self.atlas.probes() if self._made(probe) is not None]

    def _made(self, record: ProbeRecord | PictureRecord | ExampleRecord) -> Job | None:
        """The job that made a record; None where its note is damaged."""
        try:
            return self.atlas.provenance(record)
        except DamagedError:
            return None

    def unit_name(self, layer: LayerRecord, unit: int) -> str:
        """`channel 3` of maps, `class cat` of the outputs, `unit 3` of anything else."""
        if self.is_output(layer):
            return f"class {class_name(self.outputs, unit)}"
        return f"{'channel' if len(layer.shape) == 3 else 'unit'} {unit}"

    def shown(self, layer: str) -> list[UnitRecord]:
        """The units that have more to show than statistics."""
        examined = self.examined(layer)
        return [record for record in self.units(layer) if record.unit in examined]

    def not_shown(self, layer: LayerRecord) -> str:
        """Why not all units of a layer are shown, in words; nothing where they are."""
        shown = len(self.examined(layer.name))
        chosen = self.documents.get("chosen", {}).get(layer.name, range(layer.units))
        said = []
        if len(chosen) < layer.units:
            units = plural(layer.units, "unit")
            said.append(f"{len(chosen):,} of {units} are shown, as was chosen; all are measured.")
        if shown < len(chosen):
            said.append(
                f"The study was stopped: of {plural(len(chosen), 'unit')} {shown:,} can be shown "
                "so far. Run `phosphene build` again as before and it goes on; then export again."
            )
        return " ".join(said)

    def inside(self, layer: LayerRecord) -> str:
        """What a layer costs, and how the network has its values where that is unusual."""
        cost = layer.multiply_adds
        said = [f"{scaled(cost)} multiply-adds for one image."] if cost else []
        return " ".join([*said, _LAYOUTS.get(layer.layout or "", "")]).strip()

    def is_output(self, layer: LayerRecord) -> bool:
        """Whether the layer's units are the classes: as was found, in older atlases the last."""
        if "reading" in self.documents:
            return layer.name == self.reading.get("layer")
        return layer.name == self.layers[-1].name and tuple(layer.shape) == (len(self.outputs),)

    def class_name(self, index: int | None) -> str:
        """A label of the data as people call it; "unlabelled" where an image has none."""
        return "unlabelled" if index is None else class_name(self.labels, index)

    def label_of(self, image: ImageRecord) -> str | None:
        """What an image is labelled as: its class, or those of its labels that hold."""
        members = self.documents.get("members", {}).get(str(image.index))
        if members is not None:
            return ", ".join(class_name(self.labels, i) for i in members) or "none of the labels"
        return None if image.label is None else self.class_name(image.label)

    def sentences(self, record: UnitRecord) -> list[str]:
        """What the statistics say about a unit, in plain words."""
        images = plural(sum(record.histogram_counts), "image")
        if record.firing_rate == 0:
            said = self._never_fires(record, images)
        else:
            said = [
                f"Fires on {percent(record.firing_rate)} of {images}; "
                f"its largest response is {number(record.maximum)}."
            ]
        if record.preferred_class is not None and record.firing_rate > 0:
            name = self.class_name(record.preferred_class)
            chosen = "" if record.selectivity is None else f" {number(record.selectivity)}"
            said.append(f"Responds most to class {name}, selectivity{chosen}.")
        if record.twin is not None:
            said.append(f"Unit {record.twin} responds nearly alike.")
        return said

    def _never_fires(self, record: UnitRecord, images: str) -> list[str]:
        drawn = self.atlas.pictures(record.layer, record.unit)
        woken = [picture.activation for picture in drawn if not picture.silent]
        if not woken:
            return [f"Never fires: none of {images} brings its response above zero."]
        return [
            f"Never fires on these images: none of {images} brings its response above zero.",
            f"The picture made for it reaches an activation of {number(max(woken))}.",
        ]

    def firing(self, record: UnitRecord) -> int:
        """How many images the unit fires on."""
        return round(record.firing_rate * sum(record.histogram_counts))

    def patches(self, layer: str, unit: int) -> list[Patch]:
        """The strongest real images of a unit, strongest first, those that are not damaged."""
        found = (self.patch(example) for example in self.atlas.examples(layer, unit))
        return [patch for patch in found if patch is not None]

    def patch(self, example: ExampleRecord) -> Patch | None:
        """What one real image showed the unit; None where that image is damaged."""
        image = self.whole(example.image)
        if image is None:
            lost = self._images_lost.setdefault((example.layer, example.unit), {})
            lost[example.image] = f"Image {example.image}, which excites it, is damaged."
            return None
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
            whole=None if whole else picture_to_image(image.picture),
            image=example.image,
            box=box,
            name=self.label_of(image),
            read=self._read_as(image),
            value=number(example.value),
            place="" if example.y is None else f" at row {example.y}, column {example.x}",
        )

    def whole(self, index: int) -> ImageRecord | None:
        """An image of the data; None where it is damaged."""
        try:
            image: ImageRecord = self.image(index)
        except DamagedError:
            return None
        return image

    def _read_as(self, image: ImageRecord) -> str | None:
        if self.label_of(image) is not None or image.predicted is None:
            return None
        sure = "" if image.probability is None else f", {percent(image.probability)}"
        return f"read as {class_name(self.outputs, image.predicted)}{sure}"

    def map_rule(self, layer: str, unit: int) -> MapRule:
        """How the maps beside a unit's real patches were made."""
        made = [self._made(example) for example in self.atlas.examples(layer, unit)]
        key = made[0].key if made and made[0] else None
        damaged = {found.what for found in self.atlas.damaged(table="documents")}
        if (made and key is None) or f"the document rule {key}" in damaged:
            return UNTOLD
        return self.rules.get(key or "", GUIDED)

    def drawings(self, layer: str, unit: int) -> list[Drawing]:
        """The synthetic pictures of a unit; first the kind that tells most of its layer."""
        kinds = self.telling(layer)
        records = self.atlas.pictures(layer, unit)
        return [
            self.drawing(record)
            for record in sorted(records, key=lambda r: kinds.index((r.kind, r.canvas)))
        ]

    def main_drawings(self, layer: str) -> dict[int, Drawing]:
        """One synthetic picture for each unit of a layer, all of the kind that tells most.

        That is the kind whose pictures come furthest beside the strongest real ones (see
        `telling`); a unit that it could not wake is shown by another, if one could.
        """
        kinds, records = self.telling(layer), self.atlas.pictures(layer)
        chosen: dict[int, PictureRecord] = {}
        for record in sorted(records, key=lambda r: (r.silent, kinds.index((r.kind, r.canvas)))):
            chosen.setdefault(record.unit, record)
        return {unit: self.drawing(chosen[unit]) for unit in sorted(chosen)}

    def drawing(self, record: PictureRecord) -> Drawing:
        """One synthetic picture with what can be said of it."""
        share, compared = strength(record.activation, record.strongest_real)
        image = None if record.silent else picture_to_image(record.picture)
        alpha = None if image is None else record.alpha
        return Drawing(
            image=image,
            alpha=None if alpha is None else _mask(alpha),
            faded=None if alpha is None or image is None else faded(image, alpha),
            title=self._title(record),
            canvas=record.canvas,
            activation=number(record.activation),
            share=share,
            compared=compared,
            attempts=record.attempts,
            settings=self._settings(record),
        )

    def _title(self, record: PictureRecord) -> str:
        layer = self.atlas.layer(record.layer)
        if record.kind != "channel":
            return f"Excites one {record.kind}"
        if self.is_output(layer):
            return "Raises the score of the class"
        if len(layer.shape) != 3:
            return "Excites the unit"
        strength = record.settings.get("objective", {}).get("type") == "Energy"
        return "Excites the channel wherever it fires" if strength else "Excites the whole channel"

    def _settings(self, record: PictureRecord) -> dict[str, str]:
        """What made a picture: its own settings, then those of the job."""
        job = self._made(record)
        if job is None:
            made: dict[str, Any] = {"job": "what is known of it is damaged"}
        else:
            made = {"seed": job.seed, "phosphene": job.version, "job": job.title}
        return {key: _plain(value) for key, value in (record.settings | made).items()}

    def weights(self, record: UnitRecord) -> Float[ndarray, "c h w"] | None:
        """The unit's weights where they are a picture: they look at the image itself.

        That is a kernel over one or three channels, or one weight per value of the input.
        """
        if record.weights is None:
            return None
        size = self.network["input"]
        shape = (size["channels"], size["height"], size["width"])
        if record.weights.ndim == 3 and record.weights.shape[0] in {1, shape[0]} & {1, 3}:
            return record.weights if max(record.weights.shape[1:]) > 1 else None
        if record.weights.ndim == 1 and record.weights.size == np.prod(shape):
            return record.weights.reshape(shape)
        return None

    def weights_image(self, record: UnitRecord) -> UInt8[ndarray, "h w 4"] | None:
        """The weights as a picture, in one range for the whole layer so that units compare."""
        weights = self.weights(record)
        if weights is None:
            return None
        return signed_to_rgba(weights, self.weights_limit(record.layer))

    def kernels_image(self, record: UnitRecord) -> UInt8[ndarray, "h w 4"] | None:
        """A unit's kernels side by side, one per channel of the layer below."""
        weights = record.weights
        if weights is None or weights.ndim != 3 or self.weights(record) is not None:
            return None
        if max(weights.shape[1:]) == 1 or len(weights) > MOST_KERNELS:
            return None
        limit = float(np.abs(weights).max())
        return mosaic([signed_to_rgba(kernel, limit) for kernel in weights])

    def _weights_limit(self, layer: str) -> float:
        """The largest magnitude among the weights of a layer."""
        known = [u.weights for u in self.units(layer) if u.weights is not None]
        return max((float(np.abs(weights).max()) for weights in known), default=0.0)


def telling(records: Sequence[PictureRecord]) -> list[tuple[str, str]]:
    """The kinds of pictures of a layer, `(kind, canvas)`, those that tell most first.

    A kind goes by the median, over the units, of its activation beside that of the strongest real
    image; units that no real image excites and pictures that woke nothing say nothing.
    """
    shares: dict[tuple[str, str], list[float]] = {}
    for record in records:
        reached = shares.setdefault((record.kind, record.canvas), [])
        if not record.silent and record.strongest_real is not None and record.strongest_real > 0:
            reached.append(record.activation / record.strongest_real)
    medians = {kind: float(np.median(found)) if found else 0.0 for kind, found in shares.items()}
    return sorted(medians, key=lambda kind: -medians[kind])


def require_begun(atlas: Atlas) -> None:
    """Raise `UnfinishedAtlasError` unless the pass over the data has been made."""
    described = {"network", "data"} <= atlas.documents().keys()
    if described and any(atlas.units(layer.name) for layer in atlas.layers()):
        return
    for damage in atlas.damaged():
        raise damage.error(atlas.path)
    failed = [f' "{j.title}" ended with {j.error}.' for j in atlas.jobs() if j.state == "failed"]
    raise UnfinishedAtlasError(
        f"the study in {atlas.path} is unfinished: nothing is known of its units yet."
        f"{failed[-1] if failed else ''} "
        "Run the command that began it once more, `phosphene build`, and it goes on from there"
    )


def _mask(alpha: Float[ndarray, "h w"]) -> UInt8[ndarray, "h w 2"]:
    shares = picture_to_image(alpha[None])
    return np.dstack([np.full_like(shares, 255), shares])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
