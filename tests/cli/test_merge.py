"""Two builds of parts, merged and finished on the command line, are one build."""

from pathlib import Path

import pytest

import packed
from phosphene.atlas import Atlas

pytestmark = pytest.mark.slow  # builds studies


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_model: list[str]) -> list[str]:
    """A small build on tar files, in three shards of the pass, a batch each."""
    monkeypatch.setattr("phosphene.data.batching.SHARD", 9)
    packed.as_tars(tmp_path / "shards", packed.contents(600), 250)
    return [
        *("build", *small_model, "--data", "shards/{000..002}.tar"),
        *["--steps", "1", "--no-neurons", "--layers", "conv1,conv2", "--edges", "0"],
    ]


def test_parts_are_merged_and_finished(run, words: list[str], tmp_path: Path) -> None:
    assert run(*words, "--out", "alone.atlas")[0] == 0
    for number in (1, 2):
        status, printed = run(*words, "--out", f"{number}.atlas", "--part", f"{number}/2")
        assert (status, "phosphene merge" in printed) == (0, True), printed
    status, printed = run("merge", "1.atlas", "2.atlas", "-o", "whole.atlas")
    assert status == 0, printed
    assert "whole.atlas has 3 jobs: 2 jobs of 1.atlas, 1 job of 2.atlas. Missing:" in printed
    assert run("check", "whole.atlas")[0] == 0
    assert run(*words, "--out", "whole.atlas")[0] == 0
    with Atlas.open(tmp_path / "alone.atlas") as one, Atlas.open(tmp_path / "whole.atlas") as two:
        assert one.fingerprint() == two.fingerprint()
        assert one.skipped()[0].path.endswith("shards/000.tar/00004.jpg")
    assert run("merge", "1.atlas", "2.atlas", "-o", "whole.atlas")[0] == 2


def test_what_is_no_part_is_told(run, words: list[str]) -> None:
    status, printed = run(*words, "--out", "a.atlas", "--part", "half")
    assert (status, "--part 'half' is not which/of" in printed) == (2, True)
    status, printed = run(*words, "--out", "a.atlas", "--part", "1/9")
    assert (status, "9 parts of data that make 3 shards" in printed) == (2, True), printed
