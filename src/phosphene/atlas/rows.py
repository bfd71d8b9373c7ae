"""Rows of an atlas as they are read: records as they were written, or what damage was found."""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from phosphene.atlas.checksums import CHECKSUM
from phosphene.atlas.codec import sound_png
from phosphene.atlas.connections import Column, Connect, Connections, columns, last_unchecked
from phosphene.atlas.damage import (
    CHANGED,
    CHANGED_FILE,
    CHANGED_TYPE,
    UNCHECKED,
    Damage,
    of_part,
    of_row,
)
from phosphene.atlas.files import translated
from phosphene.atlas.table import Table
from phosphene.errors import TruncatedAtlasError
from phosphene.words import printable

R = TypeVar("R")

_PNG = {"picture", "guided", "alpha", "sheet"}
"""Columns that hold PNG files."""

_APART = {"probes", "findings", "skipped"}
"""Tables nothing else rests on: the rest is told also to someone who adds to the atlas."""


class Rows:
    """An atlas that is open, and what is known of its damage."""

    def __init__(self, path: Path, connect: Connect, *, whole: bool = False) -> None:
        self.path = path
        self._connections = Connections(path, connect)
        self._connections.here()  # what is wrong with the file is told at once
        self._whole = whole
        self._damage: dict[str, Damage] = {}
        self._known: dict[str, dict[str, Column]] = {}

    def damaged(
        self, layer: str | None = None, unit: int | None = None, table: str | None = None
    ) -> tuple[Damage, ...]:
        """What was found damaged so far, of everything or of a layer, a unit, a table alone."""
        return tuple(
            damage
            for damage in self._damage.values()
            if (layer is None or damage.layer == layer)
            and (unit is None or damage.unit == unit)
            and (table is None or damage.table == table)
        )

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._connections.here()

    def _has(self, table: Table[Any]) -> bool:
        """Whether the atlas is new enough to have `table`."""
        return bool(self._columns(table))

    @cached_property
    def _unchecked(self) -> dict[str, int] | None:
        with translated(self.path):
            return last_unchecked(self._connection)

    def _columns(self, table: Table[Any]) -> dict[str, Column]:
        if table.name not in self._known:
            with translated(self.path):
                self._known[table.name] = columns(self._connection, table.name)
        return self._known[table.name]

    def _cells(self, table: Table[Any], wanted: Sequence[str]) -> str:
        """What to select for the `wanted` columns; those that the atlas is too old for are NULL."""
        known = self._columns(table)
        return ", ".join(column if column in known else "NULL" for column in wanted)

    def _select(self, table: Table[R], clauses: str, *values: Any) -> tuple[R, ...]:
        """The records that are sound; the others are noted, or an error for who needs them all."""
        strict = self._whole and table.name not in _APART
        sound: list[R] = []
        for found in self._read(table, clauses, *values):
            if not isinstance(found, Damage):
                sound.append(found)
            elif strict:
                raise found.error(self.path)
        return tuple(sound)

    def _alone(self, table: Table[R], clauses: str, *values: Any) -> R | None:
        """The first record that is sound, or None; raises `DamagedError` where all are damaged."""
        damage: Damage | None = None
        for found in self._read(table, clauses, *values):
            if not isinstance(found, Damage):
                return found
            damage = damage or found
        if damage is not None:
            raise damage.error(self.path)
        return None

    def _read(self, table: Table[R], clauses: str, *values: Any) -> Iterator[R | Damage]:
        """What a query finds, row by row, and what is damaged of it."""
        wanted = (*table.owner, *table.columns, CHECKSUM)
        cells = f"rowid, {self._cells(table, wanted)}"
        try:
            with translated(self.path):
                rows = self._connection.execute(
                    f"SELECT {cells} FROM {table.name} {clauses}", values
                )
                for number, *row in rows:
                    yield self._understood(table, number, row)
        except TruncatedAtlasError as error:
            yield self._note(of_part(table, clauses, values, error))

    def _understood(self, table: Table[Any], number: int, row: Sequence[Any]) -> Any:
        """The record of a row, or its damage."""
        early = row[-1] is None and self._may_lack_checksum(table, number)
        reason = self._wrong(table, row) if early else CHANGED * (not table.sound(row))
        if not reason:
            try:
                return table.read(row[len(table.owner) : -1], whole=early)
            except Exception as error:  # damaged bytes may fail in any way
                reason = f"{UNCHECKED} ({printable(error):.100})"
        return self._note(of_row(table, number, row, reason))

    def _may_lack_checksum(self, table: Table[Any], number: int) -> bool:
        return self._unchecked is None or number <= self._unchecked.get(table.name, -1)

    def _wrong(self, table: Table[Any], row: Sequence[Any]) -> str:
        """What can be told to be wrong with a row that has no checksum."""
        known = self._columns(table)
        cells = dict(zip((*table.owner, *table.columns), row[:-1], strict=True))
        if not all(known[name].takes(value) for name, value in cells.items() if name in known):
            return CHANGED_TYPE
        # Arrays end with a sum of their own, by which they are told when they are unpacked.
        files = (value for name, value in cells.items() if name in _PNG)
        return "" if all(sound_png(file) for file in files if file is not None) else CHANGED_FILE

    def _note(self, damage: Damage) -> Damage:
        return self._damage.setdefault(damage.what, damage)

    def _query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with translated(self.path):
            return self._connection.execute(statement, values).fetchall()
