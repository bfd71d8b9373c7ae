"""Jobs: kept whole or not at all, replaced, dropped, with provenance and a fingerprint."""

import dataclasses
import io
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from phosphene.atlas import (
    ArrayRecord,
    Atlas,
    Correlated,
    Document,
    ExampleRecord,
    Finding,
    ImageRecord,
    Job,
    LayerRecord,
    PartRecord,
    PictureRecord,
    ProbeRecord,
    Record,
    Skipped,
    UnitRecord,
    job_key,
    verify,
)
from phosphene.errors import AtlasError, UnknownLayerError, UnknownUnitError
from tiny import quantised


def a_layer(name: str = "conv1", position: int = 0) -> LayerRecord:
    return LayerRecord(
        name, position, "Conv2d", (4, 7, 7), 4, (5, 5), False, True, "channels_last", 640
    )


def a_unit(unit: int = 0, layer: str = "conv1", **changes: Any) -> UnitRecord:
    record = UnitRecord(
        layer=layer,
        unit=unit,
        firing_rate=0.25,
        mean=0.1,
        deviation=1 / 3,
        maximum=2.5,
        histogram_counts=(5, 0, 3),
        histogram_low=-0.5,
        histogram_width=0.1,
        class_means=(0.1, 0.2),
        preferred_class=1,
        selectivity=0.5,
        twin=3,
        twin_correlation=0.99,
        weights=np.arange(18, dtype=np.float32).reshape(2, 3, 3) / 7,
        correlated={"conv1": (Correlated(3, 0.99), Correlated(1, 0.25)), "fc": ()},
    )
    return dataclasses.replace(record, **changes)


def an_image(index: int = 11, predicted: int | None = 3) -> ImageRecord:
    picture = np.random.default_rng(index).random((3, 6, 5))
    return ImageRecord(index, 3, predicted, None if predicted is None else 0.75, picture)


def an_example(unit: int = 0, rank: int = 0, layer: str = "conv1") -> ExampleRecord:
    guided = np.random.default_rng(rank).normal(size=(1, 5, 5))
    return ExampleRecord(layer, unit, rank, 11 + rank, 2.5 - rank, 3, 0, (-1, -2, 4, 3), guided)


def a_picture(unit: int = 0, canvas: str = "pixels", layer: str = "conv1") -> PictureRecord:
    return PictureRecord(
        layer=layer,
        unit=unit,
        kind="channel",
        canvas=canvas,
        picture=np.random.default_rng(unit).random((1, 8, 8)),
        activation=3.5,
        strongest_real=2.5,
        silent=False,
        settings={"steps": 256, "rate": 0.05, "nested": {"a": [1, None]}},
        attempts=("from noise", "wider canvas"),
        alpha=np.linspace(0, 1, 20).reshape(4, 5),
    )


def every_record() -> list[Record]:
    return [
        a_layer(),
        a_unit(),
        an_image(),
        an_example(),
        a_picture(),
        Finding(0, "accuracy", "It reads 98 % — naïvely.", {"accuracy": 0.98}),
        Skipped("a/b.png", "cut short"),
        ProbeRecord("fool-1", "fool", "Fooling", "10 of 10.", {"steps": 5}, b"PNG"),
        PartRecord("0f" * 16, 16, 1, 3, {"count": 9}, b"tensors"),
        Document("network", {"classes": ["nought", "eins"]}),
        ArrayRecord("spectrum", "level", np.arange(6, dtype=np.float32).reshape(2, 3)),
    ]


def same(left: Any, right: Any) -> bool:
    """Field by field, arrays by value."""
    return type(left) is type(right) and all(
        np.array_equal(getattr(left, field.name), getattr(right, field.name))
        for field in dataclasses.fields(left)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.atlas"


def fill(path: Path, *records: Record, key: str = "key") -> None:
    with Atlas.build(path) as atlas, atlas.job(key, "kind", "title", {"k": 9}, 7) as job:
        job.add(*records)


def test_every_record_comes_back(path: Path) -> None:
    fill(path, *every_record())
    with Atlas.open(path) as atlas:
        assert atlas.layers() == (a_layer(),)
        assert same(atlas.unit("conv1", 0), a_unit())
        image = dataclasses.replace(an_image(), picture=quantised(an_image().picture))
        assert same(atlas.image(11), image)
        (example,) = atlas.examples("conv1", 0)
        assert np.abs(example.guided - an_example().guided).max() < 0.02
        assert same(dataclasses.replace(example, guided=an_example().guided), an_example())
        picture = dataclasses.replace(
            a_picture(),
            picture=quantised(a_picture().picture),
            alpha=quantised(a_picture().alpha[None])[0],
        )
        assert same(atlas.pictures("conv1", 0)[0], picture)
        assert atlas.findings() == (
            Finding(0, "accuracy", "It reads 98 % — naïvely.", {"accuracy": 0.98}),
        )
        assert atlas.skipped() == (Skipped("a/b.png", "cut short"),)
        assert atlas.document("network") == {"classes": ["nought", "eins"]}


def test_what_is_absent_comes_back_as_none(path: Path) -> None:
    layer = LayerRecord("conv1", 0, "Conv2d", (4, 7, 7), 4, None, True, False)
    unit = a_unit(
        class_means=(),
        preferred_class=None,
        selectivity=None,
        twin=None,
        twin_correlation=None,
        weights=None,
        correlated=None,
    )
    example = dataclasses.replace(an_example(), y=None, x=None)
    picture = dataclasses.replace(
        a_picture(), strongest_real=None, silent=True, attempts=(), alpha=None
    )
    fill(path, layer, unit, example, picture, ImageRecord(0, None, None, None, np.ones((1, 2, 2))))
    with Atlas.open(path) as atlas:
        assert atlas.layers() == (layer,)
        assert same(atlas.unit("conv1", 0), unit)
        assert atlas.unit("conv1", 0).correlated is None
        assert atlas.examples("conv1", 0)[0].y is None
        found = atlas.pictures("conv1")[0]
        assert (found.strongest_real, found.silent, found.attempts) == (None, True, ())
        assert found.alpha is None
        assert atlas.image(0).label is None


def test_records_hold_plain_values_of_their_types(path: Path) -> None:
    fill(path, *every_record())
    with Atlas.open(path) as atlas:
        layer, example = atlas.layer("conv1"), atlas.examples("conv1", 0)[0]
        assert isinstance(layer.default, bool)
        assert isinstance(layer.shape, tuple)
        assert isinstance(example.box, tuple)
        assert isinstance(atlas.pictures("conv1")[0].silent, bool)


def test_every_artefact_names_what_made_it(path: Path) -> None:
    fill(path, *every_record())
    with Atlas.open(path) as atlas:
        for artefact in [*every_record(), "network"]:
            job = atlas.provenance(artefact)
            assert (job.key, job.kind, job.title) == ("key", "kind", "title")
            assert (job.params, job.seed, job.state) == ({"k": 9}, 7, "done")
            assert job.version
            assert job.finished.endswith("+00:00")
        with pytest.raises(AtlasError, match="no row in units with layer conv1, unit 3"):
            atlas.provenance(a_unit(3))


def interrupted(atlas: Atlas, error: BaseException) -> None:
    with atlas.job("key", "kind", "title") as job:
        job.add(*every_record())
        raise error


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_an_interrupted_job_leaves_nothing(path: Path, error: BaseException) -> None:
    with Atlas.build(path) as atlas:
        with pytest.raises(type(error)):
            interrupted(atlas, error)
        assert not atlas.done("key")
        assert atlas.layers() == ()
        assert atlas.documents() == ()
        failed = [job.error for job in atlas.jobs() if job.state == "failed"]
        assert failed == (["ValueError: no"] if isinstance(error, ValueError) else [])
        with atlas.job("key", "kind", "title") as job:
            job.add(a_layer())
        assert [job.state for job in atlas.jobs()] == ["done"]


def test_a_failing_rerun_keeps_what_was_done(path: Path) -> None:
    fill(path, a_layer(), a_unit())
    with Atlas.build(path) as atlas:
        with pytest.raises(ValueError, match="no"), atlas.job("key", "kind", "title"):
            raise ValueError("no")
        assert atlas.done("key")
        assert same(atlas.unit("conv1", 0), a_unit())


def test_a_rerun_replaces_what_the_job_added(path: Path) -> None:
    fill(path, a_layer(), a_unit(0), a_unit(1), an_image(5))
    fill(path, a_layer(), a_unit(0, mean=9.0))
    with Atlas.open(path) as atlas:
        assert [unit.mean for unit in atlas.units("conv1")] == [9.0]
        assert atlas.images() == {}
        assert len(atlas.jobs()) == 1


def test_a_record_of_another_job_is_not_overwritten(path: Path) -> None:
    fill(path, a_layer(), a_unit(0), key="first")
    with pytest.raises(AtlasError, match=r"already has this record.*drop"):
        fill(path, a_unit(0, mean=9.0), key="second")
    with Atlas.open(path) as atlas:
        assert same(atlas.unit("conv1", 0), a_unit(0))


def test_a_job_is_dropped_with_all_it_added(path: Path) -> None:
    fill(path, a_layer(), key="layers")
    fill(path, a_unit(0), an_image(1), key="old")
    fill(path, a_unit(1), an_image(1), key="kept")
    with Atlas.build(path) as atlas:
        assert atlas.drop(["old", "never run"]) == 1
        assert [job.key for job in atlas.jobs()] == ["layers", "kept"]
        assert [unit.unit for unit in atlas.units("conv1")] == [1]
        assert atlas.image(1).index == 1


def test_an_image_is_kept_for_every_job_that_refers_to_it(path: Path) -> None:
    fill(path, an_image(4, predicted=None), an_image(4, predicted=None), key="a")
    fill(path, an_image(4, predicted=8), key="b")
    with Atlas.build(path) as atlas:
        assert list(atlas.images()) == [4]
        assert atlas.image(4).predicted == 8
        atlas.drop(["b"])
        assert atlas.image(4).predicted is None
        with pytest.raises(AtlasError, match="did not keep image 5"):
            atlas.images([4, 5])


def test_readers_choose_and_order(path: Path) -> None:
    records: list[Record] = [a_layer("late", 1), a_layer("conv1", 0)]
    records += [a_unit(unit) for unit in (2, 0, 1)]
    records += [an_example(unit, rank) for rank in (1, 0, 2) for unit in (1, 0)]
    records += [a_picture(unit, canvas) for unit in (1, 0) for canvas in ("pixels", "maco")]
    fill(path, *records)
    with Atlas.open(path) as atlas:
        assert [layer.name for layer in atlas.layers()] == ["conv1", "late"]
        assert [unit.unit for unit in atlas.units("conv1")] == [0, 1, 2]
        assert [example.rank for example in atlas.examples("conv1", 1)] == [0, 1, 2]
        strongest = atlas.strongest("conv1")
        assert [(unit, example.rank) for unit, example in strongest.items()] == [(0, 0), (1, 0)]
        every = [(picture.unit, picture.canvas) for picture in atlas.pictures("conv1")]
        assert every == [(0, "maco"), (0, "pixels"), (1, "maco"), (1, "pixels")]
        assert [picture.canvas for picture in atlas.pictures("conv1", 1)] == ["maco", "pixels"]
        assert atlas.examples("late", 0) == ()
        assert atlas.strongest("late") == {}


def test_unknown_names_are_answered_with_known_ones(path: Path) -> None:
    fill(path, a_layer(), a_unit(0), Document("network", 1))
    with Atlas.open(path) as atlas:
        for ask in (atlas.layer, atlas.units, atlas.strongest, atlas.pictures):
            with pytest.raises(UnknownLayerError, match=r"'conv2'.*nearest: conv1"):
                ask("conv2")
        for ask_unit in (atlas.unit, atlas.examples, atlas.pictures):
            with pytest.raises(UnknownUnitError, match="no unit 4; its 4 units are 0 to 3"):
                ask_unit("conv1", 4)
        with pytest.raises(UnknownUnitError, match="no statistics of conv1:3 yet"):
            atlas.unit("conv1", 3)
        with pytest.raises(AtlasError, match=r"'netwerk'; nearest: network"):
            atlas.document("netwerk")


def test_a_closed_atlas_is_one_file(path: Path) -> None:
    with Atlas.build(path) as atlas:
        with atlas.job("key", "kind", "title") as job:
            job.add(*every_record())
        assert len(list(path.parent.iterdir())) > 1  # a log while it is built
    assert list(path.parent.iterdir()) == [path]
    atlas.close()


def test_reading_needs_no_phosphene(path: Path) -> None:
    fill(path, *every_record())
    connection = sqlite3.connect(path)
    counts, shape = connection.execute(
        "SELECT json_extract(histogram_counts, '$[2]'), json_extract(shape, '$[0]') "
        "FROM units JOIN layers ON layers.name = units.layer"
    ).fetchone()
    assert (counts, shape) == (3, 4)
    (png,) = connection.execute("SELECT picture FROM pictures").fetchone()
    assert png.startswith(b"\x89PNG")
    connection.close()


def test_reading_changes_nothing(path: Path) -> None:
    fill(path, *every_record())
    before = path.read_bytes()
    with Atlas.open(path) as atlas:
        atlas.fingerprint()
        assert list(path.parent.iterdir()) == [path]
        with pytest.raises(AtlasError, match=r"not open for writing; use Atlas\.build"):
            atlas.drop([])
        with pytest.raises(AtlasError, match="not open for writing"), atlas.job("k", "k", "t"):
            pass
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_job_within_a_job_is_kept_by_itself(path: Path) -> None:
    with Atlas.build(path) as atlas, atlas.job("outer", "kind", "title") as outer:
        outer.add(a_unit())
        with atlas.job("inner", "kind", "title") as inner:
            inner.add(a_layer())
        assert atlas.states() == {"inner": "done"}
        assert atlas.units("conv1") == ()
    with Atlas.open(path) as atlas:
        assert atlas.states() == {"inner": "done", "outer": "done"}


def test_of_two_who_do_a_job_at_once_the_first_is_kept(path: Path) -> None:
    with Atlas.build(path) as slow, Atlas.build(path) as quick:
        with slow.job("key", "kind", "slow") as late:
            late.document("by", "slow")
            with quick.job("key", "kind", "quick") as early:
                early.document("by", "quick")
        assert slow.document("by") == "quick"
        assert [job.title for job in slow.jobs()] == ["quick"]


def test_the_one_job_of_its_kind_takes_the_place_of_those_it_replaces(path: Path) -> None:
    def more(atlas: Atlas, key: str, layers: int) -> None:
        def replaces(other: Job) -> bool:
            return bool(other.params["layers"] < layers)

        with atlas.job(key, "kind", key, {"layers": layers}, replaces=replaces) as job:
            job.document("layers", layers)

    with Atlas.build(path) as atlas:
        for key, layers in (("one", 1), ("three", 3), ("two", 2)):
            more(atlas, key, layers)
        assert atlas.states() == {"three": "done"}
        assert atlas.document("layers") == 3


@pytest.mark.parametrize(
    "record",
    [
        a_unit(mean=float("nan")),
        Document("d", {"x": float("nan")}),
        Document("d", {"x": {1, 2}}),
        dataclasses.replace(an_image(), picture=np.full((1, 2, 2), np.nan)),
        dataclasses.replace(an_example(), guided=np.full((1, 2, 2), np.inf)),
    ],
)
def test_what_cannot_be_stored_is_refused(path: Path, record: Record) -> None:
    with pytest.raises(AtlasError, match=r"NaN|JSON"):
        fill(path, a_layer(), record)
    with Atlas.open(path) as atlas:
        assert atlas.layers() == ()


def jobs_of_a_study() -> dict[str, list[Record]]:
    return {
        "layers": [a_layer(), Document("network", {"b": 1, "a": 2})],
        "pass": [a_unit(0), a_unit(1), an_example(0), an_example(1), an_image(1), an_image(2)],
        "draw": [a_picture(0), a_picture(1), an_image(2, predicted=None)],
    }


def run(path: Path, key: str, change: Callable[[list[Record]], list[Record]] = list) -> None:
    with Atlas.build(path) as atlas, atlas.job(key, key, key, {"of": key}, 0) as job:
        job.add(*change(jobs_of_a_study()[key]))


def fingerprint(path: Path) -> str:
    with Atlas.open(path) as atlas:
        return atlas.fingerprint()


@pytest.mark.later
def test_fingerprint_ignores_order_and_interruptions(tmp_path: Path) -> None:
    straight, crooked = tmp_path / "straight.atlas", tmp_path / "crooked.atlas"
    for key in ("layers", "pass", "draw"):
        run(straight, key)
    run(crooked, "draw", lambda records: records[:1])
    with Atlas.build(crooked) as atlas, pytest.raises(RuntimeError), atlas.job("pass", "", ""):
        raise RuntimeError
    for key in ("pass", "layers", "draw"):
        run(crooked, key, lambda records: records[::-1])
    assert fingerprint(straight) == fingerprint(crooked)


@pytest.mark.parametrize("key", ["layers", "pass", "draw"])
def test_fingerprint_tells_contents_apart(tmp_path: Path, key: str) -> None:
    whole, part = tmp_path / "whole.atlas", tmp_path / "part.atlas"
    for each in ("layers", "pass", "draw"):
        run(whole, each)
        run(part, each, (lambda records: records[:-1]) if each == key else list)
    assert fingerprint(whole) != fingerprint(part)


@pytest.mark.slow
def test_fingerprint_and_checksums_see_every_column(path: Path) -> None:
    fill(path, *every_record())
    seen = {fingerprint(path)}
    connection = sqlite3.connect(path)
    tables = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")
        if name not in ("unchecked", "claims")
    ]
    columns = 0
    for table in tables:
        for _, column, kind, *_ in list(connection.execute(f"PRAGMA table_info({table})")):
            if column in ("job", "key", "state", "seconds", "finished", "checksum"):
                continue
            (old,) = connection.execute(f"SELECT {column} FROM {table}").fetchone()
            new = {"TEXT": "changed", "BLOB": b"changed"}.get(kind, 1e6)
            connection.execute(f"UPDATE {table} SET {column} = ?", (new,))
            connection.commit()
            seen.add(fingerprint(path))
            (damage,) = {damage.table for damage in verify(path).damages}
            assert damage == table
            connection.execute(f"UPDATE {table} SET {column} = ?", (old,))
            connection.commit()
            columns += 1
    connection.close()
    assert len(seen) == columns + 1
    assert verify(path).whole


def test_keys_are_stable() -> None:
    key = job_key("pass", {"k": 9, "layers": ("a", "b")}, 0, "n", "d")
    assert key == job_key("pass", {"layers": ["a", "b"], "k": 9}, 0, "n", "d")
    assert key == "03b5af6ab7bb14439bc327e7169d64e7"  # atlases on disk hold it
    others = [
        job_key("draw", {"k": 9, "layers": ("a", "b")}, 0, "n", "d"),
        job_key("pass", {"k": 8, "layers": ("a", "b")}, 0, "n", "d"),
        job_key("pass", {"k": 9, "layers": ("a", "b")}, None, "n", "d"),
        job_key("pass", {"k": 9, "layers": ("a", "b")}, 0, "m", "d"),
        job_key("pass", {"k": 9, "layers": ("a", "b")}, 0, "n", "e"),
    ]
    assert len({key, *others}) == 6


def test_files_are_unpacked_when_they_are_looked_at(path: Path) -> None:
    fill(path, *every_record())
    with Atlas.open(path) as atlas:
        (picture,) = atlas.pictures("conv1", 0)
    assert "picture" not in vars(picture)
    with Image.open(io.BytesIO(picture.file("picture"))) as image:
        assert image.size == a_picture().picture.shape[:0:-1]
    assert np.array_equal(picture.picture, quantised(a_picture().picture))
    assert picture.file("canvas") is None
    assert a_picture().file("picture") is None
    with pytest.raises(AttributeError, match="PictureRecord has no 'colour'"):
        picture.colour  # noqa: B018
