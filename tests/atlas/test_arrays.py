"""Arrays that describe a study as a whole are kept exactly, apart from its documents."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from phosphene.atlas import Atlas, drop_damaged, verify
from phosphene.errors import AtlasError, DamagedError

LEVEL = np.random.default_rng(0).standard_normal((3, 8, 5)).astype(np.float32)
AXES = np.array([[np.float32(1 / 3), np.finfo(np.float32).tiny], [0, np.inf]], np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.atlas"
    with Atlas.build(path) as atlas, atlas.job("key", "spectrum", "The spectrum") as job:
        job.arrays("spectrum", {"level": LEVEL, "axes": AXES})
        job.document("other", {"level": 1})
    return path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_arrays_come_back_bit_by_bit_and_by_name(path: Path) -> None:
    with Atlas.open(path) as atlas:
        found = atlas.arrays("spectrum")
        assert atlas.documents() == ("other",)
    assert list(found) == ["axes", "level"]
    for name, array in (("level", LEVEL), ("axes", AXES)):
        assert (found[name].shape, found[name].tobytes()) == (array.shape, array.tobytes())
    assert verify(path).whole


def test_lists_in_a_document_are_read_as_arrays_as_older_atlases_have_them(path: Path) -> None:
    change(path, "DROP TABLE arrays")
    with Atlas.open(path) as atlas, pytest.raises(AtlasError, match="no document 'spectrum'"):
        atlas.arrays("spectrum")
    with Atlas.build(path) as atlas, atlas.job("key", "spectrum", "The spectrum") as job:
        job.document("spectrum", {"level": LEVEL.tolist()})
    with Atlas.open(path) as atlas:
        assert np.array_equal(atlas.arrays("spectrum")["level"], LEVEL)


def test_a_changed_array_is_told_and_the_job_that_made_it_dropped(path: Path) -> None:
    change(path, "UPDATE arrays SET array = zeroblob(40) WHERE name = 'axes'")
    with Atlas.open(path) as atlas, pytest.raises(DamagedError, match="the axes of the spectrum"):
        atlas.arrays("spectrum")
    assert not verify(path).sound
    assert drop_damaged(path) == ["The spectrum"]
    with Atlas.open(path) as atlas:
        assert not atlas.done("key")


def test_what_there_is_not_is_told_unless_something_else_will_do(path: Path) -> None:
    with Atlas.open(path) as atlas:
        assert atlas.document("none", None) is None
        assert atlas.document("other", None) == {"level": 1}
        with pytest.raises(AtlasError, match=r"no document 'othr'; nearest: other"):
            atlas.document("othr")
