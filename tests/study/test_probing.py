"""Probes are kept beside a study, asked once, and survive another build."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from phosphene.atlas import Atlas
from phosphene.errors import AtlasError, AtlasMismatchError
from phosphene.figures import export_site
from phosphene.probes import read_strokes
from phosphene.results import Result, sheet
from phosphene.study import Study, build, keep_probe

pytestmark = pytest.mark.slow  # builds studies


@pytest.fixture
def atlas(tmp_path: Path, study: Study) -> Path:
    for _ in build(study, tmp_path / "a.atlas"):
        pass
    return tmp_path / "a.atlas"


class Asked:
    """A question that counts how often it was put."""

    def __init__(self, study: Study) -> None:
        self.study, self.times = study, 0

    def __call__(self) -> Result:
        self.times += 1
        return read_strokes(self.study.network)


def keep(path: Path, study: Study, ask: Callable[[], Result], **params: object) -> str:
    with Atlas.build(path) as opened:
        return keep_probe(opened, study.network, "strokes", "Strokes", ask, params=params).name


def test_an_answer_is_kept_with_its_provenance_and_asked_once(atlas: Path, study: Study) -> None:
    ask = Asked(study)
    name = keep(atlas, study, ask, light=False)
    assert keep(atlas, study, ask, light=False) == name
    assert ask.times == 1
    assert keep(atlas, study, ask, light=True) != name
    with Atlas.open(atlas) as opened:
        first, _ = opened.probes()
        answer = read_strokes(study.network)
        assert (first.name, first.text, first.figures) == (name, answer.summary, answer.to_json())
        assert np.array_equal(np.asarray(first.image), np.asarray(sheet(answer)))
        job = opened.provenance(first)
        assert (job.title, job.params) == ("Strokes", {"probe": "strokes", "light": False})
        with pytest.raises(AtlasError, match=rf"no probe 'stroke'; .*{name}"):
            opened.probe("stroke")


def test_a_probe_of_another_network_is_refused_unasked(
    atlas: Path, make_study: Callable[..., Study]
) -> None:
    other = make_study(seed=1)
    ask = Asked(other)
    with pytest.raises(AtlasMismatchError, match=r"study of another network .*: tiny"):
        keep(atlas, other, ask)
    assert ask.times == 0


def test_a_question_that_fails_leaves_no_answer(atlas: Path, study: Study) -> None:
    def fail() -> Result:
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"no"):
        keep(atlas, study, fail)
    with Atlas.open(atlas) as opened:
        assert opened.probes() == ()
    assert keep(atlas, study, Asked(study))


def test_builds_leave_probes_alone(
    atlas: Path, study: Study, make_study: Callable[..., Study]
) -> None:
    name = keep(atlas, study, Asked(study))
    for again, replace in ((study, False), (make_study(steps=1), True)):
        for _ in build(again, atlas, replace=replace):
            pass
        with Atlas.open(atlas) as opened:
            assert [probe.name for probe in opened.probes()] == [name]


def test_each_probe_has_a_page_with_its_figure_and_its_numbers(
    atlas: Path, study: Study, tmp_path: Path
) -> None:
    name = keep(atlas, study, Asked(study), ground=["dark", "light"], strength=0.5)
    with Atlas.open(atlas) as opened:
        export_site(opened, tmp_path / "site")
        probe = opened.probe(name)
    page = (tmp_path / "site" / f"probe-{name}.html").read_text()
    assert "dash: " in page
    assert "<dd>dark, light</dd>" in page
    image = page.split('class="sheet" href="')[1].split('"')[0]
    assert (tmp_path / "site" / image).read_bytes() == probe.sheet
    assert (tmp_path / "site" / f"probe-{name}.json").exists()
    assert f'href="probe-{name}.html"' in (tmp_path / "site" / "index.html").read_text()
