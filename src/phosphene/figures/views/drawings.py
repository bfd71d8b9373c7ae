"""The synthetic pictures of a unit, with what can be said of each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy import ndarray

from phosphene.atlas import Job, LayerRecord, PictureRecord
from phosphene.figures.ink.captions import ratio, strength
from phosphene.figures.ink.palette import faded, picture_to_image
from phosphene.figures.ink.png import AnyImage
from phosphene.figures.ink.tile import Tile
from phosphene.figures.views.atlas import AtlasView
from phosphene.shapes import Float, UInt8
from phosphene.words import number


@dataclass(frozen=True)
class Drawing:
    """One synthetic picture; `image` and `tile` are None where the unit could not be woken.

    `ratio` is its activation by that of the strongest real image, None where there is none.
    """

    view: AtlasView
    record: PictureRecord
    title: str
    canvas: str
    activation: str
    share: str
    compared: str
    ratio: float | None
    attempts: Sequence[str]

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """What made it: its own settings, then those of its job."""
        return _settings(self.record, self.view.made(self.record))

    @cached_property
    def image(self) -> AnyImage | None:
        """The picture."""
        return None if self.record.silent else picture_to_image(self.record.picture)

    @cached_property
    def tile(self) -> Tile | None:
        """The picture as the file that the atlas has, where that is one to look at."""
        if self.record.silent:
            return None
        file = self.record.file("picture")
        return (file and Tile.stored(file)) or Tile.of(picture_to_image(self.record.picture))

    @cached_property
    def alpha(self) -> UInt8[ndarray, "h2 w2 2"] | None:
        """How opaque its places are, white on transparent."""
        alpha = self.record.alpha
        return None if self.record.silent or alpha is None else _mask(alpha)

    @cached_property
    def faded(self) -> UInt8[ndarray, "h w 4"] | None:
        """The picture as opaque as its places are."""
        if self.image is None or self.record.alpha is None:
            return None
        return faded(self.image, self.record.alpha)


def drawing(view: AtlasView, layer: LayerRecord, record: PictureRecord) -> Drawing:
    """One synthetic picture with what can be said of it."""
    share, compared = strength(record.activation, record.strongest_real)
    return Drawing(
        view=view,
        record=record,
        title=_title(record, layer, of_class=layer.name == view.names.output),
        canvas=record.canvas,
        activation=number(record.activation),
        share=share,
        compared=compared,
        ratio=None if record.silent else ratio(record.activation, record.strongest_real),
        attempts=record.attempts,
    )


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


def _title(record: PictureRecord, layer: LayerRecord, *, of_class: bool) -> str:
    if record.kind != "channel":
        return f"Excites one {record.kind}"
    if of_class:
        return "Raises the score of the class"
    if len(layer.shape) != 3:
        return "Excites the unit"
    anywhere = record.settings.get("objective", {}).get("type") == "Energy"
    return "Excites the channel wherever it fires" if anywhere else "Excites the whole channel"


def _settings(record: PictureRecord, job: Job | None) -> dict[str, str]:
    """What made a picture: its own settings, then those of the job."""
    if job is None:
        made: dict[str, Any] = {"job": "what is known of it is damaged"}
    else:
        made = {"seed": job.seed, "phosphene": job.version, "job": job.title}
    return {key: _plain(value) for key, value in (record.settings | made).items()}


def _mask(alpha: Float[ndarray, "h w"]) -> UInt8[ndarray, "h w 2"]:
    """In sixteen levels, which are blended between cells and take half of the bytes."""
    shares = picture_to_image(np.rint(15 * alpha[None]) / 15)
    return np.dstack([np.full_like(shares, 255), shares])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
