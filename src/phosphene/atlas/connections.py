"""The connections to an atlas: a thread's own, to write or to read, and what closing leaves."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from threading import Lock, Thread, current_thread

from phosphene.atlas.files import beside, code, has_log, header_of, size_of, translated
from phosphene.atlas.schema import SCHEMA_VERSION, UPGRADES, added, statements
from phosphene.errors import NotAnAtlasError
from phosphene.words import encodable, printable

LEAVING_SECONDS = (0.01, 0.1)
"""How long a writer waits, when it closes, for others who do so too."""

BUSY_SECONDS = 60.0
"""How long a writer waits for another: as long as a disk may take to write what a job found."""

_LEAST_LENGTH = 2**26
"""Bytes that a value may have in any atlas: one that is being built grows while it is read."""

Connect = Callable[[], sqlite3.Connection]


class Connections:
    """A connection for each thread that asks; closing closes all.

    Those of threads that have ended are closed when the next thread asks.
    """

    def __init__(self, path: Path, connect: Connect) -> None:
        self._path = path
        self._connect = connect
        self._of: dict[Thread, sqlite3.Connection] = {}
        self._lock = Lock()
        self._closed = False

    def here(self) -> sqlite3.Connection:
        """This thread's connection, made when it is first asked for."""
        thread = current_thread()
        if thread not in self._of:
            if self._closed:
                raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
            with translated(self._path):
                connection = self._connect()
            with self._lock:
                self._of[thread] = connection
            self._close(*(other for other in [*self._of] if not other.is_alive()))
        return self._of[thread]

    def close_others(self) -> None:
        """Close those of all other threads."""
        self._close(*(other for other in [*self._of] if other is not current_thread()))

    def close(self) -> None:
        """Close all; closing twice is harmless."""
        self._closed = True
        self._close(*self._of)

    def _close(self, *threads: Thread) -> None:
        with self._lock:
            for thread in threads:
                self._of.pop(thread).close()


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open an existing atlas to add to it, with a write-ahead log so that others can read.

    Another writer is waited for, up to `BUSY_SECONDS`.
    """
    last = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return _connect_to_write(path)
        except sqlite3.OperationalError as error:
            # SQLite itself does not wait for one who is just changing how the file is logged.
            if code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > last:
                raise
            time.sleep(0.01)


def _connect_to_write(path: Path) -> sqlite3.Connection:
    with ExitStack() as on_error:
        connection = on_error.enter_context(closing(_connect(path, "mode=rw")))
        _expect_anything(connection, path)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        # SQLite opens a write-protected file for reading without a word: ask to write at once.
        connection.execute("BEGIN IMMEDIATE")
        _upgrade(connection)
        connection.execute("COMMIT")
        on_error.pop_all()
    return connection


def _upgrade(connection: sqlite3.Connection) -> None:
    """Give an earlier atlas the tables and columns it lacks, in the transaction that is open."""
    ((version,),) = connection.execute("PRAGMA user_version")
    missing = [UPGRADES[earlier] for earlier in range(version, SCHEMA_VERSION)]
    missing += [
        statement
        for (table, column), statement in added().items()
        if column not in columns(connection, table)
    ]
    for statement in statements("".join(missing)):
        connection.execute(statement)
    if version < SCHEMA_VERSION:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


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


def to_read(path: Path, resources: ExitStack) -> Connect:
    """How to open an existing atlas without changing a byte of it or of its log.

    A running build (log and index beside the file) is joined. The log of a killed one is read
    from a copy, since SQLite must write beside a log to read it; `resources` removes the copy.
    No value is taken to be larger than the file.
    """
    lies, options = _as_it_lies(path, resources)

    def connect() -> sqlite3.Connection:
        try:
            return opened(lies, options)
        except sqlite3.OperationalError as error:
            if code(error) != sqlite3.SQLITE_READONLY:
                raise
            # Killed while it changed how the file is logged, which has to be undone first.
            return opened(_copied(path, resources), "mode=rw")

    def opened(lies: Path, options: str) -> sqlite3.Connection:
        with ExitStack() as on_error:
            connection = on_error.enter_context(closing(_connect(lies, options)))
            size = size_of(path) + size_of(beside(path, "-wal"))
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(_LEAST_LENGTH, size))
            _expect_anything(connection, path)
            on_error.pop_all()
        return connection

    return connect


def _as_it_lies(path: Path, resources: ExitStack) -> tuple[Path, str]:
    """Which file to open, and how."""
    log, index = beside(path, "-wal"), beside(path, "-shm")
    if log.exists() and index.exists():
        return path, "mode=ro"
    if has_log(path):
        return _copied(path, resources), "mode=rw"
    header, _ = header_of(path)
    logged = header[18] == 2
    return path, "immutable=1" if logged else "mode=ro"


def _copied(path: Path, resources: ExitStack) -> Path:
    """A copy of an atlas with its logs, to be written beside; `resources` removes it."""
    folder = Path(resources.enter_context(TemporaryDirectory(prefix="phosphene-")))
    for log in (beside(path, "-wal"), beside(path, "-journal")):
        if log.exists():
            shutil.copy(log, folder / log.name)
    copy = Path(shutil.copy(path, folder / path.name))
    copy.chmod(0o600)
    return copy


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
    """Bring the log into the file and remove it; while others use it, it stays and is safe.

    The last one to leave removes it. Of two that leave at the same moment each would take the other
    for one who stays, so each waits a little, and not equally long; should they still meet, the log
    is left beside the file, and the next writer brings it in.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    last = time.monotonic() + SystemRandom().uniform(*LEAVING_SECONDS)
    while True:
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            if code(error) != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() > last:
                return
            time.sleep(0.002)
        else:
            return


def _connect(path: Path, options: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?{options}"
    # Each thread has its own; only closing may come from another.
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
