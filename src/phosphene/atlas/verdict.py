"""Go through a whole atlas and say what is damaged, and drop what is."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene.atlas.checksums import CHECKSUM
from phosphene.atlas.connections import Column, columns
from phosphene.atlas.damage import Damage
from phosphene.atlas.files import translated
from phosphene.atlas.reader import Reader
from phosphene.atlas.records import JOBS, artefacts
from phosphene.atlas.store import Atlas
from phosphene.atlas.table import Table
from phosphene.errors import AtlasError, PhospheneError, TruncatedAtlasError, reading
from phosphene.words import plural, printable

AGAIN = "Copy it again, or build anew under another name"
"""What to do about a file that holds what it should not."""

MOST_LINES = 20
"""Of what SQLite says of a damaged file."""


@dataclass(frozen=True)
class Verdict:
    """What going through an atlas found.

    `rows` artefacts and jobs were read, `unchecked` of them had no checksum: they are from before
    atlas format 3, and a changed number or word in them cannot be told. `file` is what SQLite says
    of the file, `damages` what is not as it was written.
    """

    format: int
    rows: int
    unchecked: int
    file: tuple[str, ...]
    damages: tuple[Damage, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was found damaged."""
        return not self.file and not self.damages

    @property
    def whole(self) -> bool:
        """Whether everything was checked and is as it was written."""
        return self.sound and not self.unchecked

    @property
    def summary(self) -> str:
        """One sentence."""
        artefacts = plural(self.rows, "artefact")
        if not self.sound:
            found = len(self.file) + len(self.damages)
            return f"damaged: {plural(found, 'fault')} among {artefacts}"
        if not self.unchecked:
            return f"whole: {artefacts}, each with a checksum that fits"
        return (
            f"sound as far as can be told: of {artefacts} {self.unchecked:,} are from before atlas "
            "format 3, which had no checksums, so that a changed number or word in them is not "
            "noticed (in a picture or an array it is)"
        )


def verify(path: str | Path) -> Verdict:
    """Check the file, every reference in it, and every artefact against its checksum.

    Raises:
        AtlasError: there is no atlas, or so little is left of it that it cannot be opened.
    """
    with Atlas.open(path) as atlas:
        return judge(atlas)


def judge(atlas: Reader) -> Verdict:
    """`verify` an atlas that is open."""
    connection = atlas._connection
    file, orphans = [*_integrity(connection)], tuple(_references(connection))
    rows = unchecked = 0
    for table in (JOBS, *artefacts()):
        known = columns(connection, table.name)
        if not known:
            file += [f"there is no table {table.name}"] * (table.format == 1)
            continue
        for found in atlas._read(table, "NOT INDEXED"):
            rows += not (isinstance(found, Damage) and found.row is None)
        with suppress(sqlite3.Error):  # told already
            unchecked += _without_checksum(connection, table, known)
    file = list(dict.fromkeys(file))
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return Verdict(version, rows, unchecked, tuple(file), (*atlas.damaged(), *orphans))


@contextmanager
def expecting(atlas: Reader, value: object, what: str) -> Iterator[None]:
    """Say that an atlas is to blame where `value`, read from it, turns out to be no `what`.

    Raises:
        TruncatedAtlasError: with the value and what to do.
    """
    try:
        with reading(value, what, AtlasError):
            yield
    except AtlasError as error:
        raise TruncatedAtlasError(
            f"{atlas.path} holds what no study has written: {printable(str(error)):.400}. {AGAIN}"
        ) from error


@contextmanager
def blaming_damage(atlas: Reader) -> Iterator[None]:
    """Say that an atlas is to blame where it is, and not phosphene, for what goes wrong inside.

    Of a file that is damaged, or that nothing tells from one that is, anything may be read. An
    error over one that is whole is a fault of ours, and stays as it is.

    Raises:
        TruncatedAtlasError: with what is damaged.
    """
    try:
        yield
    except (PhospheneError, OSError):
        raise
    except Exception as error:
        verdict = judge(atlas)
        if verdict.whole:
            raise
        found = [*verdict.file, *map(str, verdict.damages), verdict.summary][0]
        raise TruncatedAtlasError(
            f"{atlas.path} holds what no study has written ({type(error).__name__}: "
            f"{printable(error):.100}): {found}. {AGAIN}"
        ) from error


def drop_damaged(path: str | Path) -> list[str]:
    """Drop what is damaged with all that the same job made; the titles of those jobs.

    The next build does these jobs anew, and leaves everything else as it is. A probe has to be
    asked once more.

    Raises:
        TruncatedAtlasError: the file itself is damaged and not only what is in it.
    """
    with Atlas.build(path) as atlas:
        verdict = judge(atlas)
        unreadable = [*verdict.file, *(str(part) for part in verdict.damages if part.row is None)]
        if unreadable:
            raise TruncatedAtlasError(
                f"{path} is damaged as a file, so that nothing can be dropped from it: "
                f"{unreadable[0]}. {AGAIN}"
            )
        titles: list[str] = []
        with atlas._transaction():
            for damage in verdict.damages:
                titles += _dropped(atlas, damage)
    return list(dict.fromkeys(titles))


def _integrity(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite finds wrong with the pages, the indices and the types of a file."""
    try:
        for (line,) in connection.execute(f"PRAGMA integrity_check({MOST_LINES})"):
            if line != "ok":
                yield from str(line).splitlines()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        yield str(error)


def _references(connection: sqlite3.Connection) -> Iterator[Damage]:
    """The artefacts whose job is not there."""
    with suppress(sqlite3.Error):  # told already, as this goes through the same pages
        for table, row, *_ in connection.execute("PRAGMA foreign_key_check"):
            yield Damage(f"row {row} of {table}", "the job that made it is not there", table, row)


def _without_checksum(
    connection: sqlite3.Connection, table: Table[Any], known: Mapping[str, Column]
) -> int:
    missing = f"WHERE {CHECKSUM} IS NULL" if CHECKSUM in known else ""
    ((count,),) = connection.execute(f"SELECT count(*) FROM {table.name} NOT INDEXED {missing}")
    return int(count)


def _dropped(atlas: Atlas, damage: Damage) -> list[str]:
    """Drop a damaged row with its job and return the job's title, or the row where it has none."""
    column = "key" if damage.table == JOBS.name else "job"
    with translated(atlas.path):
        found = atlas._connection.execute(
            f"SELECT jobs.key, jobs.title FROM {damage.table} AS damaged "
            f"JOIN jobs ON jobs.key = damaged.{column} WHERE damaged.rowid = ?",
            (damage.row,),
        ).fetchall()
    for key, _ in found:
        atlas._execute("DELETE FROM jobs WHERE key = ?", key)
    if not found:
        atlas._execute(f"DELETE FROM {damage.table} WHERE rowid = ?", damage.row)
    return [str(title) for _, title in found]
