"""The tables of an atlas file: plain names, strict types, JSON where a value has parts.

What records are made of says what their tables are: see `records`. Every artefact names the job
that made it and goes when that job goes. Images and skipped files are keyed by job as well: several
jobs may refer to one image, and none must lose it when another is run again. References are checked
at the end of a transaction, where a job writes its own row.

Since format 3 every row carries the checksum of what was written; rows from before have none.
Since format 4 large pictures and maps in colour are AVIF and WebP files, which before were PNG.
"""

from typing import Any

from phosphene.atlas import records  # noqa: F401 - it says which tables there are
from phosphene.atlas.checksums import CHECKSUM
from phosphene.atlas.table import TABLES, Table

APPLICATION_ID = 0x5048_4F53  # "PHOS", at byte 68 of every atlas file
SCHEMA_VERSION = 4

UNCHECKED = """
CREATE TABLE unchecked (
  name TEXT PRIMARY KEY,
  last INTEGER NOT NULL
) STRICT;
"""
"""Up to which row each table is from before there were checksums; empty in an atlas begun since.

Without it a row whose end was lost would pass for an early one.
"""

CLAIMS = """
CREATE TABLE claims (
  key TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  owner TEXT NOT NULL,
  until REAL NOT NULL
) STRICT;
"""
"""Who is at which job, and until when that holds unless it is said again: none when closed."""


def _of(format: int) -> list[Table[Any]]:
    return [table for table in TABLES if table.format == format]


def _tables(tables: list[Table[Any]]) -> str:
    created = "".join(f"\n{table.create}" for table in tables)
    return f"{created}\n{''.join(table.index for table in tables)}"


PROBES = _tables(_of(2))

CHECKSUMS = UNCHECKED + "".join(
    f"ALTER TABLE {table.name} ADD COLUMN {CHECKSUM} INTEGER;\n"
    f"INSERT INTO unchecked SELECT '{table.name}', max(rowid) FROM {table.name} "
    "HAVING count(*) > 0;\n"
    for table in _of(1) + _of(2)
)

UPGRADES = {1: PROBES, 2: CHECKSUMS, 3: ""}
"""What an atlas of each earlier version lacks to be one of the next."""


def added() -> dict[tuple[str, str], str]:
    """Columns and tables that came later and may be empty, with what adds them.

    They make no new version: who does not know them reads the others, and where they are missing
    they count as empty.
    """
    columns = {(t.name, name): sql for t in TABLES for name, sql in t.later.items()}
    tables = {(t.name, t.key[0]): _tables([t]) for t in TABLES if t.format is None}
    return columns | {("claims", "key"): CLAIMS} | tables


def whole_schema() -> str:
    """What makes an empty atlas.

    The primary keys that begin with `(layer, unit)` are the indexes readers need.
    """
    return (
        f"\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {SCHEMA_VERSION};\n"
        f"{_tables(_of(1))}{PROBES}\n{CHECKSUMS}{''.join(added().values())}"
    )


def statements(script: str) -> list[str]:
    """The statements of a script, one by one, for a transaction that is open."""
    return [statement for part in script.split(";\n") if (statement := part.strip())]
