"""The atlas as a file: made in one piece, and judged by its header before SQLite touches it.

SQLite's own errors become phosphene's here, each with its remedy.
"""

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import get_ident

from phosphene.atlas.schema import APPLICATION_ID, SCHEMA_VERSION, whole_schema
from phosphene.errors import (
    AtlasError,
    NewerAtlasError,
    NotAnAtlasError,
    StorageError,
    TruncatedAtlasError,
    nearest,
)
from phosphene.version import __version__

_MAGIC = b"SQLite format 3\0"
_HEADER_LENGTH = 100
_NO_FORMAT = 2**16
"""Where formats end that anybody will write, and flipped bits begin."""
_KEPT = "Everything finished so far is kept, and the next run goes on from there"
_DAMAGED = "the atlas is damaged ({error}); copy it again, or build anew under another name"
_BUSY = "another program has kept the atlas locked; wait until it is done, or build another file"
_TWICE = (
    "the atlas already has this record ({error}); add it once, and drop jobs that are no longer "
    "planned with atlas.drop(keys)"
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
        memory.executescript(whole_schema())
        content = memory.serialize()
    with translated(path):
        draft = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}")
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
    header, size = header_of(path)
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
    # While a log lies beside the file, its last pages may still be in there; a writer may bring
    # them in, and remove the log, between one look and the next.
    for _ in range(2):
        if size >= _expected_size(header) or has_log(path):
            return
        header, size = header_of(path)
    raise TruncatedAtlasError(_cut_short(path, size, _expected_size(header)))


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
    kind, message = _EXPLAINED.get(code(error), (AtlasError, "{error}"))
    if "UNIQUE" in str(error):
        message = _TWICE
    return kind(f"{path}: {message.format(error=error, kept=_KEPT)}")


def code(error: sqlite3.Error) -> int | None:
    """The kind of an error, as `sqlite3` names it."""
    # Errors that Python raises itself carry no code; the low byte is the kind of error.
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def header_of(path: Path) -> tuple[bytes, int]:
    """The header of a file, as far as it has one, and its size in bytes."""
    with translated(path), path.open("rb") as file:
        return file.read(_HEADER_LENGTH), os.fstat(file.fileno()).st_size


def _expected_size(header: bytes) -> int:
    (page,) = struct.unpack_from(">H", header, 16)
    changes, pages = struct.unpack_from(">II", header, 24)
    (valid_for,) = struct.unpack_from(">I", header, 92)
    # 1 stands for 65536, which does not fit; the page count may be stale after a foreign write.
    return (65536 if page == 1 else page) * pages if changes == valid_for else 0


def beside(path: Path, suffix: str) -> Path:
    """The file that SQLite keeps beside an atlas."""
    return path.with_name(path.name + suffix)


def has_log(path: Path) -> bool:
    """Whether something stands in the log beside an atlas."""
    return size_of(beside(path, "-wal")) > 0


def size_of(file: Path) -> int:
    """Bytes of a file, 0 where there is none."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


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
