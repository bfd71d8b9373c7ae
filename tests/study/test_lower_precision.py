"""A study that draws in bfloat16: its own jobs, the same whoever computes, its price and layers."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from phosphene.atlas import Atlas
from phosphene.errors import AtlasMismatchError, NetworkError
from phosphene.network import precision
from phosphene.progress import follow
from phosphene.study import Promise, Study, build, plan, price, within
from phosphene.study.engines import Processes
from phosphene.study.widening import settings_of

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.slow,  # builds studies
    pytest.mark.filterwarnings(
        "ignore:drawing in bfloat16 is slower", "ignore:PyTorch .* does not"
    ),
]


def lowered(study: Study) -> Study:
    """The same study, drawn in bfloat16."""
    recipes = tuple(replace(each, precision="bfloat16") for each in study.settings.recipes)
    return Study(study.network, study.data, replace(study.settings, recipes=recipes))


def fingerprint(path: Path) -> str:
    with Atlas.open(path) as atlas:
        return atlas.fingerprint()


def test_drawing_is_another_job_and_nothing_else_is(make_study: Callable[..., Study]) -> None:
    study = make_study()
    single = {job.key: job.kind for job in plan(study)}
    lower = {job.key: job.kind for job in plan(lowered(study))}
    assert {single[key] for key in single.keys() - lower.keys()} == {"pictures", "findings"}
    assert {lower[key] for key in lower.keys() - single.keys()} == {"pictures", "findings"}
    assert "pictures" not in {single[key] for key in single.keys() & lower.keys()}


def test_processes_build_what_one_does_here(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    here, apart = tmp_path / "here.atlas", tmp_path / "apart.atlas"
    follow(build(lowered(make_study()), here))
    follow(build(lowered(make_study()), apart, on=Processes(2)))
    assert fingerprint(apart) == fingerprint(here)
    with Atlas.open(here) as atlas:
        for layer in ("0", "3", "6"):
            for record in atlas.pictures(layer):
                assert record.settings["precision"] == "bfloat16"


def test_what_is_told_is_what_float32_answers(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = lowered(make_study())
    follow(build(study, tmp_path / "a.atlas"))
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        records = [each for each in atlas.pictures("6") if not each.silent]
    assert records
    for record in records:
        shown = torch.from_numpy(record.picture)[None]
        answer = study.network.record(shown, "6")["6"][0, record.unit]
        assert record.activation == pytest.approx(float(answer), rel=1e-5)


def test_an_atlas_of_the_other_precision_is_told_apart(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study, path = make_study(), tmp_path / "a.atlas"
    follow(build(study, path))
    told = re.escape("precision bfloat16 where the atlas has float32; the same: layers")
    with pytest.raises(AtlasMismatchError, match=told):
        next(build(lowered(study), path))
    progress = list(build(lowered(study), path, replace=True))
    assert 0 < progress[-1].resumed < progress[-1].total
    told = re.escape("precision float32 where the atlas has bfloat16")
    with pytest.raises(AtlasMismatchError, match=told):
        next(build(study, path))


def test_layers_are_added_in_the_precision_of_the_others(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = lowered(make_study())
    dense = Study(study.network, study.data, replace(study.settings, layers=("6",)))
    follow(build(dense, tmp_path / "a.atlas"))
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        found = settings_of(atlas, ["3"])
    assert [each.aim for each in found.recipes] == ["channel", "neuron"]
    assert {each.precision for each in found.recipes} == {"bfloat16"}


def test_a_budget_keeps_the_precision(make_study: Callable[..., Study], tmp_path: Path) -> None:
    study, path = lowered(make_study(steps=256)), tmp_path / "a.atlas"
    assert {job.key for job in price(study).jobs} == {job.key for job in plan(study)}
    whole = price(study)
    chosen, found = within(study, 0.7 * whole.seconds + whole.rehearsed, path)
    assert found is not None
    assert {each.precision for each in chosen.settings.recipes} == {"bfloat16"}
    follow(build(chosen, path, price=found))
    again, _ = within(study, 3600, path)
    assert again.settings == chosen.settings
    with Atlas.open(path) as atlas:
        (promise,) = Promise.all_of(atlas)
    assert promise.chosen is not None
    assert [each["precision"] for each in promise.chosen["recipes"]] == ["bfloat16", "bfloat16"]


def test_a_network_that_cannot_is_refused_before_anything_is_done(
    make_study: Callable[..., Study],
) -> None:
    study = make_study()
    study.network.module.double()
    with pytest.raises(NetworkError, match="are float64; drawing in bfloat16 is for weights of"):
        lowered(study)


def test_a_slow_processor_is_told_of_once(
    make_study: Callable[..., Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precision._check_device.cache_clear()
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    with pytest.warns(UserWarning, match="slower than in float32") as said:
        follow(build(lowered(make_study()), tmp_path / "a.atlas"))
    assert len(said) == 1
    precision._check_device.cache_clear()
