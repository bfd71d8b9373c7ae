"""Images in tables: Parquet files, and what 🤗 datasets save to a disk (Arrow files).

Tables are read by pyarrow, piece by piece: a row group of Parquet or a batch of Arrow at a time. An
image is asked for by its row; going forward costs no more than reading on.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from threading import local
from typing import Any

import numpy as np

from phosphene.data.cache import Arrays
from phosphene.data.columns import Columns, columns_of, features_of
from phosphene.data.example import Unreadable
from phosphene.data.remote import Piece, is_url, reached, system
from phosphene.data.resize import Resize
from phosphene.data.sharded import SEAL, Sharded, texts_numbered
from phosphene.data.stored import File
from phosphene.errors import DataError
from phosphene.words import printable

ROWS = 64
"""Rows of a table that are unpacked at once."""

_BUFFER = 2**23
"""Bytes of a column that are fetched at once, so that a large row group takes no more."""

_STREAM = b"\xff\xff\xff\xff"
"""How a stream of Arrow begins, and each message in it."""

_MAGIC = b"PAR1"


def require_pyarrow(place: str) -> None:
    """Raise `DataError` with the remedy where pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise DataError(
            f"reading {printable(place)} needs pyarrow; install it with pip install "
            "'phosphene[parquet]'"
        ) from error


class Tables(Sharded):
    """Images of the rows of tables.

    `features` say what the columns mean, where the files do not: see `columns_of`.
    """

    called_file = "table"

    def __init__(
        self,
        pieces: Sequence[Piece],
        channels: int,
        size: tuple[int, int],
        resize: Resize | None,
        features: Mapping[str, Any] | None = None,
    ) -> None:
        require_pyarrow(pieces[0].place)
        first = pieces[0]
        with _opened(first) as file:
            schema = _table(file, first).schema
        known = features or features_of(schema)
        self.columns = columns_of(schema, known, printable(first.place))
        super().__init__(pieces, channels, size, resize)

    def called(self, index: int) -> str:
        """The file and the row."""
        where = int(self._where([index])[0])
        return f"{self.pieces[where].place} row {index - int(self._starts[where])}"

    def _class_names(self) -> tuple[str, ...]:
        return self.columns.classes

    def _about(self, piece: Piece) -> str:
        return f"{super()._about(piece)} {self.columns.label}"

    def _look_up(self, piece: Piece) -> Arrays:
        label = self.columns.label
        with reached(piece.place), _opened(piece) as file:
            table = _table(file, piece)
            labels: list[int | str | None] = []
            for group in range(len(table.rows)):
                if label is None:
                    labels += [None] * table.rows[group]
                    continue
                for batch in table.batches(group, [label]):
                    labels += batch.column(0).to_pylist()
            seal = hashlib.blake2b(table.told(), digest_size=16).digest()
        return {
            "rows": np.array(table.rows, np.int64),
            "places": np.array(table.places, np.int64),
            **texts_numbered(labels),
            SEAL: np.frombuffer(seal, np.uint8),
        }

    def _take_in(self, indices: Sequence[Arrays]) -> None:
        self._ends = [np.cumsum(index["rows"]) for index in indices]
        self._places = [index["places"].tolist() for index in indices]
        self._reader = _Reader(self.columns)

    def _expected(self) -> str:
        return "they have no rows"

    def _files(self, indices: Sequence[int]) -> list[File]:
        found: dict[int, File] = {}
        for index in sorted(indices):  # forward, which is cheap
            piece = int(self._where([index])[0])
            row = index - int(self._starts[piece])
            ends = self._ends[piece]
            group = int(np.searchsorted(ends, row, side="right"))
            within = row - int(ends[group - 1] if group else 0)
            value = self._reader.value(self.pieces[piece], self._places[piece], group, within)
            found[index] = self._image(index, value)
        return [found[index] for index in indices]

    def _image(self, index: int, value: Any) -> File:
        content = value.get("bytes") if isinstance(value, dict) else value
        if isinstance(content, bytes):
            return BytesIO(content)
        path = value.get("path") if isinstance(value, dict) else None
        if isinstance(path, str) and path and not is_url(path) and Path(path).is_file():
            return Path(path)
        return Unreadable(printable(self.called(index)), "the table holds no bytes of an image")


class _Parquet:
    """One Parquet file that is open: a part of it is a row group."""

    def __init__(self, file: Any) -> None:
        from pyarrow import parquet  # noqa: PLC0415 - an extra

        self._file = file
        self._table = parquet.ParquetFile(file, buffer_size=_BUFFER)
        about = self._table.metadata
        self.schema = self._table.schema_arrow
        self.rows = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
        self.places = [*range(len(self.rows))]

    def batches(self, group: int, columns: Sequence[str]) -> Iterator[Any]:
        yield from self._table.iter_batches(ROWS, [group], [*columns])

    def told(self) -> bytes:
        """The file's own account of what it holds: where, how large, between which values."""
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(size - 8)
        length = int.from_bytes(self._file.read(4), "little")
        self._file.seek(size - 8 - length)
        return bytes(self._file.read(length))


class _Stream:
    """One stream of Arrow that is open: a part of it is a record batch.

    Where the batches begin is known from `places`, or else found by going through them.
    """

    def __init__(self, file: Any, places: Sequence[int] | None = None) -> None:
        from pyarrow import ipc  # noqa: PLC0415 - an extra

        self._file, self._ipc = file, ipc
        file.seek(0)
        self.schema = ipc.read_schema(ipc.read_message(file))
        self.rows = list[int]()
        self.places = [*places] if places is not None else [*self._found()]

    def _found(self) -> Iterator[int]:
        while True:
            place = self._file.tell()
            try:
                message = self._ipc.read_message(self._file)
            except EOFError:
                return
            if message is None or message.type != "record batch":
                raise DataError(
                    "an Arrow file with dictionaries, from which no part can be read by itself; "
                    "save it without, or as Parquet"
                )
            self.rows.append(self._ipc.read_record_batch(message, self.schema).num_rows)
            yield place

    def batches(self, group: int, columns: Sequence[str]) -> Iterator[Any]:
        self._file.seek(self.places[group])
        batch = self._ipc.read_record_batch(self._ipc.read_message(self._file), self.schema)
        yield batch.select([*columns])

    def told(self) -> bytes:
        """What batches there are, and how the first and the last values of the first look."""
        said = json.dumps([self.rows, self.places, str(self.schema)]).encode()
        if not self.rows:
            return said
        self._file.seek(self.places[0])
        return said + bytes(self._file.read(2**16))


class _Reader(local):
    """Where reading has come to, for each thread and process its own."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._at: tuple[int, str, int] | None = None
        self._file: tuple[str, Any] | None = None
        self._rest: Iterator[Any] = iter(())
        self._batch: Any = None
        self._first = 0

    def __reduce__(self) -> Any:
        return type(self), (self.columns,)

    def value(self, piece: Piece, places: Sequence[int], group: int, row: int) -> Any:
        """The value of the column of images in a row of a part of a file."""
        at = os.getpid(), piece.place, group
        with reached(piece.place):
            if self._at != at or row < self._first:
                table = self._table(piece, places)
                self._rest = table.batches(group, [self.columns.image])
                self._at, self._batch, self._first = at, None, 0
            while self._batch is None or row >= self._first + self._batch.num_rows:
                self._first += 0 if self._batch is None else self._batch.num_rows
                self._batch = next(self._rest)
            return self._batch.column(0)[row - self._first].as_py()

    def _table(self, piece: Piece, places: Sequence[int]) -> Any:
        key = f"{os.getpid()} {piece.place}"
        if self._file is None or self._file[0] != key:
            self._file = key, _table(_opened(piece), piece, places)
        return self._file[1]


def _opened(piece: Piece) -> Any:
    files, path = system(piece.place)
    with reached(piece.place):
        return files.open(path, "rb")


def _table(file: Any, piece: Piece, places: Sequence[int] | None = None) -> Any:
    """The table in a file that is open; `DataError` where it is none."""
    with reached(piece.place):
        head = file.read(4)
        if head == _STREAM:
            return _Stream(file, places)
        if head == _MAGIC:
            return _Parquet(file)
    raise DataError(
        f"{printable(piece.place)} is neither a Parquet file nor a stream of Arrow as 🤗 datasets "
        "save it"
    )


def saved(folder: str) -> tuple[list[str], Mapping[str, Any]]:
    """The files of what 🤗 datasets saved to a folder, in their order, and what columns mean."""
    state, about = (_json(f"{folder.rstrip('/')}/{name}") for name in ("state", "dataset_info"))
    files = [part["filename"] for part in state.get("_data_files", ()) if "filename" in part]
    if not files:
        raise DataError(
            f"{printable(folder)} has no state.json that names its files; save the data again with "
            "save_to_disk"
        )
    features = about.get("features")
    return [f"{folder.rstrip('/')}/{name}" for name in files], features or {}


def _json(place: str) -> dict[str, Any]:
    files, name = system(f"{place}.json")
    with reached(f"{place}.json"):
        found = json.loads(files.cat_file(name)) if files.exists(name) else {}
    return found if isinstance(found, dict) else {}
