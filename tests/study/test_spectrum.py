"""The spectrum that a study measures of its data."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from phosphene.atlas import Atlas, JobWriter
from phosphene.canvas import Spectrum
from phosphene.study import Study
from phosphene.study.whole import MeasureSpectrum


def measured(study: Study, path: Path) -> Spectrum:
    job = MeasureSpectrum(study)
    with Atlas.build(path) as atlas:
        with atlas.job(job.key, job.kind, job.title) as kept:
            writer = JobWriter(job.key)
            assert [*job.run(atlas, writer)] == [1.0]
            kept.rows.update(writer.rows)
        return Spectrum.from_arrays(atlas.arrays("spectrum"))


@pytest.mark.parametrize("most", [40, 7, 39])
def test_of_very_many_pictures_some_are_enough(
    make_study: Callable[..., Study], tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(pictures=40)
    plain = MeasureSpectrum(study)
    assert plain.params == {}
    key = plain.key
    monkeypatch.setattr("phosphene.study.whole.MOST_WAVES", most)
    chosen = [40 * i // most for i in range(most)]
    assert len({*chosen}) == most
    pictures = torch.stack([study.data[i].picture for i in chosen])
    assert measured(study, tmp_path / "a.atlas") == Spectrum.measure(pictures)
    assert (plain.key == key) == (most == 40)  # another spectrum has another key
