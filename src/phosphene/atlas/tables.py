"""Which table holds which record, and how each field becomes a column.

A column has its field's name; two fields whose names SQL reserves are renamed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from phosphene.atlas import codec
from phosphene.atlas.checksums import CHECKSUM, checksum
from phosphene.atlas.records import (
    Document,
    ExampleRecord,
    Finding,
    ImageRecord,
    Job,
    LayerRecord,
    PictureRecord,
    ProbeRecord,
    Skipped,
    UnitRecord,
)
from phosphene.words import encodable

R = TypeVar("R")

_RENAMED = {"index": "image", "default": "is_default"}


@dataclass(frozen=True)
class Codec:
    """How a field that SQLite has no type for is stored; None is always stored as NULL."""

    encode: Callable[[Any], str | int | bytes]
    decode: Callable[[Any], Any]


_BOOL = Codec(int, bool)
_JSON = Codec(codec.canonical_json, json.loads)
_TUPLE = Codec(codec.canonical_json, lambda text: tuple(json.loads(text)))
_PICTURE = Codec(codec.encode_picture, codec.decode_picture)
_GREY = Codec(
    lambda map_: codec.encode_picture(map_[None]), lambda blob: codec.decode_picture(blob)[0]
)
_SIGNED = Codec(codec.encode_signed, codec.decode_signed)
_EXACT = Codec(codec.encode_exact, codec.decode_exact)


@dataclass(frozen=True)
class Table(Generic[R]):
    """One table: rows are records of one class, `key` tells them apart, `title` calls them.

    Rows belong to a job, whose key stands in front of the record's columns; a job's own row does
    not.
    """

    name: str
    record: type[R]
    key: tuple[str, ...]
    codecs: Mapping[str, Codec]
    title: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The record's columns, in the order of its fields."""
        names = [field.name for field in fields(self.record)]  # type: ignore[arg-type]
        return tuple(_RENAMED.get(name, name) for name in names)

    @property
    def owner(self) -> tuple[str, ...]:
        """The column that names the job, where rows belong to one."""
        return () if self.record is Job else ("job",)

    def row(self, record: R, *owner: str) -> tuple[Any, ...]:
        """What is stored of a record of the job `owner`, with the checksum of it all."""
        values = (*owner, *self._encoded(record, self.columns).values())
        cells = dict(zip((*self.owner, *self.columns), values, strict=True))
        return (*values, checksum(self.name, cells))

    def sound(self, row: Sequence[Any]) -> bool:
        """Whether a row of owner, `columns` and checksum is as it was written."""
        *values, written = row
        cells = dict(zip((*self.owner, *self.columns), values, strict=True))
        return bool(written == checksum(self.name, cells))

    def read(self, row: Sequence[Any]) -> R:
        """The record of a row holding `columns`."""
        cells = zip(self.columns, row, strict=True)
        return self.record(*(self._decode(column, value) for column, value in cells))

    def identity(self, record: R) -> dict[str, Any]:
        """The key columns of a record and their values."""
        return self._encoded(record, self.key)

    def insert(self) -> str:
        """The statement that adds what `row` gives."""
        names = (*self.owner, *self.columns, CHECKSUM)
        marks = ", ".join("?" * len(names))
        return f"INSERT INTO {self.name} ({', '.join(names)}) VALUES ({marks})"

    def _encoded(self, record: R, wanted: Sequence[str]) -> dict[str, Any]:
        named = zip(self.columns, fields(record), strict=True)  # type: ignore[arg-type]
        return {
            column: self._encode(column, getattr(record, field.name))
            for column, field in named
            if column in wanted
        }

    def _encode(self, column: str, value: Any) -> Any:
        if isinstance(value, str):
            value = encodable(value)  # names of files may be no text
        plain = value is None or column not in self.codecs
        return value if plain else self.codecs[column].encode(value)

    def _decode(self, column: str, value: Any) -> Any:
        plain = value is None or column not in self.codecs
        return value if plain else self.codecs[column].decode(value)


JOBS = Table("jobs", Job, ("key",), {"params": _JSON}, "the note on the job “{title}”")
DOCUMENTS = Table("documents", Document, ("name",), {"value": _JSON}, "the document {name}")
LAYERS = Table(
    "layers",
    LayerRecord,
    ("name",),
    {"shape": _TUPLE, "field": _TUPLE, "field_whole": _BOOL, "is_default": _BOOL},
    "the description of the layer {name}",
)
UNITS = Table(
    "units",
    UnitRecord,
    ("layer", "unit"),
    {"histogram_counts": _TUPLE, "class_means": _TUPLE, "weights": _EXACT},
    "what is known of {layer}:{unit}",
)
IMAGES = Table("images", ImageRecord, ("image",), {"picture": _PICTURE}, "image {image}")
EXAMPLES = Table(
    "examples",
    ExampleRecord,
    ("layer", "unit", "rank"),
    {"box": _TUPLE, "guided": _SIGNED},
    "what image {image} showed {layer}:{unit}",
)
PICTURES = Table(
    "pictures",
    PictureRecord,
    ("layer", "unit", "kind", "canvas"),
    {"picture": _PICTURE, "silent": _BOOL, "settings": _JSON, "attempts": _TUPLE, "alpha": _GREY},
    "the {kind} picture of {layer}:{unit} on {canvas}",
)
FINDINGS = Table("findings", Finding, ("position",), {"figures": _JSON}, "finding {position}")
PROBES = Table("probes", ProbeRecord, ("name",), {"figures": _JSON}, "the probe {name}")
SKIPPED = Table("skipped", Skipped, ("path",), {}, "the note on the file {path}")

ARTEFACTS: tuple[Table[Any], ...] = (
    DOCUMENTS,
    LAYERS,
    UNITS,
    IMAGES,
    EXAMPLES,
    PICTURES,
    FINDINGS,
    SKIPPED,
    PROBES,
)
TABLE_OF: Mapping[type, Table[Any]] = {table.record: table for table in ARTEFACTS}
