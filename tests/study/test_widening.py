"""Layers are added to an atlas in the settings it was built with, read from its jobs alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from phosphene.atlas import Atlas
from phosphene.errors import AtlasMismatchError, SettingError, UnknownLayerError
from phosphene.maximize import Recipe
from phosphene.progress import follow
from phosphene.study import Settings, Study, build
from phosphene.study.widening import complete, settings_of, with_layers

pytestmark = pytest.mark.slow

RECIPES = (Recipe("channel", steps=2, size=(20, 24)), Recipe("neuron", steps=3))

CASES = {
    "as usual": Settings(("0", "6"), RECIPES, examples=2, seed=3, batch=8, edges=2),
    "no edges, no neurons": Settings(("0", "6"), RECIPES[:1], examples=2, batch=8, edges=0),
    "some units": Settings(("0", "6"), RECIPES, examples=2, batch=8, edges=2, units=("0:1-2",)),
}


@pytest.fixture(params=CASES)
def settings(request: pytest.FixtureRequest) -> Settings:
    return CASES[request.param]


def test_an_atlas_with_layers_added_is_that_of_a_study_with_all(
    make_study: Callable[..., Study], settings: Settings, tmp_path: Path
) -> None:
    base = make_study(pictures=16)
    narrow = Study(base.network, base.data, settings)
    wide = Study(base.network, base.data, replace(settings, layers=("0", "3", "6")))
    follow(build(wide, tmp_path / "wide.atlas"))
    follow(build(narrow, tmp_path / "narrow.atlas"))
    with Atlas.open(tmp_path / "narrow.atlas") as atlas:
        more = with_layers(atlas, base.network, base.data, ["3"])
        assert not complete(atlas, more)
    follow(build(more, tmp_path / "narrow.atlas"))
    with Atlas.open(tmp_path / "narrow.atlas") as one, Atlas.open(tmp_path / "wide.atlas") as all_:
        assert complete(one, more)
        assert sorted(one.states()) == sorted(all_.states())
        assert [layer.name for layer in one.layers()] == ["0", "3", "6"]
        for layer in ("0", "3", "6"):
            assert len(one.units(layer)) == len(all_.units(layer))
            assert [len(one.examples(layer, u.unit)) for u in one.units(layer)] == [
                len(all_.examples(layer, u.unit)) for u in all_.units(layer)
            ]


def test_settings_are_read_from_the_jobs(
    make_study: Callable[..., Study], settings: Settings, tmp_path: Path
) -> None:
    base = make_study(pictures=16)
    follow(build(Study(base.network, base.data, settings), tmp_path / "a.atlas"))
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        found = settings_of(atlas, [])
    units = ("0:1", "0:2") if settings.units else ()
    recipes = settings.recipes
    if settings.units or len(recipes) == 2:
        assert {recipe.aim for recipe in found.recipes} == {"channel", "neuron"}
    assert found == replace(settings, units=units, recipes=found.recipes)
    assert [each.steps for each in found.recipes] == [each.steps for each in recipes]
    assert found.recipes[0].size == recipes[0].size


def test_units_of_the_new_layer_are_chosen(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    base = make_study(pictures=16)
    follow(build(Study(base.network, base.data, CASES["as usual"]), tmp_path / "a.atlas"))
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        more = with_layers(atlas, base.network, base.data, ["3"], ["3:0-1"])
    follow(build(more, tmp_path / "a.atlas"))
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert [bool(atlas.examples("3", unit)) for unit in range(4)] == [True, True, False, False]
        assert all(atlas.examples("0", unit) for unit in range(4))


def test_what_cannot_be_added_is_refused(make_study: Callable[..., Study], tmp_path: Path) -> None:
    base = make_study(pictures=16)
    with (
        Atlas.build(tmp_path / "empty.atlas") as atlas,
        pytest.raises(AtlasMismatchError, match="no finished study"),
    ):
        with_layers(atlas, base.network, base.data, ["3"])
    follow(build(Study(base.network, base.data, CASES["as usual"]), tmp_path / "a.atlas"))
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        with pytest.raises(UnknownLayerError, match="33"):
            with_layers(atlas, base.network, base.data, ["33"])
        with pytest.raises(SettingError, match="at least one"):
            with_layers(atlas, base.network, base.data, [])
