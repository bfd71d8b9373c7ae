"""Everything that can be asked of an atlas."""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from phosphene.atlas.files import columns, translated
from phosphene.atlas.records import (
    Document,
    ExampleRecord,
    Finding,
    ImageRecord,
    Job,
    LayerRecord,
    PictureRecord,
    ProbeRecord,
    Record,
    Skipped,
    UnitRecord,
)
from phosphene.atlas.tables import (
    ARTEFACTS,
    DOCUMENTS,
    EXAMPLES,
    FINDINGS,
    IMAGES,
    JOBS,
    LAYERS,
    PICTURES,
    PROBES,
    SKIPPED,
    TABLE_OF,
    UNITS,
    Table,
)
from phosphene.errors import AtlasError, UnknownLayerError, UnknownUnitError, nearest

R = TypeVar("R")

_WALL_CLOCK = ("seconds", "finished")


class Reader:
    """The questions; `Atlas` adds opening, writing and closing."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    def layers(self) -> tuple[LayerRecord, ...]:
        """All layers, in the order the network runs them."""
        return self._select(LAYERS, "ORDER BY position")

    def layer(self, name: str) -> LayerRecord:
        """One layer; raises `UnknownLayerError` with the nearest names."""
        found = self._select(LAYERS, "WHERE name = ?", name)
        if not found:
            names = [layer.name for layer in self.layers()]
            raise UnknownLayerError(
                f"the atlas {self.path} has no layer {name!r}; "
                f"{nearest(name, names, listing=True)}. "
                f"A build studies other layers with --layers, such as --layers {name}"
            )
        return found[0]

    def units(self, layer: str) -> tuple[UnitRecord, ...]:
        """The statistics of a layer's units, by number."""
        self.layer(layer)
        return self._select(UNITS, "WHERE layer = ? ORDER BY unit", layer)

    def unit(self, layer: str, unit: int) -> UnitRecord:
        """One unit's statistics; raises `UnknownUnitError`, `UnknownLayerError`."""
        self._require_unit(layer, unit)
        found = self._select(UNITS, "WHERE layer = ? AND unit = ?", layer, unit)
        if not found:
            raise UnknownUnitError(
                f"the atlas {self.path} has no statistics of {layer}:{unit} yet; "
                "let `phosphene build` finish, or ask it for this layer"
            )
        return found[0]

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
        order = "WHERE image = ? ORDER BY predicted IS NULL, job LIMIT 1"
        found = self._select(IMAGES, order, index)
        if not found:
            raise AtlasError(
                f"the atlas {self.path} did not keep image {index}; it keeps those that its "
                "examples and findings refer to"
            )
        return found[0]

    def images(self, indices: Iterable[int] | None = None) -> dict[int, ImageRecord]:
        """The images asked for, or all that were kept, by their index in the dataset."""
        wanted = sorted(self.kept()) if indices is None else indices
        return {index: self.image(index) for index in wanted}

    def kept(self) -> frozenset[int]:
        """The indices of all images that were kept."""
        return frozenset(image for (image,) in self._query("SELECT image FROM images"))

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

    def jobs(self) -> tuple[Job, ...]:
        """Every job that ended, done or failed, in the order it ended."""
        return self._select(JOBS, "ORDER BY rowid")

    def done(self, key: str) -> bool:
        """Whether the job of that key has been done and need not be run again."""
        return bool(self._query("SELECT 1 FROM jobs WHERE key = ? AND state = 'done'", key))

    def documents(self) -> dict[str, Any]:
        """All named JSON values."""
        return {found.name: found.value for found in self._select(DOCUMENTS, "ORDER BY name")}

    def document(self, name: str) -> Any:
        """One named JSON value; raises `AtlasError` with the nearest names."""
        found = self._select(DOCUMENTS, "WHERE name = ?", name)
        if not found:
            names = [known for (known,) in self._query("SELECT name FROM documents ORDER BY name")]
            raise AtlasError(
                f"the atlas {self.path} has no document {name!r}; {nearest(name, names)}"
            )
        return found[0].value

    def provenance(self, artefact: Record | str) -> Job:
        """The job that made a record read from this atlas, or the document of a name."""
        record = Document(artefact, None) if isinstance(artefact, str) else artefact
        table = TABLE_OF[type(record)]
        identity = table.identity(record)
        condition = " AND ".join(f"{column} = ?" for column in identity)
        made_by = f"WHERE key IN (SELECT job FROM {table.name} WHERE {condition}) ORDER BY key"
        found = self._select(JOBS, made_by, *identity.values())
        if not found:
            named = ", ".join(f"{column} {value}" for column, value in identity.items())
            raise AtlasError(f"the atlas {self.path} has no row in {table.name} with {named}")
        return found[0]

    def fingerprint(self) -> str:
        """A hash of all content, leaving out how long jobs took and when they ended.

        Two atlases of one study have equal fingerprints, in whatever order and with whatever
        interruptions they were built.
        """
        digest = hashlib.blake2b(digest_size=16)
        for table in (JOBS, *ARTEFACTS):
            owner = [] if table is JOBS else ["job"]
            chosen = [column for column in table.columns if column not in _WALL_CLOCK]
            order = ", ".join([*table.key, *owner])
            digest.update(f"{table.name} {', '.join(owner + chosen)}\n".encode())
            if not self._has(table):  # in an atlas of an earlier version: as good as empty
                continue
            cells = self._cells(table, owner + chosen)
            statement = f"SELECT {cells} FROM {table.name} ORDER BY {order}"
            with translated(self.path):
                for row in self._connection.execute(statement):  # one at a time: blobs are large
                    digest.update(repr(row).encode() + b"\n")
        return digest.hexdigest()

    def _has(self, table: Table[Any]) -> bool:
        """Whether the atlas is new enough to have `table`."""
        with translated(self.path):
            return bool(columns(self._connection, table.name))

    def _cells(self, table: Table[Any], wanted: Sequence[str]) -> str:
        """What to select for the `wanted` columns; those that the atlas is too old for are NULL."""
        with translated(self.path):
            known = columns(self._connection, table.name)
        return ", ".join(column if column in known else "NULL" for column in wanted)

    def _require_unit(self, layer: str, unit: int) -> None:
        count = self.layer(layer).units
        if not 0 <= unit < count:
            raise UnknownUnitError(
                f"layer {layer!r} has no unit {unit}; its {count} units are 0 to {count - 1}"
            )

    def _select(self, table: Table[R], clauses: str, *values: Any) -> tuple[R, ...]:
        cells = self._cells(table, table.columns)
        rows = self._query(f"SELECT {cells} FROM {table.name} {clauses}", *values)
        return tuple(table.read(row) for row in rows)

    def _query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with translated(self.path):
            return self._connection.execute(statement, values).fetchall()
