"""What a table of an atlas is: rows are records of one dataclass, and its SQL follows from that.

A column has its field's name; names that SQL reserves are renamed. A field's type says how it is
stored; arrays, of which there are several kinds, say so by a codec of their own. A field with a
default came later than its table, and may be empty.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args, get_origin

from phosphene.atlas import codec
from phosphene.atlas.checksums import CHECKSUM, checksum
from phosphene.words import encodable

R = TypeVar("R")

_RENAMED = {"index": "image", "default": "is_default"}

_OWNER = "job TEXT NOT NULL REFERENCES jobs (key) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Codec:
    """How a field is stored, and the column's type; None is always stored as NULL.

    A `file` is one that stands by itself, and is unpacked when it is first looked at.
    """

    type: str
    encode: Callable[[Any], str | int | float | bytes] = _same
    decode: Callable[[Any], Any] = _same
    file: bool = False


_JSON = Codec("TEXT", codec.canonical_json, json.loads)
_TUPLE = Codec("TEXT", codec.canonical_json, lambda text: tuple(json.loads(text)))
_BY_TYPE: Mapping[Any, Codec] = {
    str: Codec("TEXT", encodable),  # names of files may be no text
    Literal: Codec("TEXT"),
    int: Codec("INTEGER"),
    float: Codec("REAL"),
    bytes: Codec("BLOB"),
    bool: Codec("INTEGER", int, bool),
    dict: _JSON,
    tuple: _TUPLE,
    Any: _JSON,
}
PICTURE = Codec("BLOB", codec.encode_picture, codec.decode_picture, file=True)
GREY = Codec(
    "BLOB",
    lambda map_: codec.encode_picture(map_[None]),
    lambda blob: codec.decode_picture(blob)[0],
    file=True,
)
SIGNED = Codec("BLOB", codec.encode_signed, codec.decode_signed, file=True)
EXACT = Codec("BLOB", codec.encode_exact, codec.decode_exact)


class Record:
    """What a job can add to an atlas: a frozen dataclass that has a table.

    Files of images are unpacked when they are first looked at: a page of a thousand units is made
    without, since browsers take the files themselves.
    """

    def file(self, name: str) -> bytes | None:
        """The field `name` as the file that an atlas has of it; None for what is of no atlas."""
        packed: dict[str, tuple[Codec, bytes]] = vars(self).get("_packed", {})
        return packed[name][1] if name in packed else None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            packed = vars(self).get("_packed", {})
            if name not in packed:
                raise AttributeError(f"{type(self).__name__} has no {name!r}")
            codec, content = packed[name]
            object.__setattr__(self, name, codec.decode(content))
            return vars(self)[name]


@dataclass(frozen=True)
class Column:
    """One column: its codec, whether it may be empty or came later, and the only values it has."""

    name: str
    codec: Codec
    optional: bool
    later: bool
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, field: Field[Any], given: Mapping[str, Codec]) -> "Column":
        """The column of a field, by the codec that is given for it or that its type has."""
        parts = get_args(field.type)
        optional = type(None) in parts
        kind = next(part for part in parts if part is not type(None)) if optional else field.type
        kind_of = get_origin(kind) or kind
        if field.name not in given and kind_of not in _BY_TYPE:
            raise TypeError(f"{field.name} is a {kind}: name the codec that says how it is stored")
        return cls(
            _RENAMED.get(field.name, field.name),
            given.get(field.name) or _BY_TYPE[kind_of],
            optional,
            field.default is not MISSING,
            get_args(kind) if kind_of is Literal else (),
        )

    @property
    def sql(self) -> str:
        """The column in a table that is created."""
        check = ", ".join(f"'{value}'" for value in self.values)
        return (
            f"{self.name} {self.codec.type}"
            + " NOT NULL" * (not self.optional)
            + f" CHECK ({self.name} IN ({check}))" * bool(check)
        )

    def encode(self, value: Any) -> Any:
        return None if value is None else self.codec.encode(value)

    def decode(self, value: Any) -> Any:
        return None if value is None else self.codec.decode(value)


@dataclass(frozen=True)
class Table(Generic[R]):
    """One table: rows are records of one class, `key` tells them apart, `title` calls them.

    Rows belong to a job, whose key stands in front of the record's columns; a job's own row does
    not (`owned`). Several jobs may each have a row of one key where it is `shared`. `codecs` are
    those of arrays. `format` is that of the first atlases which have it; a table that came without
    a new format is missing in some of the last one (None).
    """

    name: str
    record: type[R]
    key: tuple[str, ...]
    title: str
    codecs: Mapping[str, Codec]
    shared: bool = False
    owned: bool = True
    format: int | None = None

    @cached_property
    def parts(self) -> tuple[Column, ...]:
        """The record's columns, in the order of its fields."""
        return tuple(Column.of(field, self.codecs) for field in fields(self.record))  # type: ignore[arg-type]

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(part.name for part in self.parts)

    @property
    def owner(self) -> tuple[str, ...]:
        """The column that names the job, where rows belong to one."""
        return ("job",) * self.owned

    @property
    def create(self) -> str:
        """The statement that makes the table as it was when it came."""
        lines = [_OWNER] * self.owned
        alone = not self.shared and len(self.key) == 1
        for part in self.parts:
            key = alone and part.name == self.key[0]
            if not part.later:
                lines.append(f"{part.name} {part.codec.type} PRIMARY KEY" if key else part.sql)
        if self.format is None:
            lines.append(f"{CHECKSUM} INTEGER")
        if self.shared:
            lines.append(f"PRIMARY KEY ({', '.join(self.key)}, job) ON CONFLICT REPLACE")
        elif not alone:
            lines.append(f"PRIMARY KEY ({', '.join(self.key)})")
        body = ",\n".join(f"  {line}" for line in lines)
        return f"CREATE TABLE {self.name} (\n{body}\n) STRICT;\n"

    @property
    def index(self) -> str:
        """The statement that makes the index by which a job's rows go with it."""
        return f"CREATE INDEX {self.name}_of_job ON {self.name} (job);\n" * self.owned

    @property
    def later(self) -> dict[str, str]:
        """What adds each column that came later, by its name."""
        return {
            part.name: f"ALTER TABLE {self.name} ADD COLUMN {part.sql};\n"
            for part in self.parts
            if part.later
        }

    def row(self, record: R, *owner: str) -> tuple[Any, ...]:
        """What is stored of a record of the job `owner`, with the checksum of it all."""
        values = (*owner, *self._encoded(record).values())
        cells = dict(zip((*self.owner, *self.columns), values, strict=True))
        return (*values, checksum(self.name, cells))

    def sound(self, row: Sequence[Any]) -> bool:
        """Whether a row of owner, `columns` and checksum is as it was written."""
        *values, written = row
        cells = dict(zip((*self.owner, *self.columns), values, strict=True))
        return bool(written == checksum(self.name, cells))

    def read(self, row: Sequence[Any], *, whole: bool = True) -> R:
        """The record of a row holding `columns`; files that are not read `whole` stay packed."""
        record = object.__new__(self.record)
        packed: dict[str, tuple[Codec, bytes]] = {}
        for part, field, value in zip(self.parts, fields(self.record), row, strict=True):  # type: ignore[arg-type]
            if part.codec.file and value is not None:
                packed[field.name] = part.codec, value
            if whole or field.name not in packed:
                object.__setattr__(record, field.name, part.decode(value))
        object.__setattr__(record, "_packed", packed)
        return record

    def identity(self, record: R) -> dict[str, Any]:
        """The key columns of a record and their values."""
        return self._encoded(record, self.key)

    def insert(self) -> str:
        """The statement that adds what `row` gives."""
        names = (*self.owner, *self.columns, CHECKSUM)
        marks = ", ".join("?" * len(names))
        return f"INSERT INTO {self.name} ({', '.join(names)}) VALUES ({marks})"

    def _encoded(self, record: R, wanted: Sequence[str] | None = None) -> dict[str, Any]:
        named = zip(self.parts, fields(record), strict=True)  # type: ignore[arg-type]
        return {
            part.name: part.encode(getattr(record, field.name))
            for part, field in named
            if wanted is None or part.name in wanted
        }


TABLES: list[Table[Any]] = []
"""All tables of records, in the order in which they are created."""


def stored(
    name: str,
    record: type[R],
    *key: str,
    title: str,
    shared: bool = False,
    owned: bool = True,
    format: int | None = None,
    **codecs: Codec,
) -> Table[R]:
    """The table of a class of records, which from now on every atlas has: see `Table`."""
    table = Table(name, record, key, title, codecs, shared, owned, format)
    for field in fields(record):  # type: ignore[arg-type]
        if field.name in codecs and codecs[field.name].file and hasattr(record, field.name):
            delattr(record, field.name)  # the default, which would stand before what is packed
    assert set(key) <= {*table.columns}, f"{name} has no columns {key}"
    TABLES.append(table)
    return table
