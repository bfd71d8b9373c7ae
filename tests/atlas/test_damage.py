"""What is damaged is told and not handed out, and the rest of an atlas stays usable."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fuzz import contents, damaged, small_atlas, told, try_variant
from phosphene.atlas import Atlas, blaming_damage, drop_damaged, verify
from phosphene.atlas.checksums import CHECKSUM
from phosphene.atlas.connections import columns
from phosphene.atlas.schema import CHECKSUMS, SCHEMA_VERSION, whole_schema
from phosphene.atlas.table import TABLES
from phosphene.errors import (
    AtlasError,
    DamagedError,
    NotAnAtlasError,
    TruncatedAtlasError,
)
from phosphene.figures import export_site, unit_sheet

VARIANTS = 200


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_atlas(tmp_path_factory.mktemp("whole") / "whole.atlas")


@pytest.fixture(scope="module")
def written(whole: Path) -> frozenset[str]:
    with Atlas.open(whole) as atlas:
        return frozenset(f"{name} {told(record)}" for name, record in contents(atlas))


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    path = tmp_path / "a.atlas"
    path.write_bytes(whole.read_bytes())
    return path


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


def flip(path: Path, content: bytes) -> None:
    """Turn one bit in the middle of something that stands in the file once."""
    data = bytearray(path.read_bytes())
    assert data.count(content) == 1
    data[data.index(content) + len(content) // 2] ^= 1
    path.write_bytes(data)


def picture_of(path: Path, table: str, column: str, where: str) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        (blob,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
    return bytes(blob[-60:-20])  # within a page also where the whole is not


def test_every_table_has_checksums(whole: Path) -> None:
    with Atlas.open(whole) as atlas:
        for table in TABLES:
            assert CHECKSUM in columns(atlas._connection, table.name)


@pytest.mark.slow
@pytest.mark.parametrize("group", range(8))
def test_whatever_was_done_to_the_file(
    group: int, whole: Path, written: frozenset[str], tmp_path: Path
) -> None:
    path, data = tmp_path / "variant.atlas", whole.read_bytes()
    ends = set()
    for number in range(group, VARIANTS, 8):
        path.write_bytes(damaged(data, random.Random(number))[1])
        site = tmp_path / "site" if number % 10 == 0 else None
        ends.add(try_variant(path, written, site, sheets=number == group))
    assert {"damaged", "not opened"} <= ends


def test_a_whole_atlas_is_called_whole(whole: Path, written: frozenset[str]) -> None:
    verdict = verify(whole)
    assert verdict.whole
    assert verdict.rows == 42 + 6  # artefacts and jobs
    assert "each with a checksum that fits" in verdict.summary
    assert len(written) == verdict.rows


@pytest.mark.later
def test_a_flipped_bit_in_a_picture_is_told_and_the_picture_not_shown(
    path: Path, tmp_path: Path
) -> None:
    flip(path, picture_of(path, "pictures", "picture", "layer = 'conv' AND unit = 1"))
    with Atlas.open(path) as atlas:
        assert atlas.pictures("conv", 1) == ()
        assert [picture.unit for picture in atlas.pictures("conv")] == [0, 2]
        (damage,) = atlas.damaged()
        assert damage.what == "the channel picture of conv:1 on bounded"
        assert (damage.layer, damage.unit, damage.table) == ("conv", 1, "pictures")
        export_site(atlas, tmp_path / "site")
        assert unit_sheet(atlas, "conv", 1).height > 100
    said = "The channel picture of conv:1 on bounded is damaged: it is not what was written"
    page, other, layer, index = (
        (tmp_path / "site" / f"{name}.html").read_text(encoding="utf-8")
        for name in ("unit-conv-1", "unit-conv-2", "layer-conv", "index")
    )
    assert said in page
    assert said not in other
    assert '<p class="silence">damaged</p>' in layer
    assert said in index
    assert "1 artefact." in index


def test_a_damaged_image_is_told_by_the_units_that_answer_to_it(path: Path, tmp_path: Path) -> None:
    flip(path, picture_of(path, "images", "picture", "image = 0"))
    with Atlas.open(path) as atlas:
        with pytest.raises(DamagedError, match=r"image 0 is damaged.*check .*--drop"):
            atlas.image(0)
        assert atlas.image(1).index == 1
        export_site(atlas, tmp_path / "site")
    page = (tmp_path / "site" / "unit-fc-2.html").read_text(encoding="utf-8")
    assert "Image 0, which excites it, is damaged." in page
    assert "Image 1, which excites it" not in page


def test_a_number_that_was_changed_is_told(path: Path) -> None:
    change(path, "UPDATE units SET maximum = 2.75 WHERE layer = 'fc' AND unit = 2")
    with Atlas.open(path) as atlas:
        assert [unit.unit for unit in atlas.units("fc")] == [0, 1]
        with pytest.raises(DamagedError, match="what is known of fc:2 is damaged"):
            atlas.unit("fc", 2)
        assert len(atlas.damaged("fc")) == 1
        assert atlas.damaged("conv") == ()


def test_rows_that_changed_places_are_told(path: Path) -> None:
    change(path, "UPDATE pictures SET unit = 7 WHERE layer = 'fc' AND unit = 2")
    assert not verify(path).sound


def test_who_adds_to_an_atlas_is_not_handed_a_part_of_it(path: Path) -> None:
    change(path, "UPDATE units SET maximum = 2.75 WHERE layer = 'fc' AND unit = 2")
    with Atlas.build(path) as atlas:
        assert len(atlas.probes()) == 1
        with pytest.raises(DamagedError, match="fc:2"):
            atlas.units("fc")


def test_what_is_damaged_can_be_dropped_and_done_anew(path: Path) -> None:
    change(path, "UPDATE examples SET value = 9.5 WHERE layer = 'fc' AND unit = 2 AND rank = 0")
    assert drop_damaged(path) == ["Examples of fc"]
    verdict = verify(path)
    assert verdict.whole
    with Atlas.open(path) as atlas:
        assert not atlas.done("examples fc")
        assert atlas.examples("fc", 1) == ()
        assert len(atlas.examples("conv", 1)) == 2


def test_an_artefact_of_no_job_is_dropped_alone(path: Path) -> None:
    change(path, "UPDATE examples SET job = '?' WHERE layer = 'fc' AND unit = 2 AND rank = 0")
    assert not verify(path).sound
    assert drop_damaged(path) == []
    assert verify(path).whole
    with Atlas.open(path) as atlas:
        assert len(atlas.examples("fc", 2)) == 1


def test_a_damaged_file_is_not_written_to(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'images'")
        ((size,),) = connection.execute("PRAGMA page_size")
    data, place = path.read_bytes(), (page - 1) * size
    path.write_bytes(data[:place] + bytes(512) + data[place + 512 :])
    with pytest.raises(TruncatedAtlasError, match="nothing can be dropped from it"):
        drop_damaged(path)


def without_checksums(path: Path) -> None:
    """Bring an atlas back to format 2, which had no table that came without a new format."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in TABLES:
            connection.execute(
                f"DROP TABLE {table.name}"
                if table.format is None
                else f"ALTER TABLE {table.name} DROP COLUMN checksum"
            )
        connection.execute("DROP TABLE unchecked")
        connection.execute("PRAGMA user_version = 2")


def test_of_an_early_atlas_not_all_can_be_told_and_that_is_said(
    path: Path, written: frozenset[str]
) -> None:
    without_checksums(path)
    verdict = verify(path)
    assert (verdict.sound, verdict.whole, verdict.format) == (True, False, 2)
    assert verdict.unchecked == verdict.rows
    assert "before atlas format 3, which had no checksums" in verdict.summary
    with Atlas.open(path) as atlas:
        read = {f"{name} {told(record)}" for name, record in contents(atlas)}
        assert read == {each for each in written if not each.startswith("arrays")}


def test_an_early_atlas_that_is_added_to_has_checksums_for_what_is_new(path: Path) -> None:
    without_checksums(path)
    before = verify(path)
    with Atlas.build(path) as atlas, atlas.job("new", "kind", "New") as job:
        job.document("new", {"a": 1})
    verdict = verify(path)
    assert (verdict.sound, verdict.format) == (True, SCHEMA_VERSION)
    assert (verdict.rows, verdict.unchecked) == (before.rows + 2, before.rows)
    change(path, "UPDATE documents SET checksum = NULL WHERE name = 'new'")
    assert [damage.what for damage in verify(path).damages] == ["the document new"]


@pytest.mark.parametrize("table", ["pictures", "images", "examples", "probes", "units"])
def test_pictures_and_arrays_of_an_early_atlas_are_told_by_their_own_sums(
    path: Path, table: str
) -> None:
    without_checksums(path)
    column = {"examples": "guided", "probes": "sheet", "units": "weights"}.get(table, "picture")
    with closing(sqlite3.connect(path)) as connection, connection:
        at, blob = connection.execute(
            f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL"
        ).fetchone()
        changed = bytearray(blob)
        changed[-25] ^= 1  # among the pixels
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, at))
    (damage,) = verify(path).damages
    assert damage.table == table


@pytest.mark.parametrize(
    ("column", "value"),
    [("settings", "[1"), ("settings", "[" * 100_000), ("attempts", "{"), ("layer", b"conv")],
)
def test_what_cannot_be_understood_is_told_without_checksums_too(
    path: Path, column: str, value: object
) -> None:
    without_checksums(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '')")
    change(path, f"UPDATE pictures SET {column} = ? WHERE layer = 'fc' AND unit = 2", value)
    assert any(damage.table == "pictures" for damage in verify(path).damages)


def test_a_fault_over_a_whole_atlas_is_ours(whole: Path, path: Path) -> None:
    with Atlas.open(whole) as atlas, pytest.raises(KeyError), blaming_damage(atlas):
        raise KeyError("labels")
    without_checksums(path)
    with (
        Atlas.open(path) as atlas,
        pytest.raises(TruncatedAtlasError, match=r"no study has written \(KeyError: 'labels'\)"),
        blaming_damage(atlas),
    ):
        raise KeyError("labels")


def test_documents_of_an_early_atlas_that_make_no_sense_are_told(
    path: Path, tmp_path: Path
) -> None:
    without_checksums(path)
    change(path, """UPDATE documents SET value = '{"name": 3}' WHERE name = 'network'""")
    with Atlas.open(path) as atlas:
        with pytest.raises(TruncatedAtlasError, match="holds what no study has written"):
            export_site(atlas, tmp_path / "site")
        with pytest.raises(TruncatedAtlasError, match="holds what no study has written"):
            unit_sheet(atlas, "conv", 1)


@pytest.mark.parametrize(
    "brought",
    [
        "CREATE VIEW more AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i FROM n",
        "CREATE TRIGGER t AFTER INSERT ON jobs BEGIN DELETE FROM units; END",
        "CREATE VIRTUAL TABLE words USING fts5(text)",
    ],
)
def test_nothing_runs_that_a_file_brings_along(path: Path, brought: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(brought)
    for use in (Atlas.open, Atlas.build, verify):
        with pytest.raises(NotAnAtlasError, match="brings along what no atlas has"):
            use(path)


def test_a_value_larger_than_its_file_takes_no_memory(path: Path) -> None:
    with Atlas.open(path) as atlas, pytest.raises(AtlasError, match="damaged"):
        atlas._query("SELECT zeroblob(900000000)")


@pytest.mark.parametrize("version", [0, 2**31 - 1])
def test_a_format_that_none_has_is_damage(path: Path, version: int) -> None:
    data = bytearray(path.read_bytes())
    data[60:64] = version.to_bytes(4, "big")
    path.write_bytes(data)
    for use in (Atlas.open, Atlas.build, verify):
        with pytest.raises(TruncatedAtlasError, match=f"atlas format {version}"):
            use(path)


def test_checksums_come_with_the_schema() -> None:
    assert CHECKSUMS in whole_schema()
