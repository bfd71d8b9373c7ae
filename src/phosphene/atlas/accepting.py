"""What another process says it found for a job: taken only if it is what a job can have found."""

from collections import defaultdict
from typing import Any

from phosphene.atlas.records import artefacts
from phosphene.atlas.table import Table
from phosphene.errors import AtlasError

Rows = defaultdict[str, list[tuple[Any, ...]]]
"""What a `JobWriter` holds."""


def accepted(rows: Any, key: str) -> Rows:
    """The rows of the job of that key, each in a table of artefacts and with a sound checksum.

    Raises:
        AtlasError: it is anything else; says what.
    """
    if not isinstance(rows, dict):
        raise AtlasError(f"a job's rows were expected, and {rows!r:.60} came")
    tables = {table.insert(): table for table in artefacts()}
    found: Rows = defaultdict(list)
    for statement, some in rows.items():
        if statement not in tables or not isinstance(some, list):
            raise AtlasError(f"{statement!r:.60} adds to no table of artefacts")
        table = tables[statement]
        for row in some:
            if not (isinstance(row, tuple) and len(row) == len(table.columns) + 2):
                raise AtlasError(f"{row!r:.60} is no row of the table {table.name}")
            if row[0] != key:
                raise AtlasError(f"a row of the table {table.name} is of another job, {row[0]!r}")
            if not _sound(table, row):
                raise AtlasError(f"a row of the table {table.name} is not what its checksum says")
        found[statement].extend(some)
    return found


def _sound(table: Table[Any], row: tuple[Any, ...]) -> bool:
    plain = all(isinstance(value, str | int | float | bytes | None) for value in row)
    return plain and table.sound(row)
