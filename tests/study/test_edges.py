"""Edges in general are a job like the others: kept both ways, done once, widened with the study."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from markup import Page
from phosphene.atlas import Atlas
from phosphene.circuits import general_edges
from phosphene.errors import AtlasMismatchError, SettingError, UnknownUnitError
from phosphene.figures import export_site
from phosphene.network import Network
from phosphene.study import Settings, Study, build, plan
from phosphene.study.edges import nearest_fed

pytestmark = pytest.mark.slow  # builds studies


def finished(study: Study, path: Path) -> str:
    for _ in build(study, path):
        pass
    with Atlas.open(path) as atlas:
        return atlas.fingerprint()


def of(study: Study, *layers: str, **settings: object) -> Study:
    return replace(study, settings=replace(study.settings, layers=layers, **settings))


def pairs(path: Path) -> list[list[str]]:
    with Atlas.open(path) as atlas:
        return sorted(job.params["layers"] for job in atlas.jobs("edges"))


@pytest.fixture
def path(tmp_path: Path, study: Study) -> Path:
    finished(study, tmp_path / "whole.atlas")
    return tmp_path / "whole.atlas"


def test_an_atlas_holds_what_general_edges_finds(path: Path, study: Study) -> None:
    found = general_edges(study.network, study.data, "3", "0", strongest=3)
    with Atlas.open(path) as atlas:
        for row, unit in enumerate(found.units):
            kept = atlas.made_of("3", unit)
            assert [edge.source_unit for edge in kept] == found.made_of.unit[row].tolist()
            for name in ("score", "removed", "kept", "raised", "removed_elsewhere", "kernel_sum"):
                told = [getattr(edge, name) for edge in kept]
                assert told == pytest.approx(getattr(found.made_of, name)[row].tolist(), abs=1e-6)
            assert [e.contradicted for e in kept] == found.contradicted[row].tolist()
        up = atlas.part_of("0", 1)
        assert [edge.target_unit for edge in up] == found.part_of.unit[1].tolist()
        assert {(edge.source, edge.source_unit, edge.target) for edge in up} == {("0", 1, "3")}
        (about,) = atlas.edges("3")
        assert about["stability"] == pytest.approx(found.stability.tolist())
        assert atlas.made_of("0", 1) == () == atlas.part_of("6", 1)
        assert any(edge.inhibits for unit in range(6) for edge in atlas.made_of("3", unit))
        with pytest.raises(UnknownUnitError, match="has no unit 9"):
            atlas.made_of("3", 9)


def test_edges_come_from_the_nearest_studied_layers(study: Study) -> None:
    planned = [job.params["layers"] for job in plan(study) if job.kind == "edges"]
    assert planned == [["0", "3"], ["3", "6"]]
    assert nearest_fed(study, "6", {"0"}) == ("0",)
    assert nearest_fed(study, "0", {"3", "6"}) == ()
    assert not [job for job in plan(of(study, edges=0)) if job.kind == "edges"]
    with pytest.raises(SettingError, match="-1 edges of each unit"):
        Settings(edges=-1)


def test_a_layer_between_takes_the_place_of_edges_from_further_away(
    tmp_path: Path, make_study: Callable[..., Study], path: Path
) -> None:
    later = tmp_path / "a.atlas"
    finished(of(make_study(), "0", "6"), later)
    assert pairs(later) == [["0", "6"]]
    finished(of(make_study(), "3"), later)
    assert pairs(later) == [["0", "3"], ["3", "6"]] == pairs(path)
    with Atlas.open(path) as one, Atlas.open(later) as other:
        assert one.fingerprint() == other.fingerprint()


def test_edges_from_further_away_that_end_last_are_not_kept(
    tmp_path: Path, make_study: Callable[..., Study]
) -> None:
    narrow = of(make_study(), "0", "6")
    (stale,) = (job for job in plan(narrow) if job.kind == "edges")
    path = tmp_path / "a.atlas"
    whole = finished(make_study(), path)
    with (
        Atlas.build(path) as atlas,
        atlas.job(
            stale.key, stale.kind, stale.title, stale.told, 0, replaces=stale.replaces
        ) as writer,
    ):
        for _ in stale.run(atlas, writer):
            pass
    with Atlas.open(path) as atlas:
        assert atlas.fingerprint() == whole


def test_chosen_units_alone_are_made_of_something(
    tmp_path: Path, make_study: Callable[..., Study]
) -> None:
    path = tmp_path / "a.atlas"
    finished(of(make_study(), units=("3:1-2",)), path)
    with Atlas.open(path) as atlas:
        assert atlas.made_of("3", 1)
        assert not atlas.made_of("3", 0)
        assert {edge.target_unit for edge in atlas.part_of("0", 0)} == {1, 2}


def test_other_numbers_of_edges_are_other_settings(
    tmp_path: Path, make_study: Callable[..., Study]
) -> None:
    path = tmp_path / "a.atlas"
    finished(of(make_study(), "3", "6"), path)
    with pytest.raises(AtlasMismatchError, match="edges"):
        finished(of(make_study(), "3", "6", edges=3), path)


def test_a_layer_without_a_gradient_is_told_and_the_rest_is_done(
    tmp_path: Path, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(network, source, target):  # type: ignore[no-untyped-def]
        from phosphene.errors import ObjectiveError

        if target.name == "6":
            raise ObjectiveError("there is no gradient")

    monkeypatch.setattr("phosphene.circuits.general.require_way", none)
    finished(make_study(), tmp_path / "a.atlas")
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        states = {tuple(job.params["layers"]): job.state for job in atlas.jobs("edges")}
        assert states == {("0", "3"): "done", ("3", "6"): "failed"}
        assert atlas.made_of("3", 1)
        assert atlas.made_of("6", 1) == ()


def test_the_page_of_a_unit_says_what_it_is_made_of_and_a_part_of(
    path: Path, tmp_path: Path
) -> None:
    with Atlas.open(path) as atlas:
        export_site(atlas, tmp_path / "site")
        made, part = atlas.made_of("3", 1), atlas.part_of("3", 1)
    pages = {file.name: Page(file) for file in (tmp_path / "site").glob("*.html")}
    page = pages["unit-3-1.html"]
    assert all(words in page.text for words in ("Made of", "Part of"))
    for edge in made:
        assert f"unit-0-{edge.source_unit}.html" in page.links
    for edge in part[:8]:
        assert f"unit-6-{edge.target_unit}.html" in page.links
    assert all(words in page.text for words in ("without it", "raised"))
    inhibited = any(edge.score < 0 for edge in made)
    assert ("holds it down" in page.text) == inhibited
    wrong = sum(edge.contradicted for edge in (*made, *part[:8]))
    assert page.text.count("Removing it does not do what its score says.") == wrong
    assert "Made of" not in pages["unit-0-1.html"].text
    assert "Part of" not in pages["unit-6-1.html"].text
    assert {page.tags.count("script") for page in pages.values()} == {1}  # that of all pages


def test_units_that_add_nothing_are_not_shown(
    tmp_path: Path, make_study: Callable[..., Study]
) -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    given = make_study()
    network = Network(module, given.network.input, task="none")
    study = Study(network, given.data, replace(given.settings, layers=("1", "3")))
    finished(study, tmp_path / "a.atlas")
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        export_site(atlas, tmp_path / "site")
        added = [edge.source_unit for edge in atlas.made_of("3", 2) if edge.score]
    assert added == [2]
    page = Page(tmp_path / "site" / "unit-3-2.html")
    assert {link for link in page.links if link.startswith("unit-1-")} >= {"unit-1-2.html"}
    assert page.text.count("without it") == 1


def test_the_same_edges_come_of_any_number_of_threads(study: Study) -> None:
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(general_edges(study.network, study.data, "3", "0", strongest=3))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0].made_of.unit, found[1].made_of.unit)
    assert torch.allclose(found[0].made_of.removed, found[1].made_of.removed, atol=1e-6)
