"""Atlases that were built apart and merged are what one build makes, bit by bit."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from phosphene.atlas import Atlas, PartRecord, verify
from phosphene.data import ArrayDataset, ImageFolder
from phosphene.errors import (
    AtlasError,
    AtlasMismatchError,
    DamagedError,
    PhospheneError,
    UnfinishedAtlasError,
)
from phosphene.study import Study, build, keep_probe, merge
from phosphene.study.job import KINDS, StudyJob
from phosphene.study.plan import Settings

pytestmark = pytest.mark.slow  # builds studies

Make = Callable[..., Study]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a job of each kind was run."""
    counted: Counter[str] = Counter()
    for kind in KINDS.values():

        def run(job: StudyJob, *args: Any, was: Any = kind.run) -> Any:
            counted[job.kind] += 1
            yield from was(job, *args)

        monkeypatch.setattr(kind, "run", run)
    return counted


def built(study: Study, path: Path, **how: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    for _ in build(study, path, **how):
        pass
    return path


def of(study: Study, **settings: Any) -> Study:
    return replace(study, settings=replace(study.settings, **settings))


def fingerprint(path: Path) -> str:
    with Atlas.open(path) as atlas:
        return atlas.fingerprint()


def tables(path: Path) -> dict[str, str]:
    """SHA-256 of each table: every cell of every row, but for when and how long jobs took."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (name,) in names:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            clock = {"seconds", "finished"} | ({"checksum"} if name == "jobs" else set())
            told = ", ".join(column for column in columns if column not in clock)
            rows = sorted(map(repr, connection.execute(f"SELECT {told} FROM {name}")))
            found[name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


def finished(study: Study, path: Path, alone: Path, done: Counter[str]) -> Counter[str]:
    """Which jobs a build had to add until the merged atlas was that of one build."""
    done.clear()
    built(study, path)
    assert tables(path) == tables(alone)
    assert fingerprint(path) == fingerprint(alone)
    assert verify(path).whole
    return Counter(done)


def test_layers_of_two_machines(tmp_path: Path, make_study: Make, done: Counter[str]) -> None:
    study = make_study()
    alone = built(of(study, layers=("0", "3", "6")), tmp_path / "alone.atlas")
    one = built(of(study, layers=("3",)), tmp_path / "one" / "a.atlas")
    two = built(of(study, layers=("6", "0")), tmp_path / "two" / "b.atlas")
    before = [path.read_bytes() for path in (one, two)]
    found = merge([one, two], tmp_path / "all.atlas")
    assert [path.read_bytes() for path in (one, two)] == before
    assert found.missing == ("which units correlate: 0 and 3, 3 and 6", "findings")
    assert sum(found.taken.values()) + 2 == found.jobs
    whole, merged = tables(alone), tables(tmp_path / "all.atlas")
    assert {name for name in whole if whole[name] == merged[name]} >= {
        "layers", "examples", "pictures", "skipped", "probes", "parts",
    }  # fmt: skip
    added = finished(of(study, layers=("0", "3", "6")), tmp_path / "all.atlas", alone, done)
    assert added == {"pass": 1, "shown": 1, "edges": 2, "findings": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.atlas", "alone.atlas", "one", "two"]


def test_neighbours_that_were_somewhere_together_need_no_other_pass(
    tmp_path: Path, make_study: Make, done: Counter[str]
) -> None:
    study = make_study()
    alone = built(of(study, layers=("0", "3", "6")), tmp_path / "alone.atlas")
    one, two, ends = (
        built(of(study, layers=layers), tmp_path / f"{''.join(layers)}.atlas")
        for layers in (("0", "3"), ("3", "6"), ("0", "6"))
    )
    for number, several in enumerate(([one, two], [two, ends, one])):
        found = merge(several, tmp_path / f"{number}.atlas")
        assert found.missing == ("findings",)
        assert tables(found.path)["units"] == tables(alone)["units"]
        added = finished(of(study, layers=("0", "3", "6")), found.path, alone, done)
        assert "pass" not in added
    half = merge([ends, one], tmp_path / "half.atlas")
    assert half.missing[0] == "which units correlate: 3 and 6"
    with Atlas.open(half.path) as atlas:
        assert {*(atlas.unit("3", 0).correlated or {})} == {"0", "3"}
        assert {*(atlas.unit("6", 0).correlated or {})} == {"6"}
    again = merge([half.path, two], tmp_path / "again.atlas")
    assert again.missing == ("findings",)
    assert tables(again.path)["units"] == tables(alone)["units"]
    added = finished(of(study, layers=("0",)), half.path, alone, done)
    assert added["pass"] == 1


def test_pictures_that_are_files_keep_their_names(tmp_path: Path, make_study: Make) -> None:
    study = make_study()
    assert isinstance(study.data, ArrayDataset)
    for i in range(40):
        grey = (255 * study.data.pictures[i, 0]).byte().numpy()
        Image.fromarray(grey).save((tmp_path / f"{i:02}").with_suffix(".png"))
    folder = ImageFolder(tmp_path, 1, (28, 28))
    of_files = Study(study.network, folder, replace(study.settings, recipes=(), edges=0))
    alone = built(of(of_files, layers=("0", "3")), tmp_path / "alone.atlas")
    several = [
        built(of(of_files, layers=(name,)), tmp_path / f"{name}.atlas") for name in ("0", "3")
    ]
    path = merge(several, tmp_path / "all.atlas").path
    with Atlas.open(path) as atlas:
        names = atlas.document("files")
        assert names == {str(i): f"{i:02}.png" for i in map(int, names)}
    built(of(of_files, layers=("0", "3")), path)
    assert tables(path) == tables(alone)


def test_units_of_two_machines(
    tmp_path: Path, make_study: Make, done: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phosphene.study.units.UNITS_PER_JOB", 2)
    study = of(make_study(), layers=("0", "3"), edges=0)
    alone = built(study, tmp_path / "alone.atlas")
    one = built(of(study, units=("*:0-1",)), tmp_path / "a.atlas")
    two = built(of(study, units=("0:2-3", "3:2-5")), tmp_path / "b.atlas")
    assert merge([one, two], tmp_path / "all.atlas").missing == ("findings",)
    added = finished(study, tmp_path / "all.atlas", alone, done)
    assert added == {"shown": 1, "findings": 1}
    some = merge(
        [one, built(of(study, units=("0:2-3", "3:2-3")), tmp_path / "c.atlas")],
        tmp_path / "some.atlas",
    )
    with Atlas.open(some.path) as atlas:
        assert atlas.document("chosen") == {"3": [0, 1, 2, 3]}
    few = of(study, units=("3:0-3",))
    added = finished(few, some.path, built(few, tmp_path / "few.atlas"), done)
    assert added == {"shown": 1, "findings": 1}


def test_parts_of_the_data_of_two_machines(
    tmp_path: Path, make_study: Make, done: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phosphene.data.batching.SHARD", 4)
    study = of(make_study(), layers=("0", "3"), batch=4)
    alone = built(study, tmp_path / "alone.atlas")
    parts = [built(study, tmp_path / f"{i}.atlas", part=(i, 3)) for i in (1, 2, 3)]
    two = merge(parts[:2], tmp_path / "two.atlas")
    assert "the pass over the data (parts from shard 0" in two.summary
    found = merge([two.path, parts[2]], tmp_path / "all.atlas")
    with Atlas.open(found.path) as atlas:
        assert len(atlas.records(PartRecord)) == 1 + 4 + 3
    added = finished(study, found.path, alone, done)
    assert added["pass"] == 1
    assert added["describe"] == added["part"] == 0
    again = merge([parts[0], alone], tmp_path / "again.atlas")
    assert tables(again.path) == tables(alone)
    assert again.missing == ()


def test_a_part_of_a_study_adds_nothing_to_it(tmp_path: Path, make_study: Make) -> None:
    study = of(make_study(), layers=("0", "3"))
    alone = built(study, tmp_path / "alone.atlas")
    begun = build(study, tmp_path / "begun.atlas")
    for _ in range(9):
        next(begun)
    begun.close()
    narrow = built(of(study, layers=("3",)), tmp_path / "narrow.atlas")
    for number, others in enumerate(
        ([alone], [tmp_path / "begun.atlas"], [narrow], [narrow, alone])
    ):
        found = merge([alone, *others], tmp_path / f"{number}.atlas")
        assert tables(found.path) == tables(alone)
        assert found.missing == ()
    turned = merge([narrow, alone], tmp_path / "turned.atlas")
    assert fingerprint(turned.path) == fingerprint(alone)


def test_answers_of_both_are_kept(tmp_path: Path, make_study: Make) -> None:
    from phosphene.probes import read_strokes

    study = of(make_study(), layers=("3",))
    for name in "ab":
        path = built(study, tmp_path / f"{name}.atlas")
        with Atlas.build(path) as atlas:
            for number in (0, ord(name)):
                keep_probe(
                    atlas,
                    study.network,
                    "strokes",
                    "Strokes",
                    lambda: read_strokes(study.network),
                    params={"number": number},
                )
    found = merge([tmp_path / "a.atlas", tmp_path / "b.atlas"], tmp_path / "all.atlas")
    with Atlas.open(found.path) as atlas:
        assert len(atlas.probes()) == 3
        assert atlas.findings()


def test_what_was_built_of_other_things_is_refused(tmp_path: Path, make_study: Make) -> None:
    study = of(make_study(), layers=("3",))
    one = built(study, tmp_path / "a.atlas")
    data = study.data
    assert isinstance(data, ArrayDataset)
    others = {
        r"different networks \(or weights\): tiny and tiny, with fingerprints": of(
            make_study(1), layers=("3",)
        ),
        "different data: digits test": replace(study, data=data.take(slice(0, 30))),
        "different settings: examples 3 where .*b.atlas has 4": of(study, examples=4),
        "different settings: .*steps 4 where .*b.atlas has 5": of(
            make_study(steps=5), layers=("3",)
        ),
        "different settings: .*seed 0 where": of(study, seed=7, edges=0),
    }
    for said, other in others.items():
        two = built(other, tmp_path / "b.atlas")
        with pytest.raises(AtlasMismatchError, match=said):
            merge([one, two], tmp_path / "all.atlas")
        two.unlink()
    with Atlas.build(two):
        pass
    with pytest.raises(UnfinishedAtlasError, match=r"b\.atlas does not say yet"):
        merge([one, two], tmp_path / "all.atlas")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.atlas", "b.atlas"]


def test_other_results_of_the_same_work_are_told(tmp_path: Path, make_study: Make) -> None:
    study = of(make_study(), layers=("3",))
    one = built(study, tmp_path / "a.atlas")
    two = tmp_path / "b.atlas"
    two.write_bytes(one.read_bytes())
    with Atlas.build(two) as atlas:
        (job, *_) = atlas.jobs("pictures")
        pictures = [atlas.pictures("3", unit) for unit in range(6)]
        with atlas.job(job.key, job.kind, job.title, job.params, job.seed) as writer:
            for found in pictures:
                (old,) = [p for p in found if p.kind == job.params["recipe"]["aim"]]
                writer.add(replace(old, activation=old.activation + (old.unit == 4)))
    told = (
        r"both have “drawing channels of 3” \(job .*but not the same: the channel picture of 3:4 "
    )
    with pytest.raises(AtlasMismatchError, match=told + "on .* differs, and 0 more"):
        merge([one, two], tmp_path / "all.atlas")
    with Atlas.build(two) as atlas, closing(sqlite3.connect(two)) as connection, connection:
        connection.execute("UPDATE units SET mean = mean + 1 WHERE unit = 2")
    with pytest.raises(DamagedError, match="what is known of 3:2 is damaged"):
        merge([two, one], tmp_path / "all.atlas")
    assert not (tmp_path / "all.atlas").exists()


def test_what_cannot_be_merged_is_said(tmp_path: Path, make_study: Make) -> None:
    study = of(make_study(), layers=("3",))
    one = built(study, tmp_path / "a.atlas")
    for paths, out, said in (
        ([one], "x.atlas", "takes two atlases or more"),
        ([one, one], "a.atlas", r"there is .*a\.atlas already"),
        ([one, tmp_path / "none.atlas"], "x.atlas", "there is no atlas at"),
    ):
        with pytest.raises(AtlasError, match=said):
            merge(paths, tmp_path / out)
    wide = built(of(study, units=("3:0-2",)), tmp_path / "b.atlas")
    other = built(of(study, units=("3:2-4",)), tmp_path / "c.atlas")
    with pytest.raises(PhospheneError, match="for some of the same units"):
        merge([wide, other], tmp_path / "x.atlas")
    assert Settings().units == ()


def test_layers_of_atlases_that_do_not_tell_their_order(tmp_path: Path, make_study: Make) -> None:
    study = make_study()
    paths = [built(of(study, layers=(name,)), tmp_path / f"{name}.atlas") for name in "03"]
    for path in paths:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM documents WHERE name = 'order'")
    with pytest.raises(AtlasMismatchError, match="before atlases said in which order"):
        merge(paths, tmp_path / "all.atlas")
