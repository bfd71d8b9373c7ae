"""One file that is written job by job and loses nothing when it is stopped."""

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy import ndarray

from phosphene.atlas.codec import canonical_json
from phosphene.atlas.connections import Connect, close_to_single_file, connect_to_write, to_read
from phosphene.atlas.files import check, create, translated
from phosphene.atlas.reader import Reader
from phosphene.atlas.records import JOBS, ArrayRecord, Document, Job, table_of
from phosphene.atlas.table import Record
from phosphene.errors import AtlasError
from phosphene.results import html_table
from phosphene.shapes import Float
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
        self,
        path: str | Path,
        connect: Connect | None = None,
        resources: ExitStack | None = None,
        *,
        writable: bool = False,
    ) -> None:
        if connect is None or resources is None:
            raise AtlasError(
                f"Atlas({str(path)!r}) does not say what for: Atlas.open({str(path)!r}) reads it, "
                "Atlas.build(path) adds to it"
            )
        super().__init__(Path(path), connect, whole=writable)
        self._resources = resources
        self._writable = writable

    @classmethod
    def build(cls, path: str | Path) -> "Atlas":
        """Open an atlas to add to it, making an empty one where there is nothing.

        Any number of writers and readers may have it open at once, and each of them may be used
        by many threads.
        """
        path = Path(path)
        if not path.exists():
            create(path)
        check(path)
        with translated(path):
            return cls(path, lambda: connect_to_write(path), ExitStack(), writable=True)

    @classmethod
    def open(cls, path: str | Path) -> "Atlas":
        """Open an atlas to read it, also from a read-only folder or one left by a killed build."""
        path = Path(path)
        check(path)
        with translated(path), ExitStack() as resources:
            atlas = cls(path, to_read(path, resources), resources, writable=False)
            atlas._resources = resources.pop_all()
            return atlas

    @property
    def writable(self) -> bool:
        """Whether it is open to be added to."""
        return self._writable

    @contextmanager
    def job(
        self,
        key: str,
        kind: str,
        title: str,
        params: Mapping[str, Any] | None = None,
        seed: int | None = None,
        *,
        replaces: Callable[[Job], bool | None] | None = None,
    ) -> Iterator["JobWriter"]:
        """Run one piece of work: all it adds is kept when the block ends, or nothing of it.

        Others write while the block runs; what it adds is written in one piece at its end. What
        an earlier job of the same key added is replaced; where another writer has kept that job
        meanwhile, theirs stays and nothing of this block is kept. An exception is noted as a
        failed job unless an earlier run of the job was done, and goes on its way.

        With `replaces` the job is the one of its kind: it takes the place of each other that this
        says of, and nothing of it is kept where there is one of which it does not. Of which it says
        None, that may stand beside it.
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
                seconds=writer.seconds or time.perf_counter() - start,
                finished=datetime.now(UTC).isoformat(timespec="seconds"),
                error=None if error is None else f"{type(error).__name__}: {error}",
            )

        before, writer = self._ended(key), JobWriter(key)
        try:
            yield writer
            row = JOBS.row(ended())
            with self._transaction():
                if self._ended(key) == before and self._replaced(key, kind, replaces):
                    self._execute("DELETE FROM jobs WHERE key = ?", key)
                    self._execute(JOBS.insert(), *row)
                    self._insert(writer)
        except Exception as error:
            # Noting the failure must not hide it: on a full disk there is no room for the note.
            with suppress(AtlasError), self._transaction():
                self._execute("DELETE FROM jobs WHERE key = ? AND state = 'failed'", key)
                if not self.done(key):
                    self._execute(JOBS.insert(), *JOBS.row(ended(error)))
            raise

    def drop(self, keys: Iterable[str]) -> int:
        """Drop jobs with all they added; how many of `keys` there were."""
        self._require_writable()
        with self._transaction():
            before = len(self.states())
            for key in sorted(keys):
                self._execute("DELETE FROM jobs WHERE key = ?", key)
            return before - len(self.states())

    def close(self) -> None:
        """Leave a single file behind. Closing twice is harmless."""
        try:
            if self._writable:
                self._writable = False
                self._connections.close_others()
                with translated(self.path):
                    close_to_single_file(self._connection)
        finally:
            self._connections.close()
            self._resources.close()

    def __repr__(self) -> str:
        return f"<Atlas {self.path}>"

    def _repr_html_(self) -> str:
        rows = [
            (layer.name, layer.kind, " x ".join(map(str, layer.shape)), layer.units)
            for layer in self.layers()
        ]
        table = html_table(repr(self), ("layer", "kind", "shape", "units"), rows)
        told = "".join(f"<li>{escape(finding.text)}</li>" for finding in self.findings())
        return f"{table}<ul>{told}</ul>"

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

    def _ended(self, key: str) -> list[tuple[Any, ...]]:
        """What tells one run of a job that was done from another."""
        wanted = "SELECT seconds, finished FROM jobs WHERE key = ? AND state = 'done'"
        return self._query(wanted, key)

    def _replaced(self, key: str, kind: str, replaces: Callable[[Job], bool | None] | None) -> bool:
        """Drop what the one job of its kind replaces; False where there is one it does not."""
        if replaces is None:
            return True
        rivals = [job for job in self.jobs(kind) if job.key != key and job.state == "done"]
        place = {rival.key: replaces(rival) for rival in rivals}
        if False in place.values():
            return False
        for rival in rivals:
            if place[rival.key] is None:
                continue
            self._execute("DELETE FROM jobs WHERE key = ?", rival.key)
        return True

    def _insert(self, writer: "JobWriter") -> None:
        with translated(self.path):
            for statement, rows in writer.rows.items():
                self._connection.executemany(statement, rows)

    def _execute(self, statement: str, *values: Any) -> None:
        with translated(self.path):
            self._connection.execute(statement, values)


class JobWriter:
    """What the block of a job adds its results to: they are held until the block ends."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.rows: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        """What is to be written, by the statement that writes it."""
        self.seconds: float | None = None
        """How long the work took, where that is not as long as the block."""

    def add(self, *records: Record) -> None:
        """Add records of any kinds; raises `AtlasError` for what cannot be stored."""
        for record in records:
            table = table_of(type(record))
            self.rows[table.insert()].append(table.row(record, self._key))

    def document(self, name: str, value: Any) -> None:
        """Add a named JSON value."""
        self.add(Document(name, value))

    def arrays(self, name: str, arrays: Mapping[str, Float[ndarray, "..."]]) -> None:
        """Add named arrays that belong together, exact to float32."""
        self.add(*(ArrayRecord(name, part, array) for part, array in arrays.items()))
