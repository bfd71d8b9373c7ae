"""A class of records and one line are all that a new table takes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from jaxtyping import Float
from numpy import ndarray

from phosphene.atlas import Atlas, Record, verify
from phosphene.atlas.schema import whole_schema
from phosphene.atlas.table import EXACT, TABLES, stored
from phosphene.errors import AtlasError, DamagedError


@dataclass(frozen=True, eq=False)
class Edge(Record):
    """How much one unit rests on another."""

    layer: str
    unit: int
    sign: Literal["more", "less"]
    share: float
    found: bool
    places: tuple[int, ...]
    note: str | None
    told: dict[str, Any]
    weights: Float[ndarray, "..."] | None


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """An atlas from before there were edges."""
    path = tmp_path / "a.atlas"
    with Atlas.build(path) as atlas, atlas.job("old", "kind", "title") as job:
        job.document("old", 1)
    return path


@pytest.fixture
def edges(before: Path) -> Iterator[None]:
    table = stored("edges", Edge, "layer", "unit", title="the edge of {layer}", weights=EXACT)
    yield
    TABLES.remove(table)


def an_edge(unit: int = 3, note: str | None = None) -> Edge:
    weights = None if note is None else np.arange(6, dtype=np.float32).reshape(2, 3)
    return Edge("fc", unit, "less", 0.25, True, (1, 2), note, {"a": [1]}, weights)


def add(path: Path, *found: Edge) -> None:
    with Atlas.build(path) as atlas, atlas.job("edges", "kind", "title") as job:
        job.add(*found)


@pytest.mark.usefixtures("edges")
def test_its_rows_come_back_belong_to_a_job_and_are_checked(before: Path) -> None:
    with Atlas.open(before) as atlas:
        assert atlas.records(Edge) == ()
    add(before, an_edge(4, "told"), an_edge())
    with Atlas.open(before) as atlas:
        first, second = atlas.records(Edge)
        assert (first.unit, first.note, first.weights) == (3, None, None)
        assert (second.sign, second.found, second.places) == ("less", True, (1, 2))
        assert second.weights is not None
        assert second.weights.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert second.told == {"a": [1]}
        assert atlas.provenance(first).key == "edges"
    assert verify(before).whole
    with Atlas.build(before) as atlas:
        atlas.drop(["edges"])
        assert atlas.records(Edge) == ()


@pytest.mark.usefixtures("edges")
def test_a_changed_row_is_told(before: Path) -> None:
    add(before, an_edge())
    with closing(sqlite3.connect(before)) as connection, connection:
        connection.execute("UPDATE edges SET share = 0.5")
    (damage,) = verify(before).damages
    assert str(damage).startswith("the edge of fc is damaged")
    with Atlas.build(before) as atlas, pytest.raises(DamagedError, match="the edge of fc"):
        atlas.records(Edge)


@pytest.mark.usefixtures("edges")
def test_the_fingerprint_tells_of_its_rows(before: Path) -> None:
    seen = set()
    for found in ((), (an_edge(),), (an_edge(note="told"),)):
        add(before, *found)
        with Atlas.open(before) as atlas:
            seen.add(atlas.fingerprint())
    assert len(seen) == 3


@pytest.mark.usefixtures("edges")
def test_its_columns_are_strict_as_its_fields_say() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(whole_schema())
        told = "SELECT name, type, \"notnull\" FROM pragma_table_info('edges')"
        assert connection.execute(told).fetchall() == [
            ("job", "TEXT", 1),
            ("layer", "TEXT", 1),
            ("unit", "INTEGER", 1),
            ("sign", "TEXT", 1),
            ("share", "REAL", 1),
            ("found", "INTEGER", 1),
            ("places", "TEXT", 1),
            ("note", "TEXT", 0),
            ("told", "TEXT", 1),
            ("weights", "BLOB", 0),
            ("checksum", "INTEGER", 0),
        ]
        row = "INSERT INTO edges VALUES ('j', 'fc', 1, 'most', 1.0, 1, '', NULL, '', NULL, 0)"
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            connection.execute(row)


def test_records_without_a_table_are_refused(before: Path) -> None:
    with pytest.raises(AtlasError, match="no table of Edge"):
        add(before, an_edge())


def test_an_array_that_names_no_codec_is_refused() -> None:
    with pytest.raises(TypeError, match=r"weights is a .*name the codec"):
        stored("edges", Edge, "layer", "unit", title="")
    assert "edges" not in {table.name for table in TABLES}
