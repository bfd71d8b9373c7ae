"""The atlas as a file: made in one piece, judged by its header before SQLite touches it, opened.

SQLite's own errors become phosphene's here, each with its remedy.
"""

import os
import shutil
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from phosphene.atlas.schema import ADDED, APPLICATION_ID, SCHEMA, SCHEMA_VERSION, UPGRADES
from phosphene.errors import (
    AtlasError,
    NewerAtlasError,
    NotAnAtlasError,
    StorageError,
    TruncatedAtlasError,
    nearest,
)
from phosphene.version import __version__
from phosphene.words import encodable, printable

BUSY_SECONDS = 5.0

_LEAST_LENGTH = 2**20

_MAGIC = b"SQLite format 3\0"
_HEADER_LENGTH = 100
_NO_FORMAT = 2**16
"""Where formats end that anybody will write, and flipped bits begin."""
_KEPT = "Everything finished so far is kept, and the next run goes on from there"
_DAMAGED = "the atlas is damaged ({error}); copy it again, or build anew under another name"
_BUSY = "another process is building this atlas; wait until it is done, or build another file"
_TWICE = (
    "the atlas already has this record ({error}); add it once, and drop jobs that are no longer "
    "planned with atlas.prune(keys)"
)
_MISSING = "{error}; a number that is NaN counts as missing"
_FULL = "the disk is full. {kept}; make room and run again"
_READ_ONLY = (
    "the atlas cannot be written ({error}). {kept}; allow writing to the file and its folder, "
    "or build in another folder"
)
_DISK = "{error}. {kept}; check the disk and run again"
_EXPLAINED: dict[int | None, tuple[type[AtlasError], str]] = {
    sqlite3.SQLITE_CORRUPT: (TruncatedAtlasError, _DAMAGED),
    sqlite3.SQLITE_FORMAT: (TruncatedAtlasError, _DAMAGED),
    sqlite3.SQLITE_TOOBIG: (TruncatedAtlasError, _DAMAGED),
    # No statement of ours is wrong about the tables of an atlas: it is they that have changed.
    sqlite3.SQLITE_ERROR: (TruncatedAtlasError, _DAMAGED),
    sqlite3.SQLITE_NOTADB: (TruncatedAtlasError, _DAMAGED),
    sqlite3.SQLITE_BUSY: (AtlasError, _BUSY),
    sqlite3.SQLITE_LOCKED: (AtlasError, _BUSY),
    sqlite3.SQLITE_CONSTRAINT: (AtlasError, _MISSING),
    sqlite3.SQLITE_FULL: (StorageError, _FULL),
    sqlite3.SQLITE_READONLY: (StorageError, _READ_ONLY),
    sqlite3.SQLITE_CANTOPEN: (StorageError, _READ_ONLY),
    sqlite3.SQLITE_PERM: (StorageError, _READ_ONLY),
    sqlite3.SQLITE_IOERR: (StorageError, _DISK),
}


def create(path: Path) -> None:
    """Put an empty atlas at `path`, where nothing was.

    It appears in one piece: a process killed here leaves either no atlas or a whole one, never
    an empty file that the next run would have to take for something else.
    """
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.executescript(SCHEMA)
        content = memory.serialize()
    with translated(path):
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            draft.write_bytes(content)
            _place(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def check(path: Path) -> None:
    """Raise what is wrong with the file at `path`, having read its header and nothing else."""
    if path.is_dir():
        raise NotAnAtlasError(f"{path} is a folder; name the atlas file in it")
    if not path.exists():
        others = [other.name for other in path.parent.glob("*.atlas")]
        raise AtlasError(
            f"there is no atlas at {path} (in that folder: {nearest(path.name, others)}); "
            "make one with `phosphene build`"
        )
    header, size = _header(path)
    if not header.startswith(_MAGIC):
        raise NotAnAtlasError(f"{path} is not an atlas{_seems(header)}; it was left as it is")
    if len(header) < _HEADER_LENGTH:
        raise TruncatedAtlasError(_cut_short(path, size, _HEADER_LENGTH))
    (application,) = struct.unpack_from(">I", header, 68)
    if application != APPLICATION_ID:
        raise NotAnAtlasError(
            f"{path} is an SQLite database of another application (id {application:#x}, "
            f"an atlas has {APPLICATION_ID:#x}); it was left as it is"
        )
    (version,) = struct.unpack_from(">I", header, 60)
    if not 1 <= version <= _NO_FORMAT:
        raise TruncatedAtlasError(
            f"{path} is damaged: its header says atlas format {version}; copy or download it "
            "again, or build anew under another name"
        )
    if version > SCHEMA_VERSION:
        raise NewerAtlasError(
            f"{path} has atlas format {version}; phosphene {__version__} reads formats up to "
            f"{SCHEMA_VERSION}. Install a later phosphene: pip install --upgrade phosphene"
        )
    expected = _expected_size(header)
    # While a log lies beside the file, its last pages may still be in there.
    if size < expected and not _has_log(path):
        raise TruncatedAtlasError(_cut_short(path, size, expected))


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open an existing atlas as its one writer, with a write-ahead log so that others can read."""
    with ExitStack() as on_error:
        connection = on_error.enter_context(closing(_connect(path, "mode=rw")))
        _expect_anything(connection, path)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        # SQLite opens a write-protected file for reading without a word: ask to write at once.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        _upgrade(connection)
        on_error.pop_all()
    return connection


def _upgrade(connection: sqlite3.Connection) -> None:
    """Give an earlier atlas the tables and columns it lacks, all or none of them."""
    ((version,),) = connection.execute("PRAGMA user_version")
    missing = [UPGRADES[earlier] for earlier in range(version, SCHEMA_VERSION)]
    missing += [
        statement
        for (table, column), statement in ADDED.items()
        if column not in columns(connection, table)
    ]
    if missing:
        stamp = f"PRAGMA user_version = {SCHEMA_VERSION};"
        connection.executescript(f"BEGIN IMMEDIATE; {''.join(missing)} {stamp} COMMIT;")


@dataclass(frozen=True)
class Column:
    """What a column may hold: values of a type, and NULL or not."""

    type: type
    required: bool

    def takes(self, value: object) -> bool:
        """Whether `value` can have been written to it."""
        if value is None:
            return not self.required
        return isinstance(value, self.type) and not (
            isinstance(value, str) and encodable(value) != value
        )


_TYPES: Mapping[str, type] = {"TEXT": str, "INTEGER": int, "REAL": float, "BLOB": bytes}


def columns(connection: sqlite3.Connection, table: str) -> dict[str, Column]:
    """The columns a table of this file has; none where there is no such table."""
    found = connection.execute(
        'SELECT name, type, "notnull" OR pk FROM pragma_table_info(?)', (table,)
    )
    return {name: Column(_TYPES.get(kind, bytes), bool(needed)) for name, kind, needed in found}


def last_unchecked(connection: sqlite3.Connection) -> dict[str, int] | None:
    """Up to which row each table has no checksums; None where no row of any has one."""
    if not columns(connection, "unchecked"):
        return None
    return dict(connection.execute("SELECT name, last FROM unchecked"))


def connect_to_read(path: Path, resources: ExitStack) -> sqlite3.Connection:
    """Open an existing atlas without changing a byte of it or of its log.

    A running build (log and index beside the file) is joined. The log of a killed one is read
    from a copy, since SQLite must write beside a log to read it; `resources` removes the copy.
    No value is taken to be larger than the file.
    """
    with ExitStack() as on_error:
        connection = on_error.enter_context(closing(_connect_to_read(path, resources)))
        log = _beside(path, "-wal")
        size = path.stat().st_size + (log.stat().st_size if log.exists() else 0)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(_LEAST_LENGTH, size))
        _expect_anything(connection, path)
        on_error.pop_all()
    return connection


def _connect_to_read(path: Path, resources: ExitStack) -> sqlite3.Connection:
    log, index = _beside(path, "-wal"), _beside(path, "-shm")
    if log.exists() and index.exists():
        return _connect(path, "mode=ro")
    if _has_log(path):
        folder = Path(resources.enter_context(TemporaryDirectory(prefix="phosphene-")))
        shutil.copy(log, folder / log.name)
        copy = Path(shutil.copy(path, folder / path.name))
        copy.chmod(0o600)
        return _connect(copy, "mode=rw")
    header, _ = _header(path)
    logged = header[18] == 2
    return _connect(path, "immutable=1" if logged else "mode=ro")


def _expect_anything(connection: sqlite3.Connection, path: Path) -> None:
    """Prepare for a file that is damaged, or that somebody made to be opened here.

    Text may be no text, and nothing runs that a file brings along: views, triggers and virtual
    tables, of which an atlas has none.

    Raises:
        NotAnAtlasError: it has some.
    """
    connection.text_factory = _text
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    foreign = "type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"
    brought = connection.execute(f"SELECT name FROM sqlite_schema WHERE {foreign}").fetchall()
    if brought:
        names = ", ".join(printable(name) for (name,) in brought[:3])
        raise NotAnAtlasError(
            f"{path} brings along what no atlas has, views or triggers ({names}); it was not read"
        )


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def close_to_single_file(connection: sqlite3.Connection) -> None:
    """Bring the log into the file and remove it; while others still read, it stays and is safe."""
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if _code(error) != sqlite3.SQLITE_BUSY:
            raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into phosphene's, with the remedy."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain(path, error) from error
    except UnicodeDecodeError as error:  # SQLite quotes what it found in the place of a table
        raise TruncatedAtlasError(f"{path}: {_DAMAGED.format(error='no schema')}") from error
    except OSError as error:
        raise StorageError(
            f"{path}: {error.strerror or error}. {_KEPT}; choose a folder that exists, that you "
            "may write to and that has room"
        ) from error


def _explain(path: Path, error: sqlite3.Error) -> AtlasError:
    kind, message = _EXPLAINED.get(_code(error), (AtlasError, "{error}"))
    if "UNIQUE" in str(error):
        message = _TWICE
    return kind(f"{path}: {message.format(error=error, kept=_KEPT)}")


def _code(error: sqlite3.Error) -> int | None:
    # Errors that Python raises itself carry no code; the low byte is the kind of error.
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _connect(path: Path, options: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?{options}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _header(path: Path) -> tuple[bytes, int]:
    with translated(path), path.open("rb") as file:
        return file.read(_HEADER_LENGTH), os.fstat(file.fileno()).st_size


def _expected_size(header: bytes) -> int:
    (page,) = struct.unpack_from(">H", header, 16)
    changes, pages = struct.unpack_from(">II", header, 24)
    (valid_for,) = struct.unpack_from(">I", header, 92)
    # 1 stands for 65536, which does not fit; the page count may be stale after a foreign write.
    return (65536 if page == 1 else page) * pages if changes == valid_for else 0


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _has_log(path: Path) -> bool:
    log = _beside(path, "-wal")
    return log.exists() and log.stat().st_size > 0


def _seems(header: bytes) -> str:
    if not header:
        return " but an empty file"
    kinds = {b"PK\x03\x04": "a zip archive or PyTorch checkpoint", b"\x89PNG": "a PNG picture"}
    for magic, kind in kinds.items():
        if header.startswith(magic):
            return f" but {kind}"
    return " but text" if header.isascii() and b"\0" not in header else ""


def _cut_short(path: Path, size: int, expected: int) -> str:
    return (
        f"{path} is cut short: {size} bytes of at least {expected}; copy or download it again, "
        "or build anew under another name"
    )


def _place(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)  # never replaces what another process put there meanwhile
    except FileExistsError:
        return
    except OSError:  # a file system without links
        draft.replace(path)
