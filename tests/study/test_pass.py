"""A pass that is cut short loses one shard of the data."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from phosphene.atlas import Atlas, PartRecord
from phosphene.data import ArrayDataset, Example
from phosphene.errors import AtlasMismatchError, PhospheneError
from phosphene.study import Study, build
from phosphene.study.building import BuildStep

pytestmark = pytest.mark.slow  # builds studies


class Watched(ArrayDataset):
    """Knows which of its pictures were read."""

    def __getitem__(self, index: int) -> Example:
        vars(self).setdefault("read", []).append(index)
        return super().__getitem__(index)


@pytest.fixture
def watched(study: Study, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study of 40 pictures in shards of twelve, each three batches."""
    monkeypatch.setattr("phosphene.data.batching.SHARD", 13)
    data = study.data
    assert isinstance(data, ArrayDataset)
    watched = Watched(data.pictures, data.labels, name=data.name, classes=data.classes)
    settings = replace(study.settings, layers=("0",), recipes=(), batch=4)
    return Study(study.network, watched, settings)


def the_pass(study: Study, path: Path) -> Iterator[BuildStep]:
    return (step for step in build(study, path) if step.title.startswith("looking"))


def fingerprint(path: Path) -> str:
    with Atlas.open(path) as atlas:
        return atlas.fingerprint()


@pytest.mark.parametrize(("stop", "left"), [(2, 0), (4, 0), (5, 12), (7, 12), (9, 24), (11, 36)])
def test_it_goes_on_after_the_last_whole_shard(
    watched: Study, tmp_path: Path, stop: int, left: int
) -> None:
    [*_] = build(watched, tmp_path / "whole.atlas")
    path = tmp_path / "a.atlas"
    begun = build(watched, path)
    titles = [next(begun).title]
    while sum(title.startswith("looking") for title in titles) < stop:
        titles.append(next(begun).title)
    begun.close()
    assert (tmp_path / "a.atlas.pass").exists() is (left > 0)
    watched.data.read.clear()
    [*_] = build(watched, path)
    assert watched.data.read[0] == left
    assert fingerprint(path) == fingerprint(tmp_path / "whole.atlas")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.atlas", "whole.atlas"]


def test_what_another_pass_left_is_not_gone_on_from(watched: Study, tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    steps = the_pass(watched, path)
    for _ in range(8):
        next(steps)
    steps.close()
    other = replace(watched, settings=replace(watched.settings, batch=3))
    other.data.read.clear()
    [*_] = build(other, path)
    assert other.data.read[0] == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.atlas"]


def test_a_pass_of_one_shard_leaves_nothing_beside_the_atlas(study: Study, tmp_path: Path) -> None:
    small = replace(study, settings=replace(study.settings, layers=("0",), recipes=()))
    for _ in build(small, tmp_path / "a.atlas"):
        assert not (tmp_path / "a.atlas.pass").exists()


@pytest.mark.parametrize("where", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_a_flipped_bit_in_what_a_pass_left_is_told_and_its_shards_are_made_again(
    watched: Study, tmp_path: Path, where: float
) -> None:
    [*_] = build(watched, tmp_path / "whole.atlas")
    path, left = tmp_path / "a.atlas", tmp_path / "a.atlas.pass"
    steps = the_pass(watched, path)
    for _ in range(8):
        next(steps)
    steps.close()
    held = bytearray(left.read_bytes())
    held[int(where * (len(held) - 1))] ^= 1
    left.write_bytes(held)
    watched.data.read.clear()
    with pytest.warns(UserWarning, match=r"a\.atlas\.pass is damaged; .* made again"):
        [*_] = build(watched, path)
    assert watched.data.read[0] == 0
    assert fingerprint(path) == fingerprint(tmp_path / "whole.atlas")


class TestParts:
    """The pass in parts: each in an atlas of its own, or all in one."""

    @pytest.mark.parametrize("of", [1, 2, 3])
    def test_parts_in_one_atlas_make_the_pass(
        self, watched: Study, tmp_path: Path, of: int
    ) -> None:
        [*_] = build(watched, tmp_path / "whole.atlas")
        path = tmp_path / "a.atlas"
        for number in random.Random(of).sample(range(1, of + 1), of):
            watched.data.read.clear()
            [*_] = build(watched, path, part=(number, of))
            assert len(watched.data.read) < 40 or of == 1
            assert sorted(p.name for p in tmp_path.iterdir()) == ["a.atlas", "whole.atlas"]
        with Atlas.open(path) as atlas:
            assert [job.kind for job in atlas.jobs()] == ["describe"] + ["part"] * of
            assert len(atlas.records(PartRecord)) <= 4
        watched.data.read.clear()
        steps = [*the_pass(watched, path)]
        assert len(steps) <= 2 + 4
        [*_] = build(watched, path)
        assert fingerprint(path) == fingerprint(tmp_path / "whole.atlas")
        with Atlas.open(path) as atlas:
            assert not atlas.records(PartRecord)

    def test_what_is_missing_is_gone_through(self, watched: Study, tmp_path: Path) -> None:
        [*_] = build(watched, tmp_path / "whole.atlas")
        path = tmp_path / "a.atlas"
        [*_] = build(watched, path, part=(2, 3))
        watched.data.read.clear()
        steps = build(watched, path)
        while next(steps).title != "keeping the pictures that are shown":
            continue
        read = sorted(set(watched.data.read))
        assert read == [*range(12), *range(36, 40)]
        [*_] = steps
        assert fingerprint(path) == fingerprint(tmp_path / "whole.atlas")

    def test_a_part_that_is_killed_goes_on(self, watched: Study, tmp_path: Path) -> None:
        path = tmp_path / "a.atlas"
        steps = build(watched, path, part=(2, 2))
        while "part" not in next(steps).title:
            continue
        for _ in range(4):
            next(steps)
        steps.close()
        assert (tmp_path / "a.atlas.part-2-of-2").exists()
        watched.data.read.clear()
        [*_] = build(watched, path, part=(2, 2))
        assert watched.data.read[0] == 36
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.atlas"]

    def test_parts_of_another_pass_are_refused(self, watched: Study, tmp_path: Path) -> None:
        path = tmp_path / "a.atlas"
        [*_] = build(watched, path, part=(1, 2))
        other = replace(watched, settings=replace(watched.settings, batch=3))
        with pytest.raises(AtlasMismatchError, match="batch 3 where the atlas has 4"):
            [*_] = build(other, path)
        [*_] = build(other, path, replace=True)
        with Atlas.open(path) as atlas:
            assert "part" not in {job.kind for job in atlas.jobs()}
        [*_] = build(watched, tmp_path / "b.atlas")
        watched.data.read.clear()
        [*_] = build(watched, tmp_path / "b.atlas", part=(1, 2))
        assert not watched.data.read, "the pass is done"

    @pytest.mark.parametrize(
        ("part", "said"),
        [
            ((0, 2), "no part 0 of 2"),
            ((3, 2), "no part 3"),
            ((1, 5), "5 parts of data that make 4 shards"),
        ],
    )
    def test_what_is_no_part(
        self, watched: Study, tmp_path: Path, part: tuple[int, int], said: str
    ) -> None:
        with pytest.raises(PhospheneError, match=said):
            [*_] = build(watched, tmp_path / "a.atlas", part=part)
