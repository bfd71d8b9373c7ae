"""Everything that can be asked of an atlas.

What is not as it was written is never handed out. Where it is one of several it is left out and
`damaged` tells of it; asked for by itself it is a `DamagedError`. Someone who adds to an atlas
gets that error in either case, since what rests on a part of the units would say something false.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
from numpy import ndarray

from phosphene.atlas.damage import (
    Damage,
)
from phosphene.atlas.files import translated
from phosphene.atlas.made import UnitEdge, between, made_of, part_of
from phosphene.atlas.records import (
    ARRAYS,
    DOCUMENTS,
    EXAMPLES,
    FINDINGS,
    IMAGES,
    JOBS,
    LAYERS,
    PICTURES,
    PROBES,
    SKIPPED,
    UNITS,
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
    artefacts,
    table_of,
)
from phosphene.atlas.rows import Rows
from phosphene.atlas.table import Record
from phosphene.errors import (
    AtlasError,
    UnknownLayerError,
    UnknownUnitError,
    nearest,
)
from phosphene.shapes import Float
from phosphene.words import encodable

R = TypeVar("R")

_WALL_CLOCK = ("seconds", "finished")

CLOCK = "price"
"""The kind of job that tells of time and nothing else."""


class Reader(Rows):
    """The questions; `Atlas` adds opening, writing and closing."""

    def layers(self) -> tuple[LayerRecord, ...]:
        """All layers, in the order the network runs them."""
        return self._select(LAYERS, "ORDER BY position")

    def layer(self, name: str) -> LayerRecord:
        """One layer; raises `UnknownLayerError` with the nearest names."""
        found = self._alone(LAYERS, "WHERE name = ?", name)
        if not found:
            names = [layer.name for layer in self.layers()]
            raise UnknownLayerError(
                f"the atlas {self.path} has no layer {name!r}; "
                f"{nearest(name, names, listing=True)}. "
                f"A build studies other layers with --layers, such as --layers {name}"
            )
        return found

    def units(self, layer: str) -> tuple[UnitRecord, ...]:
        """The statistics of a layer's units, by number."""
        self.layer(layer)
        return self._select(UNITS, "WHERE layer = ? ORDER BY unit", layer)

    def unit(self, layer: str, unit: int | None = None) -> UnitRecord:
        """One unit's statistics, of `("conv2", 17)` or `"conv2:17"`.

        Raises `UnknownUnitError`, `UnknownLayerError`.
        """
        if unit is None:
            layer, unit = self._parsed(layer)
        self._require_unit(layer, unit)
        found = self._alone(UNITS, "WHERE layer = ? AND unit = ?", layer, unit)
        if not found:
            raise UnknownUnitError(
                f"the atlas {self.path} has no statistics of {layer}:{unit} yet; "
                "let `phosphene build` finish, or ask it for this layer"
            )
        return found

    @staticmethod
    def _parsed(text: str) -> tuple[str, int]:
        layer, colon, number = text.rpartition(":")
        if not colon or not number.isdecimal():
            raise UnknownUnitError(
                f"{text!r} names no unit of an atlas; write layer:number such as conv2:17"
            )
        return layer, int(number)

    def examples(self, layer: str, unit: int) -> tuple[ExampleRecord, ...]:
        """The images that excite a unit most, strongest first."""
        self._require_unit(layer, unit)
        return self._select(EXAMPLES, "WHERE layer = ? AND unit = ? ORDER BY rank", layer, unit)

    def strongest(self, layer: str) -> dict[int, ExampleRecord]:
        """The strongest image of each of a layer's units, by unit."""
        self.layer(layer)
        found = self._select(EXAMPLES, "WHERE layer = ? AND rank = 0 ORDER BY unit", layer)
        return {example.unit: example for example in found}

    def examined(self, layer: str) -> frozenset[int]:
        """The units of a layer of which there is more than statistics: examples or pictures."""
        self.layer(layer)
        query = "SELECT unit FROM {} WHERE layer = ?"
        tables = (EXAMPLES.name, PICTURES.name)
        return frozenset(u for name in tables for (u,) in self._query(query.format(name), layer))

    def pictures(self, layer: str, unit: int | None = None) -> tuple[PictureRecord, ...]:
        """The pictures made for one unit, or for all of a layer's units, by unit and kind."""
        if unit is None:
            self.layer(layer)
            return self._select(PICTURES, "WHERE layer = ? ORDER BY unit, kind, canvas", layer)
        self._require_unit(layer, unit)
        return self._select(
            PICTURES, "WHERE layer = ? AND unit = ? ORDER BY kind, canvas", layer, unit
        )

    def image(self, index: int) -> ImageRecord:
        """One image by its index in the dataset; raises `AtlasError` where it was not kept."""
        # Several jobs may have kept it; one that knew the network's answer says most.
        order = "WHERE image = ? ORDER BY predicted IS NULL, job"
        found = self._alone(IMAGES, order, index)
        if not found:
            raise AtlasError(
                f"the atlas {self.path} did not keep image {index}; it keeps those that its "
                "examples and findings refer to"
            )
        return found

    def images(self, indices: Iterable[int] | None = None) -> dict[int, ImageRecord]:
        """The images asked for, or all that were kept, by their index in the dataset."""
        wanted = sorted(self.kept()) if indices is None else indices
        return {index: self.image(index) for index in wanted}

    def kept(self) -> frozenset[int]:
        """The indices of all images that were kept."""
        found = (image for (image,) in self._query("SELECT image FROM images"))
        return frozenset(image for image in found if isinstance(image, int))

    def made_of(self, layer: str, unit: int) -> tuple[UnitEdge, ...]:
        """What a unit is made of in general: the units of earlier layers that add most to it."""
        self._require_unit(layer, unit)
        return tuple(made_of(between(self, target=layer), layer, unit))

    def part_of(self, layer: str, unit: int) -> tuple[UnitEdge, ...]:
        """What a unit is a part of in general: the units of later layers that it adds most to."""
        self._require_unit(layer, unit)
        return tuple(part_of(between(self, source=layer), layer, unit))

    def edges(self, layer: str) -> tuple[dict[str, Any], ...]:
        """How the edges to a layer were measured, and how far each unit's can be trusted."""
        self.layer(layer)
        return tuple(about for about, _ in between(self, target=layer))

    def findings(self) -> tuple[Finding, ...]:
        """What was found out, in the order it should be told."""
        return self._select(FINDINGS, "ORDER BY position")

    def probes(self) -> tuple[ProbeRecord, ...]:
        """What probes found, in the order in which they were put."""
        return self._select(PROBES, "ORDER BY rowid") if self._has(PROBES) else ()

    def probe(self, name: str) -> ProbeRecord:
        """What one probe found; raises `AtlasError` with the nearest names."""
        found = {probe.name: probe for probe in self.probes()}
        if name not in found:
            raise AtlasError(f"the atlas {self.path} has no probe {name!r}; {nearest(name, found)}")
        return found[name]

    def skipped(self) -> tuple[Skipped, ...]:
        """The files that could not be read, each once."""
        return self._select(SKIPPED, "GROUP BY path ORDER BY path")

    def jobs(self, kind: str | None = None) -> tuple[Job, ...]:
        """Every job that ended, done or failed, of a kind or of all, in the order it ended."""
        if kind is not None:
            return self._select(JOBS, "WHERE kind = ? ORDER BY rowid", kind)
        return self._select(JOBS, "ORDER BY rowid")

    def states(self) -> dict[str, str]:
        """How each job ended, "done" or "failed", by its key."""
        return dict(self._query("SELECT key, state FROM jobs"))

    def done(self, key: str) -> bool:
        """Whether the job of that key has been done and need not be run again."""
        return bool(self._query("SELECT 1 FROM jobs WHERE key = ? AND state = 'done'", key))

    def documents(self) -> tuple[str, ...]:
        """The names of all documents, but for those that no text can be."""
        found = self._query("SELECT name FROM documents ORDER BY name")
        return tuple(str(name) for (name,) in found if encodable(str(name)) == name)

    def document(self, name: str, *otherwise: Any) -> Any:
        """One named JSON value, or what is given `otherwise` where there is none.

        Raises:
            AtlasError: there is none, and nothing else was given; with the nearest names.
            DamagedError: it is not as it was written.
        """
        found = self._alone(DOCUMENTS, "WHERE name = ?", name)
        if found:
            return found.value
        if otherwise:
            return otherwise[0]
        raise AtlasError(
            f"the atlas {self.path} has no document {name!r}; {nearest(name, self.documents())}"
        )

    def arrays(self, name: str) -> dict[str, Float[ndarray, "..."]]:
        """The arrays that belong to a name such as `spectrum`, float32; raises as `document`."""
        found: dict[str, Float[ndarray, "..."]] = {}
        if self._has(ARRAYS):
            for record in self._read(ARRAYS, "WHERE document = ? ORDER BY name", name):
                if isinstance(record, Damage):
                    raise record.error(self.path)
                found[record.name] = record.array
        if found:
            return found
        # Atlases from before there was a table of arrays have them as lists in a document.
        return {key: np.array(v, np.float32) for key, v in self.document(name).items()}

    def records(self, kind: type[R]) -> tuple[R, ...]:
        """All records of a class, for which there may be no other question."""
        table = table_of(kind)
        return self._select(table, f"ORDER BY {', '.join(table.key)}") if self._has(table) else ()

    def provenance(self, artefact: Record | str) -> Job:
        """The job that made a record read from this atlas, or the document of a name."""
        record = Document(artefact, None) if isinstance(artefact, str) else artefact
        table = table_of(type(record))
        identity = table.identity(record)
        condition = " AND ".join(f"{column} = ?" for column in identity)
        made_by = f"WHERE key IN (SELECT job FROM {table.name} WHERE {condition}) ORDER BY key"
        found = self._alone(JOBS, made_by, *identity.values())
        if not found:
            named = ", ".join(f"{column} {value}" for column, value in identity.items())
            raise AtlasError(f"the atlas {self.path} has no row in {table.name} with {named}")
        return found

    def fingerprint(self) -> str:
        """A hash of all content, leaving out how long jobs took and when they ended.

        Two atlases of one study have equal fingerprints, in whatever order and with whatever
        interruptions they were built.
        """
        digest = hashlib.blake2b(digest_size=16)
        for table in (JOBS, *artefacts()):
            owner = list(table.owner)
            chosen = [column for column in table.columns if column not in _WALL_CLOCK]
            order = ", ".join([*table.key, *owner])
            title = f"{table.name} {', '.join(owner + chosen)}\n".encode()
            if table.format is not None:
                digest.update(title)
            if not self._has(table):  # in an atlas of an earlier version: as good as empty
                continue
            cells = self._cells(table, owner + chosen)
            told = f"WHERE kind != '{CLOCK}'" if table is JOBS else ""
            statement = f"SELECT {cells} FROM {table.name} {told} ORDER BY {order}"
            with translated(self.path):
                rows = self._connection.execute(statement)
                for number, row in enumerate(rows):  # one at a time: blobs are large
                    if table.format is None and number == 0:
                        digest.update(title)
                    digest.update(repr(row).encode() + b"\n")
        return digest.hexdigest()

    def _require_unit(self, layer: str, unit: int) -> None:
        count = self.layer(layer).units
        if not 0 <= unit < count:
            raise UnknownUnitError(
                f"layer {layer!r} has no unit {unit}; its {count} units are 0 to {count - 1}"
            )
