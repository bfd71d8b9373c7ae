"""One file that is written job by job and loses nothing when it is stopped."""

import hashlib
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from phosphene.atlas.codec import canonical_json
from phosphene.atlas.files import (
    check,
    close_to_single_file,
    connect_to_read,
    connect_to_write,
    create,
    translated,
)
from phosphene.atlas.reader import Reader
from phosphene.atlas.records import Document, Job, Record
from phosphene.atlas.tables import JOBS, TABLE_OF
from phosphene.errors import AtlasError
from phosphene.version import __version__


def job_key(
    kind: str,
    params: Mapping[str, Any],
    seed: int | None,
    network_fingerprint: str,
    data_fingerprint: str,
) -> str:
    """A stable name for a piece of work: the same work has the same key, on any machine.

    >>> key = job_key("pass", {"k": 9, "bins": 64}, 0, "network", "data")
    >>> key == job_key("pass", {"bins": 64, "k": 9}, 0, "network", "data")
    True
    >>> key == job_key("pass", {"bins": 64, "k": 9}, 1, "network", "data")
    False
    """
    work = canonical_json([kind, params, seed, network_fingerprint, data_fingerprint])
    return hashlib.blake2b(work.encode(), digest_size=16).hexdigest()


class Atlas(Reader):
    """The study of one network, in one SQLite file.

    `Atlas.build(path)` opens it for writing, `Atlas.open(path)` for reading; both raise an
    `AtlasError` that says what is wrong with a file that is no sound atlas, and leave it alone.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with Atlas.build(Path(folder, "a.atlas")) as atlas:
    ...         with atlas.job("key", "describe", "Describe the data") as job:
    ...             job.document("data", {"images": 1797})
    ...     with Atlas.open(Path(folder, "a.atlas")) as atlas:
    ...         atlas.document("data"), atlas.provenance("data").title
    ({'images': 1797}, 'Describe the data')
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, resources: ExitStack, writable: bool
    ) -> None:
        super().__init__(path, connection, whole=writable)
        self._resources = resources
        self._writable = writable

    @classmethod
    def build(cls, path: str | Path) -> "Atlas":
        """Open an atlas to add to it, making an empty one where there is nothing.

        There is one writer at a time; others can read meanwhile.
        """
        path = Path(path)
        if not path.exists():
            create(path)
        check(path)
        with translated(path):
            return cls(path, connect_to_write(path), ExitStack(), writable=True)

    @classmethod
    def open(cls, path: str | Path) -> "Atlas":
        """Open an atlas to read it, also from a read-only folder or one left by a killed build."""
        path = Path(path)
        check(path)
        with translated(path), ExitStack() as resources:
            connection = connect_to_read(path, resources)
            return cls(path, connection, resources.pop_all(), writable=False)

    @contextmanager
    def job(
        self,
        key: str,
        kind: str,
        title: str,
        params: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> Iterator["JobWriter"]:
        """Run one piece of work: all it adds is kept when the block ends, or nothing of it.

        What an earlier job of the same key added is replaced. An exception undoes the block; it
        is noted as a failed job unless an earlier run of the job was done, and goes on its way.
        """
        self._require_writable()
        start = time.perf_counter()

        def ended(error: Exception | None = None) -> Job:
            return Job(
                key=key,
                kind=kind,
                title=title,
                params=dict(params or {}),
                seed=seed,
                version=__version__,
                state="done" if error is None else "failed",
                seconds=time.perf_counter() - start,
                finished=datetime.now(UTC).isoformat(timespec="seconds"),
                error=None if error is None else f"{type(error).__name__}: {error}",
            )

        try:
            with self._transaction():
                self._execute("DELETE FROM jobs WHERE key = ?", key)
                yield JobWriter(self.path, self._connection, key)
                self._execute(JOBS.insert(), *JOBS.row(ended()))
        except Exception as error:
            # Noting the failure must not hide it: on a full disk there is no room for the note.
            with suppress(AtlasError), self._transaction():
                self._execute("DELETE FROM jobs WHERE key = ? AND state = 'failed'", key)
                if not self.done(key):
                    self._execute(JOBS.insert(), *JOBS.row(ended(error)))
            raise

    def prune(self, keys: Iterable[str]) -> int:
        """Drop every job that is not among `keys`, with all it added; how many were dropped.

        A study whose settings changed has other keys: this clears out what it no longer plans.
        """
        self._require_writable()
        with self._transaction():
            outdated = {job.key for job in self.jobs()} - set(keys)
            for key in sorted(outdated):
                self._execute("DELETE FROM jobs WHERE key = ?", key)
        return len(outdated)

    def close(self) -> None:
        """Leave a single file behind. Closing twice is harmless."""
        try:
            if self._writable:
                self._writable = False
                with translated(self.path):
                    close_to_single_file(self._connection)
        finally:
            self._connection.close()
            self._resources.close()

    def __enter__(self) -> "Atlas":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except AtlasError:
            if error is None:  # else the first error is the one to be told
                raise

    def _require_writable(self) -> None:
        if not self._writable:
            raise AtlasError(f"{self.path} is not open for writing; use Atlas.build(path)")
        if self._connection.in_transaction:
            raise AtlasError("a job is already being written; end its block before the next")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            # SQLite has already rolled back by itself after some errors, a full disk for one.
            if self._connection.in_transaction:
                self._execute("ROLLBACK")
            raise

    def _execute(self, statement: str, *values: Any) -> None:
        with translated(self.path):
            self._connection.execute(statement, values)


class JobWriter:
    """What the block of a job adds its results to."""

    def __init__(self, path: Path, connection: sqlite3.Connection, key: str) -> None:
        self._path = path
        self._connection = connection
        self._key = key

    def add(self, *records: Record) -> None:
        """Add records of any kinds; raises `AtlasError` for one the atlas already has."""
        rows: defaultdict[type, list[tuple[Any, ...]]] = defaultdict(list)
        for record in records:
            rows[type(record)].append(TABLE_OF[type(record)].row(record, self._key))
        for kind, values in rows.items():
            with translated(self._path):
                self._connection.executemany(TABLE_OF[kind].insert(), values)

    def document(self, name: str, value: Any) -> None:
        """Add a named JSON value."""
        self.add(Document(name, value))
