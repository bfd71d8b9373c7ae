"""Unsound files are told apart and left alone; kills and full disks lose nothing."""

import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from phosphene.atlas import Atlas, Document, LayerRecord, ProbeRecord, Skipped, connections, files
from phosphene.atlas.schema import (
    APPLICATION_ID,
    CHECKSUMS,
    PROBES,
    SCHEMA_VERSION,
    added,
    whole_schema,
)
from phosphene.errors import (
    AtlasError,
    NewerAtlasError,
    NotAnAtlasError,
    StorageError,
    TruncatedAtlasError,
)

BOTH = pytest.mark.parametrize("use", [Atlas.open, Atlas.build])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.atlas"


def fill(path: Path, *keys: str, rows: int = 200) -> None:
    with Atlas.build(path) as atlas:
        for key in keys:
            with atlas.job(key, "kind", key) as job:
                job.add(*(Skipped(f"{key}/{row}", "cut short" * 9) for row in range(rows)))


def rows_of(path: Path) -> dict[str, int]:
    """How many rows each job has that counts as done."""
    with Atlas.open(path) as atlas:
        counts = dict.fromkeys((job.key for job in atlas.jobs() if job.state == "done"), 0)
        for skipped in atlas.skipped():
            counts[skipped.path.split("/")[0]] += 1
        return counts


def killed_build(path: Path, suffixes: tuple[str, ...] = ("", "-wal")) -> None:
    """Leave at `path` what a killed build leaves: two jobs, the second only in the log."""
    other = path.with_name("other.atlas")
    fill(other, "first")
    with Atlas.build(other) as atlas:
        with atlas.job("second", "kind", "title") as job:
            job.add(Skipped("second/0", "reason"))
        for suffix in suffixes:
            shutil.copy(f"{other}{suffix}", f"{path}{suffix}")
    other.unlink()


def test_the_header_says_what_the_file_is(path: Path) -> None:
    fill(path)
    header = path.read_bytes()[:100]
    assert header[68:72] == b"PHOS"
    assert struct.unpack_from(">I", header, 60) == (SCHEMA_VERSION,)
    assert list(path.parent.iterdir()) == [path]


@BOTH
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "an empty file"),
        (b"just some text\n", "text"),
        (b"PK\x03\x04" + bytes(200), "PyTorch checkpoint"),
        (b"SQLite", "text"),
        (os.urandom(300).replace(b"SQLite", b""), "is not an atlas"),
    ],
    ids=["empty", "text", "zip", "short", "noise"],
)
def test_another_file_is_left_as_it_is(path: Path, use, content: bytes, expected: str) -> None:
    path.write_bytes(content)
    with pytest.raises(NotAnAtlasError, match=expected):
        use(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@BOTH
def test_a_database_of_another_application_is_left_as_it_is(path: Path, use) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE jobs (key)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NotAnAtlasError, match="another application"):
        use(path)
    assert path.read_bytes() == before


@BOTH
def test_a_newer_atlas_asks_for_a_newer_phosphene(path: Path, use) -> None:
    fill(path, "job")
    with path.open("r+b") as file:
        file.seek(60)
        file.write(struct.pack(">I", SCHEMA_VERSION + 1))
    before = path.read_bytes()
    with pytest.raises(
        NewerAtlasError, match=rf"format {SCHEMA_VERSION + 1}.*up to {SCHEMA_VERSION}.*--upgrade"
    ):
        use(path)
    assert path.read_bytes() == before


@BOTH
@pytest.mark.parametrize("share", [0.0003, 0.1, 0.5, 0.999])
def test_a_truncated_atlas_says_so(path: Path, use, share: float) -> None:
    fill(path, "job", rows=800)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    cut = path.read_bytes()
    assert len(cut) > 16
    with pytest.raises(TruncatedAtlasError, match=rf"{len(cut)} bytes of at least.*again"):
        use(path)
    assert path.read_bytes() == cut


def test_a_stale_page_count_is_not_believed(path: Path) -> None:
    fill(path, "job")
    with path.open("r+b") as file:
        file.seek(28)
        file.write(struct.pack(">I", 10_000))
        file.seek(92)
        file.write(struct.pack(">I", 1))  # the count was valid for another change
    assert rows_of(path) == {"job": 200}


def test_damage_inside_is_found_when_it_is_read(path: Path) -> None:
    fill(path, "job", rows=800)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * (size // 4))
    with Atlas.open(path) as atlas:
        assert len(atlas.skipped()) < 800
        (damage,) = atlas.damaged()
        assert str(damage).startswith("a part of the skipped is damaged: database disk image is")
    with Atlas.build(path) as atlas, pytest.raises(TruncatedAtlasError, match="damaged"):
        atlas.drop(["job"])


def test_a_damaged_schema_is_found_when_it_is_opened(path: Path) -> None:
    fill(path, "job", rows=800)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(TruncatedAtlasError, match="damaged"):
        Atlas.open(path)


def test_a_missing_atlas_is_named_with_its_neighbours(path: Path) -> None:
    fill(path)
    with pytest.raises(AtlasError, match=r"no atlas at .*b\.atlas.*nearest: a\.atlas.*build"):
        Atlas.open(path.with_name("b.atlas"))
    assert not path.with_name("b.atlas").exists()


@BOTH
def test_a_folder_is_no_atlas(tmp_path: Path, use) -> None:
    with pytest.raises(NotAnAtlasError, match="is a folder"):
        use(tmp_path)


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_place_where_nothing_can_be_made(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="choose a folder that exists"):
        Atlas.build(tmp_path / folder / "a.atlas")


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder for `protect`, which also gives up the rights of root until the test ends."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX users")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        user = os.geteuid()
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


def protect(folder: Path) -> None:
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_read_only_folder_is_read_and_not_written(shelf: Path) -> None:
    fill(shelf / "a.atlas", "job")
    before = contents(shelf)
    protect(shelf)
    assert rows_of(shelf / "a.atlas") == {"job": 200}
    with pytest.raises(StorageError, match=r"cannot be written.*kept.*another folder"):
        Atlas.build(shelf / "a.atlas")
    with pytest.raises(StorageError, match="Permission denied"):
        Atlas.build(shelf / "new.atlas")
    assert contents(shelf) == before


def test_a_killed_build_is_read_from_a_read_only_folder(shelf: Path) -> None:
    killed_build(shelf / "a.atlas")
    before = contents(shelf)
    protect(shelf)
    assert rows_of(shelf / "a.atlas") == {"first": 200, "second": 1}
    assert contents(shelf) == before


def test_a_killed_build_is_read_whole_and_left_as_it_is(path: Path) -> None:
    killed_build(path)
    before = contents(path.parent)
    assert set(before) == {"a.atlas", "a.atlas-wal"}
    assert rows_of(path) == {"first": 200, "second": 1}
    assert contents(path.parent) == before
    fill(path, "third", rows=1)
    assert list(path.parent.iterdir()) == [path]
    assert rows_of(path) == {"first": 200, "second": 1, "third": 1}


def test_a_killed_build_with_its_index_is_read_whole(path: Path) -> None:
    killed_build(path, ("", "-wal", "-shm"))
    before = contents(path.parent)
    assert rows_of(path) == {"first": 200, "second": 1}
    after = contents(path.parent)
    assert {name: after[name] for name in ("a.atlas", "a.atlas-wal")} == {
        name: before[name] for name in ("a.atlas", "a.atlas-wal")
    }


def test_a_log_that_was_lost_leaves_a_readable_atlas(path: Path) -> None:
    killed_build(path)
    path.with_name("a.atlas-wal").unlink()
    before = contents(path.parent)
    assert rows_of(path) == {"first": 200}
    assert contents(path.parent) == before


def test_a_running_build_can_be_watched(path: Path) -> None:
    fill(path, "first")
    with Atlas.build(path) as atlas:
        with atlas.job("second", "kind", "title") as job:
            job.add(Skipped("second/0", "reason"))
            assert rows_of(path) == {"first": 200}
        with Atlas.open(path) as watcher:
            assert watcher.done("second")
            with atlas.job("third", "kind", "title"):
                pass
            assert watcher.done("third")
    assert list(path.parent.iterdir()) == [path]


def test_closing_while_somebody_reads_loses_nothing(path: Path) -> None:
    atlas = Atlas.build(path)
    with atlas.job("job", "kind", "title") as job:
        job.add(LayerRecord("fc", 0, "Linear", (10,), 10, None, True, True))
    with Atlas.open(path) as watcher:
        atlas.close()
        assert watcher.layer("fc").units == 10
    with Atlas.open(path) as watcher:
        assert watcher.layer("fc").units == 10
    Atlas.build(path).close()
    assert list(path.parent.iterdir()) == [path]


def test_a_second_builder_works_beside_the_first(path: Path) -> None:
    with Atlas.build(path) as atlas, atlas.job("job", "kind", "title") as job:
        with Atlas.build(path) as second, second.job("other", "kind", "title"):
            assert second.states() == {}
        assert path.with_name("a.atlas-wal").exists()  # the second left it to the first
        job.document("still", "mine")
    assert list(path.parent.iterdir()) == [path]
    with Atlas.open(path) as reader:
        assert reader.document("still") == "mine"
        assert reader.states() == {"other": "done", "job": "done"}


def test_who_keeps_an_atlas_locked_is_not_waited_for_without_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.05)
    fill(path, "first", rows=1)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(AtlasError, match="another program has kept the atlas locked"):
            Atlas.build(path)


def overfill(atlas: Atlas) -> None:
    with atlas.job("big", "kind", "title") as job:
        job.add(*(Document(str(row), "x" * 4000) for row in range(500)))


@pytest.mark.later
def test_a_full_disk_keeps_what_was_finished(path: Path) -> None:
    fill(path, "first")
    with Atlas.build(path) as atlas:
        (pages,) = atlas._connection.execute("PRAGMA page_count").fetchone()
        atlas._connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(
            StorageError, match=r"disk is full\. Everything finished so far is kept"
        ):
            overfill(atlas)
        assert not atlas.done("big")
        assert atlas.documents() == ()
        with atlas.job("small", "kind", "title") as job:
            job.add(Skipped("small/0", "reason"))
    assert list(path.parent.iterdir()) == [path]
    assert rows_of(path) == {"first": 200, "small": 1}
    with Atlas.build(path) as atlas:
        overfill(atlas)
        assert atlas.done("big")


def test_a_first_error_is_not_hidden_by_closing(path: Path) -> None:
    def fail() -> None:
        with Atlas.build(path) as atlas:
            atlas._connection.close()  # so that closing properly fails
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        fail()


def test_a_build_from_another_folder_and_odd_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "50% of? ünits #1.atlas"
    fill(Path(name), "job", rows=3)
    assert rows_of(tmp_path / name) == {"job": 3}
    with Atlas.open(name) as atlas:
        assert atlas.path == Path(name)


BUILD = """
    import sys
    from phosphene.atlas import Atlas, Skipped
    print("ready", flush=True)
    with Atlas.build(sys.argv[1]) as atlas:
        for number in range(40):
            key = f"job{number}"
            if atlas.done(key):
                continue
            with atlas.job(key, "kind", key) as job:
                for row in range(25):
                    job.add(*(Skipped(f"{key}/{row * 20 + i}", "cut short" * 9) for i in range(20)))
"""


def build(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(BUILD), str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_one_killed_while_it_wrote_without_a_log_is_read(path: Path, tmp_path: Path) -> None:
    fill(path, "a", "b")
    killed = tmp_path / "killed.atlas"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("DELETE FROM skipped")
        shutil.copy(path.with_name("a.atlas-journal"), tmp_path / "killed.atlas-journal")
        shutil.copy(path, killed)
        connection.execute("ROLLBACK")
    assert (tmp_path / "killed.atlas-journal").stat().st_size > 0
    before = killed.read_bytes()
    assert rows_of(killed) == {"a": 200, "b": 200}
    assert killed.read_bytes() == before


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_is_as_never_killed(tmp_path: Path) -> None:
    straight, crooked = tmp_path / "straight.atlas", tmp_path / "crooked.atlas"
    with build(straight) as process:
        assert process.stdout is not None
        process.stdout.readline()
        start = time.perf_counter()
        assert process.wait() == 0
    duration = time.perf_counter() - start
    moments = random.Random(0)
    kills = 0
    for _ in range(10):
        with build(crooked) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0, duration / 6))
            process.kill()
        kills += process.returncode != 0
        if crooked.exists():
            assert set(rows_of(crooked).values()) <= {500}
    assert kills >= 5
    with build(crooked) as process:
        process.wait()
    with Atlas.open(straight) as one, Atlas.open(crooked) as two:
        assert one.fingerprint() == two.fingerprint()
        assert len(two.jobs()) == 40
    assert sorted(file.suffix for file in tmp_path.glob("*.atlas*")) == [".atlas", ".atlas"]


def test_an_atlas_appears_in_one_piece(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(draft: Path, path: Path) -> None:
        assert draft.stat().st_size > 0
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_place", killed)
    with pytest.raises(KeyboardInterrupt):
        Atlas.build(path)
    assert list(path.parent.iterdir()) == []


def test_a_file_system_without_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    fill(path, "job", rows=1)
    assert rows_of(path) == {"job": 1}
    assert list(path.parent.iterdir()) == [path]


def test_an_atlas_that_appears_meanwhile_is_not_replaced(path: Path) -> None:
    fill(path, "job", rows=1)
    files.create(path)
    assert rows_of(path) == {"job": 1}


def test_application_id_fits_the_header() -> None:
    assert APPLICATION_ID < 2**31  # SQLite reads it as a signed number


def first_version(path: Path) -> None:
    """An atlas as the first version wrote it, which knew no probes and fewer columns."""
    stamp = f"user_version = {SCHEMA_VERSION}"
    script = whole_schema().replace(PROBES, "").replace(CHECKSUMS, "")
    earlier(path, script.replace(stamp, "user_version = 1"))


def earlier(path: Path, script: str) -> None:
    """An empty atlas of a schema without the columns that came later."""
    for statement in added().values():
        assert statement in script
        script = script.replace(statement, "")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def test_an_atlas_of_the_first_version_can_be_read_as_it_is(path: Path) -> None:
    first_version(path)
    before = path.read_bytes()
    with Atlas.open(path) as atlas:
        assert atlas.probes() == ()
        assert atlas.fingerprint()
    assert path.read_bytes() == before


def test_an_atlas_of_the_first_version_is_brought_up_to_date_when_it_is_added_to(
    path: Path,
) -> None:
    first_version(path)
    fill(path, "first")
    with Atlas.build(path) as atlas, atlas.job("key", "probe", "title") as job:
        job.add(ProbeRecord("fool-1", "fool", "Fooling", "All.", {}, b""))
    with Atlas.open(path) as atlas:
        assert [probe.name for probe in atlas.probes()] == ["fool-1"]
    assert rows_of(path)["first"] == 200
    fresh = path.with_name("fresh.atlas")
    fill(fresh)
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(fresh)) as new:
        told = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
        assert old.execute(told).fetchall() == new.execute(told).fetchall()
        assert old.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def a_layer(**later: object) -> LayerRecord:
    return LayerRecord("fc", 0, "Linear", (10,), 10, None, True, True, **later)  # type: ignore[arg-type]


@pytest.fixture
def without_later_columns(path: Path) -> Path:
    """An atlas of format 2 with a layer, from before the columns that came later."""
    stamp = f"user_version = {SCHEMA_VERSION}"
    earlier(path, whole_schema().replace(CHECKSUMS, "").replace(stamp, "user_version = 2"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO jobs VALUES ('old', 'd', 't', '{}', 0, '0', 'done', 1.0, 'now', NULL)"
        )
        connection.execute(
            "INSERT INTO layers VALUES ('old', 'fc', 0, 'Linear', '[10]', 10, NULL, 1, 1)"
        )
    return path


def test_columns_that_an_atlas_lacks_count_as_empty(without_later_columns: Path) -> None:
    before = without_later_columns.read_bytes()
    with Atlas.open(without_later_columns) as atlas:
        assert atlas.layers() == (a_layer(),)
        assert atlas.pictures("fc") == ()
        read_only = atlas.fingerprint()
    assert without_later_columns.read_bytes() == before
    with Atlas.build(without_later_columns) as atlas:
        assert atlas.fingerprint() == read_only


def test_columns_that_an_atlas_lacks_come_when_it_is_added_to(without_later_columns: Path) -> None:
    new = replace(a_layer(layout="vector", multiply_adds=80), name="new")
    with Atlas.build(without_later_columns) as atlas, atlas.job("new", "d", "t") as job:
        job.add(new)
    with Atlas.open(without_later_columns) as atlas:
        assert atlas.layer("fc") == a_layer()
        assert atlas.layer("new") == new
    with closing(sqlite3.connect(without_later_columns)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
