"""Jobs from one atlas into another, as they were written: every row checked, none decoded anew."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from phosphene.atlas.checksums import CHECKSUM, checksum
from phosphene.atlas.damage import CHANGED, of_row
from phosphene.atlas.files import translated
from phosphene.atlas.reader import Reader
from phosphene.atlas.records import JOBS, Job, artefacts, table_of
from phosphene.atlas.store import Atlas
from phosphene.atlas.table import Record, Table

Row = tuple[Any, ...]
"""The cells of a row as they are stored, without its job and its checksum."""

Rows = dict[str, list[Row]]
"""What a job added, by the name of the table, in the order of the tables' keys."""


def rows_of(atlas: Reader, key: str) -> Rows:
    """What the job of that key added, as it is stored.

    Raises:
        DamagedError: something of it is not as it was written.
    """
    return {
        table.name: found
        for table in artefacts()
        if atlas._has(table) and (found := [*_rows(atlas, table, key)])
    }


def _rows(atlas: Reader, table: Table[Any], key: str) -> Iterator[Row]:
    wanted = ["rowid", atlas._cells(table, (*table.owner, *table.columns, CHECKSUM))]
    order = ", ".join(table.key)
    statement = f"SELECT {', '.join(wanted)} FROM {table.name} WHERE job = ? ORDER BY {order}"
    with translated(atlas.path):
        for number, *row in atlas._connection.execute(statement, (key,)):
            early = row[-1] is None and atlas._may_lack_checksum(table, number)
            reason = atlas._wrong(table, row) if early else CHANGED * (not table.sound(row))
            if reason:
                raise of_row(table, number, row, reason).error(atlas.path)
            yield tuple(row[len(table.owner) : -1])


def add_job(atlas: Atlas, job: Job, rows: Mapping[str, Sequence[Row]]) -> None:
    """Add a job with what it added, in one piece; its rows get checksums of their own."""
    with atlas._transaction():
        atlas._execute(JOBS.insert(), *JOBS.row(job))
        for table in artefacts():
            written = [_written(table, job.key, row) for row in rows.get(table.name, ())]
            with translated(atlas.path):
                atlas._connection.executemany(table.insert(), written)


def _written(table: Table[Any], key: str, row: Row) -> tuple[Any, ...]:
    values = (key, *row)
    return (*values, checksum(table.name, dict(zip(("job", *table.columns), values, strict=True))))


def cells_of(record: Record) -> Row:
    """A record as it is stored, without a job."""
    return tuple(table_of(type(record)).row(record, "")[1:-1])


def named(table: str, row: Row) -> str:
    """What a row is called."""
    found = next(one for one in artefacts() if one.name == table)
    return found.title.format(**dict(zip(found.columns, row, strict=True)))
