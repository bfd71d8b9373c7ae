"""A study of some units of a layer: what is drawn, what is measured, what its pages say."""

import re
from dataclasses import replace

import pytest

from phosphene.atlas import Atlas
from phosphene.errors import SettingError, UnknownLayerError, UnknownUnitError
from phosphene.figures import export_site, layer_sheet
from phosphene.study import Study, build, plan
from phosphene.study.chosen import choose_units


def chosen(study: Study, *units: str) -> Study:
    return Study(study.network, study.data, replace(study.settings, units=units))


def test_choices_are_units_spans_and_patterns(study):
    layers = study.layers  # "0" of 4 units, "3" of 6, "6" of 10
    assert choose_units(layers, []) == {}
    assert choose_units(layers, ["6:7"]) == {"6": (7,)}
    assert choose_units(layers, ["3:1-3", "3:5", "3:2"]) == {"3": (1, 2, 3, 5)}
    assert choose_units(layers, ["*:0-4"]) == {"0": (0, 1, 2, 3), "3": (0, 1, 2, 3, 4)} | {
        "6": (0, 1, 2, 3, 4)
    }
    assert choose_units(layers, ["*:0", "6:7"]) == {"0": (0,), "3": (0,), "6": (7,)}


@pytest.mark.parametrize(
    ("choice", "error", "said"),
    [
        ("conv9:1", UnknownLayerError, "there are: 0, 3, 6"),
        ("6:10", UnknownUnitError, "units 0 to 9"),
        ("6:4-2", SettingError, "write 6:2-4"),
        ("6", SettingError, "conv2:0-9"),
    ],
)
def test_what_chooses_nothing_is_refused(study, choice, error, said):
    with pytest.raises(error, match=re.escape(said)):
        chosen(study, choice)


def test_jobs_of_a_study_of_everything_keep_their_keys(study):
    assert all("chosen" not in job.params for job in plan(study))
    few = chosen(study, "6:0-1")
    ranges = [job for job in plan(few) if job.params.get("units") == [0, 2]]
    assert not ranges  # units 0 and 2 must not be taken for those from 0 to 2
    same = {job.key for job in plan(study)} & {job.key for job in plan(few)}
    # The pass, the spectrum, what is usual; examples and two kinds of two layers; their edges.
    assert len(same) == 3 + 2 * 3 + 1


@pytest.mark.slow
def test_only_what_was_chosen_is_shown_and_that_is_said(tmp_path, study):
    few = chosen(study, "3:1-2", "6:3", "6:7")
    for _ in build(few, tmp_path / "a.atlas"):
        pass
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert [len(atlas.units(name)) for name in "036"] == [4, 6, 10]
        assert [sorted(atlas.examined(name)) for name in "036"] == [[0, 1, 2, 3], [1, 2], [3, 7]]
        assert {p.unit for p in atlas.pictures("6")} == {3, 7}
        export_site(atlas, tmp_path / "site")
        layer_sheet(atlas, "3")
        assert "of its 2 class pictures" in " ".join(f.text for f in atlas.findings())
    pages = {path.name for path in (tmp_path / "site").glob("unit-*.html")}
    assert pages == {f"unit-0-{i}.html" for i in range(4)} | {
        *("unit-3-1.html", "unit-3-2.html", "unit-6-3.html", "unit-6-7.html")
    }
    layer = (tmp_path / "site" / "layer-6.html").read_text()
    assert "2 of 10 units are shown, as was chosen" in layer
    assert "was stopped" not in layer
    index = (tmp_path / "site" / "index.html").read_text()
    assert "8 of them shown by" in index
    for page in (tmp_path / "site").glob("*.html"):
        for target in re.findall(r'href="([^"#:]+\.html)', page.read_text()):
            assert (tmp_path / "site" / target).exists(), (page.name, target)


@pytest.mark.slow
def test_a_study_that_was_stopped_says_what_is_missing(tmp_path, study):
    for progress in build(study, tmp_path / "a.atlas"):
        if progress.done >= 7:  # the whole network, then layer "0" and the examples of "3"
            break
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        export_site(atlas, tmp_path / "site")
    assert "of 10 units 0 can be shown so far" in (tmp_path / "site" / "layer-6.html").read_text()
    assert "stopped" not in (tmp_path / "site" / "layer-0.html").read_text()
    assert not list((tmp_path / "site").glob("unit-6-*.html"))
