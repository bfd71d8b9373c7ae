"""A build gives a whole atlas, resumes, and never mixes studies."""

import random
import re
import shutil
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from killed import builder, ended
from phosphene.atlas import Atlas
from phosphene.canvas import Fourier
from phosphene.data import batches, digits
from phosphene.errors import (
    AtlasMismatchError,
    SettingError,
    StorageError,
    UnknownLayerError,
)
from phosphene.figures import export_site
from phosphene.maximize import Recipe
from phosphene.network import Input, Network
from phosphene.study import Settings, Study, build, choose, plan
from phosphene.survey import Survey

pytestmark = pytest.mark.slow  # together more than a few seconds


def finished(study: Study, path: Path) -> str:
    for _ in build(study, path):
        pass
    with Atlas.open(path) as atlas:
        return atlas.fingerprint()


@pytest.fixture(scope="module")
def built(make_study, tmp_path_factory):
    """The atlas of the study, to be read."""
    path = tmp_path_factory.mktemp("built") / "a.atlas"
    finished(make_study(), path)
    return path


@pytest.fixture
def copied(built, tmp_path):
    """The atlas of the study, to be built on."""
    return Path(shutil.copy(built, tmp_path / "a.atlas"))


def test_every_unit_has_statistics_examples_and_pictures(built):
    with Atlas.open(built) as atlas:
        assert [(la.name, la.units) for la in atlas.layers()] == [("0", 4), ("3", 6), ("6", 10)]
        for layer in atlas.layers():
            kinds = {"channel", "neuron"} if layer.name in "03" else {"channel"}
            for unit in range(layer.units):
                assert atlas.unit(layer.name, unit).layer == layer.name
                assert len(atlas.examples(layer.name, unit)) == 3
                assert {p.kind for p in atlas.pictures(layer.name, unit)} == kinds
        assert all(job.state == "done" for job in atlas.jobs())
        for picture in atlas.pictures("3"):
            job = atlas.provenance(picture)
            asked, made = job.params["recipe"], picture.settings
            assert {"aim", "steps", "optimizer"} <= asked.keys()
            chosen = {"canvas", "transform", "steps"}  # and an early unit takes fewer steps
            assert all(asked[k] == made[k] for k in asked if k not in chosen)
            assert made["steps"] == (2 if picture.kind == "channel" else 4) <= asked["steps"]
            assert asked["canvas"]["canvas"] == asked["transform"]["transform"] == "chosen"
            assert made["canvas"]["canvas"] == picture.canvas == "fourier"
            assert made["transform"]["transform"] in {"affine", "identity"}
            assert made["objective"]["layer"] == picture.layer
            assert job.seed == 0


def test_every_picture_that_is_shown_is_kept_once(built):
    with Atlas.open(built) as atlas:
        kept = atlas.images()
        for layer in atlas.layers():
            for unit in range(layer.units):
                assert {e.image for e in atlas.examples(layer.name, unit)} <= kept.keys()
    with sqlite3.connect(built) as rows:
        ((count, different),) = rows.execute("SELECT count(*), count(DISTINCT image) FROM images")
    assert count == different == len(kept)


def test_a_pass_takes_as_many_pictures_at_once_as_fit(study, monkeypatch):
    assert study.batch == min(study.settings.batch, 256)
    monkeypatch.setattr(sys.modules[Study.__module__], "_MEMORY", 1)
    assert study.batch == 1


def test_class_pictures_of_another_size_are_compared_with_the_data(tmp_path):
    module = nn.Sequential(nn.Conv2d(1, 10, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network(module, Input(1, (28, 28)))
    data = digits("test").take(slice(0, 60))
    recipes, name = (Recipe(steps=1, size=(20, 24)),), network.logits.name
    finished(Study(network, data, Settings((name,), recipes, examples=1)), tmp_path / "a.atlas")
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert atlas.pictures(name)[0].picture.shape == (1, 20, 24)
        (said,) = [f for f in atlas.findings() if "class pictures" in f.text]
        assert "neighbours_agree" in said.figures


def test_sizes_are_for_the_layers_that_take_them(study):
    recipes = (Recipe(size=(20, 20)), Recipe("neuron"))
    larger = replace(study, settings=replace(study.settings, recipes=recipes))
    dense, maps = (next(la for la in larger.layers if la.name == name) for name in ("6", "3"))
    assert larger.recipes(maps) == list(recipes)
    assert larger.recipes(dense) == [Recipe()]


def test_statistics_are_those_of_a_survey(built, study):
    survey = Survey(study.network, ["3"], k=3)
    for batch in batches(study.data, 7):
        survey.add(batch)
    with Atlas.open(built) as atlas:
        for unit, record in enumerate(atlas.units("3")):
            assert record.mean == pytest.approx(float(survey.layers["3"].moments.mean[unit]), 1e-4)
            values = [example.value for example in atlas.examples("3", unit)]
            assert values == pytest.approx(survey.layers["3"].top.values[unit].tolist(), 1e-5)
        assert atlas.document("evaluation")["count"] == 40


def test_each_unit_knows_those_that_it_correlates_with_most(built, study):
    pictures = torch.stack([item.picture for item in study.data])
    names = [layer.name for layer in study.layers]
    recorded = study.network.record(pictures, names)
    found = {name: recorded[name].detach().double() for name in names}
    maps = {name: values.reshape(*values.shape[:2], -1) for name, values in found.items()}
    with Atlas.open(built) as atlas:
        for before, name, after in zip(["", *names], names, [*names[1:], ""], strict=False):
            for unit, record in enumerate(atlas.units(name)):
                assert set(record.correlated) == {before, name, after} - {""}
                for other, alike in record.correlated.items():
                    if other == name:
                        values = maps[name].movedim(1, 0).flatten(1).numpy()
                        rows = (values[unit], values)
                    else:
                        rows = (maps[name].amax(2)[:, unit].numpy(), maps[other].amax(2).T.numpy())
                    best = strongest(*rows, unit if other == name else None)
                    assert [each.unit for each in alike] == [i for i, _ in best]
                    told = [each.correlation for each in alike]
                    assert told == pytest.approx([r for _, r in best], abs=1e-2)
                    if other == name and record.twin is not None:
                        assert alike[0].unit == record.twin


def strongest(one, others, itself):
    """The five that correlate most, found one by one."""
    found = {
        i: np.corrcoef(one, other)[0, 1]
        for i, other in enumerate(others)
        if i != itself and one.std() > 1e-6 and other.std() > 1e-6
    }
    return sorted(((i, r) for i, r in found.items() if r > 0), key=lambda p: -p[1])[:5]


def test_what_is_left_out_of_layers_with_many_units_is_said(tmp_path, study, monkeypatch):
    monkeypatch.setattr("phosphene.survey.moments.MOST_COMPARED", 5)
    monkeypatch.setattr("phosphene.study.findings.MOST_COMPARED", 5)
    monkeypatch.setattr("phosphene.study.surveyed.MOST_PROFILED", 50)
    monkeypatch.setattr("phosphene.survey.between.MOST_BETWEEN", 30)  # 4 x 6, and not 6 x 10
    finished(study, tmp_path / "a.atlas")
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        left_out = atlas.document("left out")
        assert {name: len(said) for name, said in left_out.items()} == {"3": 3, "6": 2}
        assert "were not compared with those of 6: 6 and 10 make more than" in left_out["3"][1]
        assert {name for unit in atlas.units("3") for name in unit.correlated} == {"0"}
        assert all(unit.class_means for unit in atlas.units("0"))
        assert all(not unit.class_means and unit.twin is None for unit in atlas.units("3"))
        assert any(unit.selectivity for unit in atlas.units("3"))
        said = {f.text for f in atlas.findings() if f.topic == "units"}
        (told,) = [text for text in said if text.startswith("3:")]
        assert "Twins were not sought: 6 units" in told
        assert "near-duplicate" not in told
        (told,) = [text for text in said if text.startswith("0:")]
        assert "near-duplicate" in told
        export_site(atlas, tmp_path / "site")
    page = next(p for p in (tmp_path / "site").rglob("*.html") if "Twins were" in p.read_text())
    assert "Mean responses to each class were not kept" in page.read_text()


def test_one_or_two_pictures_of_a_class_tell_no_preference(tmp_path, make_study):
    for pictures, told in ((20, False), (40, True)):  # of ten digits
        path = tmp_path / f"{pictures}.atlas"
        finished(make_study(pictures=pictures), path)
        with Atlas.open(path) as atlas:
            units = atlas.units("3")
            assert any(unit.preferred_class is not None for unit in units) is told
            assert any(unit.selectivity is not None for unit in units) is told
            assert all(unit.class_means for unit in units)
            assert ("selectivity" in {f.topic for f in atlas.findings()}) is told
            assert "(1×)" not in " ".join(f.text for f in atlas.findings())


def test_workers_change_nothing_but_the_time(tmp_path, study):
    alone = finished(study, tmp_path / "alone.atlas")
    helped = replace(study, settings=replace(study.settings, workers=2))
    assert finished(helped, tmp_path / "helped.atlas") == alone
    with pytest.raises(SettingError, match=r"-1 workers; expected 0"):
        Settings(workers=-1)


def test_examples_show_what_the_unit_saw(built, study):
    with Atlas.open(built) as atlas:
        for example in atlas.examples("3", 0):
            assert (example.box[2] - example.box[0], example.box[3] - example.box[1]) == (10, 10)
            picture = study.data[example.image].picture[None]
            values = study.network.record(picture, ["3"])["3"]
            assert float(values[0, 0, example.y, example.x]) == pytest.approx(example.value, 1e-5)
            assert example.guided.shape == (1, 10, 10)
            assert np.abs(example.guided).max() > 0


def test_a_unit_that_cannot_fire_is_reported_with_the_attempts(built):
    with Atlas.open(built) as atlas:
        assert atlas.unit("3", 2).firing_rate == 0
        drawn = {p.kind: p for p in atlas.pictures("3", 2)}
        assert drawn["channel"].silent
        assert drawn["neuron"].silent
        assert len(drawn["channel"].attempts) == 4
        said = next(f for f in atlas.findings() if f.figures.get("layer") == "3")
        assert 2 in said.figures["silent"]
        assert f"{len(said.figures['silent'])} of 6 units never fire" in said.text


def test_a_second_build_does_nothing_again(tmp_path, study):
    first = finished(study, tmp_path / "a.atlas")
    progress = list(build(study, tmp_path / "a.atlas"))
    assert progress[-1].resumed == progress[-1].total == len(plan(study))
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert atlas.fingerprint() == first


def test_a_build_that_is_abandoned_between_any_two_steps_resumes_to_the_same(tmp_path, study):
    whole = finished(study, tmp_path / "whole.atlas")
    steps = len(list(build(study, tmp_path / "count.atlas")))
    for stop in range(1, steps, 4):
        path = tmp_path / f"{stop}.atlas"
        begun = build(study, path)
        for _ in range(stop):
            next(begun)
        begun.close()
        assert finished(study, path) == whole


def test_other_settings_replace_what_they_change_and_keep_the_rest(copied, tmp_path, study):
    recipes = (Recipe("channel", steps=5),)
    other = Study(study.network, study.data, Settings(recipes=recipes, examples=3))
    with pytest.raises(AtlasMismatchError, match=r"drawn channels where the atlas has channels, n"):
        next(build(other, copied))
    progress = list(build(other, copied, replace=True))
    assert 0 < progress[-1].resumed < progress[-1].total
    with Atlas.open(copied) as atlas:
        assert {p.settings["steps"] for p in atlas.pictures("3")} == {2}  # of an early unit
        assert {p.settings["steps"] for p in atlas.pictures("6")} == {5}
    assert finished(other, copied) == finished(other, tmp_path / "b.atlas")


def test_the_atlas_of_another_network_or_other_data_is_left_alone(tmp_path, study, make_study):
    before = finished(study, tmp_path / "a.atlas")
    for other, what in ((make_study(seed=1), "network"), (make_study(pictures=39), "data")):
        with pytest.raises(AtlasMismatchError, match=f"other.*{what}"):
            next(build(other, tmp_path / "a.atlas"))
    assert finished(study, tmp_path / "a.atlas") == before


def test_the_network_is_given_back_as_it_was(tmp_path, study):
    module = study.network.module.train()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    noise = torch.get_rng_state()
    finished(study, tmp_path / "a.atlas")
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert all(m.training for m in module.modules())
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    assert torch.equal(torch.get_rng_state(), noise)


def test_a_folder_that_does_not_exist_is_said(tmp_path, study):
    with pytest.raises(StorageError, match="missing"):
        next(build(study, tmp_path / "missing" / "a.atlas"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"steps": 5},
            "steps 5 where the atlas has 4; the same: layers, examples, batch, seed, edges, d",
        ),
        ({"examples": 4, "seed": 1}, "examples 4 where the atlas has 3, seed 1 where the atlas ha"),
        ({"units": ("6:3",)}, "units 6:3 where the atlas has none; the same: layers, examples, b"),
        ({"canvas": Fourier()}, "canvas of channels fourier where the atlas has chosen"),
    ],
)
def test_the_setting_that_differs_is_named(copied, study, changes, told):
    channels, neurons = study.settings.recipes
    if "steps" in changes:
        steps = changes.pop("steps")
        changes["recipes"] = (replace(channels, steps=steps), replace(neurons, steps=steps))
    if "canvas" in changes:
        changes["recipes"] = (replace(channels, canvas=changes.pop("canvas")), neurons)
    other = Study(study.network, study.data, replace(study.settings, **changes))
    with pytest.raises(AtlasMismatchError, match=re.escape(told)):
        next(build(other, copied))


def test_layers_are_chosen_by_pattern_or_refused_with_the_nearest(study):
    assert [la.name for la in choose(study.network, ["0", "3*"])] == ["0", "3"]
    with pytest.raises(UnknownLayerError, match="conv9"):
        choose(study.network, ["conv9"])


def test_data_without_labels_gives_an_atlas_without_accuracy(tmp_path, study):
    pictures = torch.stack([digits("test")[i].picture for i in range(12)])
    unlabelled = torch.utils.data.TensorDataset(pictures)
    bare = Study(study.network, unlabelled, study.settings)
    finished(bare, tmp_path / "a.atlas")
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert "evaluation" not in atlas.documents()
        assert atlas.unit("3", 0).class_means == ()


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_nothing(tmp_path, make_study):
    whole = finished(make_study(steps=12), tmp_path / "whole.atlas")
    with Atlas.open(tmp_path / "whole.atlas") as atlas:
        seconds = sum(job.seconds for job in atlas.jobs())
    path, moments = tmp_path / "killed.atlas", random.Random(0)
    killed = 0
    for _ in range(10):
        process, _ = builder(path)
        time.sleep(moments.uniform(0, 0.4 * seconds))
        killed += ended(process)
    assert killed > 0
    assert finished(make_study(steps=12), path) == whole
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed.atlas", "whole.atlas"]
