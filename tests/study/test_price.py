"""What a study is said to cost, and that it keeps to the time it was given."""

import mmap
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from phosphene.atlas import Atlas, JobWriter
from phosphene.errors import SettingError
from phosphene.maximize import LOOKS
from phosphene.network import Network
from phosphene.progress import follow
from phosphene.study import Price, Promise, Settings, Study, build, merge, plan, price, within
from phosphene.study.budget import _first_units
from phosphene.study.cost import Cost
from phosphene.study.job import PRICE, StudyJob, UnitsJob
from phosphene.study.pricing import Priced
from phosphene.study.rehearsal import Rehearsal, rehearsing
from phosphene.study.units import Pictures

Make = Callable[..., Study]


def priced(kind: str, seconds: float, divisible: bool = False) -> Priced:
    return Priced(kind, kind, kind, None, (), divisible, Cost(seconds, 10, 5))


def test_the_price_is_of_what_is_planned(study: Study) -> None:
    found = price(study)
    assert [job.key for job in found.jobs] == [job.key for job in plan(study)]
    assert all(job.cost.seconds > 0 for job in found.jobs)
    assert found.seconds == pytest.approx(found.cost.seconds)
    assert {name for name, _, _ in found.rows} >= {layer.name for layer in study.layers}
    assert "About" in found.summary
    assert found.summary in found._repr_html_()


def test_nothing_is_written_and_what_is_there_costs_nothing(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    steps = build(study, path)
    for step in steps:
        if step.done >= 6:
            break
    steps.close()
    with Atlas.open(path) as atlas:
        done = {key for key, state in atlas.states().items() if state == "done"}
    before, listed = path.read_bytes(), sorted(tmp_path.iterdir())
    found = price(study, path)
    assert {job.key for job in found.jobs} == {job.key for job in plan(study)} - done
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == listed
    follow(build(study, path))
    assert price(study, path).summary == "Nothing is left to be done."


def test_the_size_is_about_what_the_atlas_will_have(make_study: Make, tmp_path: Path) -> None:
    study = make_study(steps=16, pictures=120)
    promised = price(study).cost.size
    follow(build(study, tmp_path / "a.atlas"))
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        tables = ["documents", "pictures", "examples", "images", "units", "layers", "arrays"]
        actual = sum(
            sum(len(cell) if isinstance(cell, bytes | str) else 8 for cell in row)
            for table in tables
            for row in atlas._connection.execute(f"SELECT * FROM {table}")
        )
    assert promised == pytest.approx(actual, rel=0.25)


def test_pictures_cost_what_their_units_and_steps_do(make_study: Make) -> None:
    study = make_study(steps=4)
    with rehearsing(study) as rehearsal:
        for job in plan(study):
            if not isinstance(job, UnitsJob):
                job.foreseen(rehearsal)
        layer = study.layers[0]
        job = Pictures(study, layer, range(4), study.settings.recipes[0])
        once = job.foreseen(rehearsal)
        start, step = rehearsal.once(job.alike, lambda: pytest.fail("it was measured already"))
        assert once.seconds == pytest.approx(4 * (start.seconds + 4 * step.seconds))
        longer = replace(job, units=range(2), recipe=replace(job.recipe, steps=100))
        assert longer.foreseen(rehearsal).seconds == pytest.approx(
            2 * (start.seconds + 100 * step.seconds)
        )


@pytest.mark.parametrize(("steps", "silent"), [(0, {0, 2, 3, 8}), (32, {0})])
def test_units_that_nothing_wakes_are_counted_as_often_as_they_are_tried(
    make_study: Make, steps: int, silent: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phosphene.study.units._TOGETHER", 10)
    study = make_study(steps=steps)
    layer = next(layer for layer in study.layers if layer.units == 10)
    with rehearsing(study) as rehearsal:
        for job in plan(study):
            if not isinstance(job, UnitsJob):
                job.foreseen(rehearsal)
        values = rehearsal.atlas.document(f"top {layer.name}")["values"]
        assert [unit for unit in range(10) if values[unit][0] <= 0] == [0]
        job = Pictures(study, layer, range(10), study.settings.recipes[0])
        taken = job._taken(rehearsal, range(10))
        assert taken == [4 if unit in silent else 1 for unit in range(10)]
        assert job._ascents(rehearsal) == pytest.approx(sum(taken) / 10)
        neurons = Pictures(study, layer, range(3), replace(study.settings.recipes[1], steps=steps))
        expected = {1, 3} if steps == 0 else {1}  # there is no real picture of a neuron's place
        assert {*neurons._taken(rehearsal, range(10))} == expected


def test_a_start_at_which_a_unit_sleeps_takes_its_looks_alone(make_study: Make) -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    given = make_study(steps=32)
    module(torch.zeros(1, *given.network.input.shape))
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[0].bias.copy_(torch.tensor([0.0, -100.0]))
    network = Network(module, given.network.input, task="none")
    study = Study(network, given.data, replace(given.settings, layers=("1",)))
    with rehearsing(study) as rehearsal:
        for job in plan(study):
            if not isinstance(job, UnitsJob):
                job.foreseen(rehearsal)
        pictures = Pictures(study, study.layers[0], range(2), given.settings.recipes[0])
        assert pictures._taken(rehearsal, range(2)) == [1, LOOKS / 32 + 3]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the most counts since the start")
def test_the_memory_of_a_job_is_the_most_that_it_takes_and_not_what_others_took(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = plan(study)[:2]
    many = 2**28
    held = {first.key: 2 * many, second.key: many}

    def run(job: StudyJob, *_: object) -> Iterator[float]:
        size = held[job.key]
        with mmap.mmap(-1, size) as block:
            block[:: mmap.PAGESIZE] = bytes([1]) * (size // mmap.PAGESIZE)
            yield 1.0

    for job in (first, second):
        monkeypatch.setattr(type(job), "run", run)
    with rehearsing(study) as rehearsal:
        found = [rehearsal.cost(job).memory for job in (first, second)]
    assert found == pytest.approx([2 * many, many], rel=0.2)


def test_units_are_counted_once_however_many_jobs_they_are_in() -> None:
    shares = [range(3), range(3, 5)]
    jobs = [
        replace(priced(kind, 1), layer="conv", units=tuple(share))
        for kind in ("pictures", "examples")
        for share in shares
        for _ in range(2)  # channels and neurons
    ]
    ((name, units, kinds),) = Price(tuple(jobs)).rows
    assert (name, units) == ("conv", "5")
    assert {kind: cost.seconds for kind, cost in kinds.items()} == {"pictures": 4, "examples": 4}


@pytest.mark.parametrize(
    ("workers", "seconds"),
    [
        (0, 1 + 14 + 8 + 1),
        (1, 1 + 14 + 8 + 1),
        (2, 1 + 7 + 5 + 1),  # the spectrum beside the pass; the longer picture alone
        (100, 1 + 4 + 5 + 1),
    ],
)
def test_workers_share_what_can_be_shared(workers: int, seconds: float) -> None:
    jobs = (
        priced("describe", 1),
        priced("pass", 10, divisible=True),
        priced("spectrum", 4),
        priced("pictures", 5),
        priced("pictures", 3),
        priced("findings", 1),
    )
    found = Price(jobs, workers)
    assert found.seconds == pytest.approx(seconds)
    assert found.cost == Cost(24, 60, 5)
    told = {0: "for one worker", 1: "About 24\u00a0s;"}.get(workers, f"with {workers} workers")
    assert told in found.summary


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets every picture's unit and step, and each unit of another job, cost so many seconds."""
    each: list[float] = [1.0]
    do = Rehearsal._done

    def done(self: Rehearsal, job: StudyJob) -> tuple[Cost, JobWriter]:
        _, writer = do(self, job)
        units = len(job.units) if isinstance(job, UnitsJob) else 1
        steps = 1 + job.recipe.steps if isinstance(job, Pictures) else 1
        return Cost(each[0] * units * steps, 1, 1), writer

    def set_to(seconds: float) -> None:
        each[0] = seconds

    monkeypatch.setattr(Rehearsal, "_done", done)
    return set_to


def drawn(study: Study) -> dict[str, int]:
    return {layer.name: len(study.units(layer)) for layer in study.layers}


def test_a_budget_takes_steps_first_then_units_then_sizes(
    make_study: Make, clock: Callable[[float], None]
) -> None:
    study = make_study(steps=256)
    clock(1e-3)
    whole = price(study).seconds
    most = 24.0  # and what finding out takes

    def chosen(share: float) -> Study:
        clock(1e-3 * share * most / whole)
        return within(study, most / 0.8 + 5)[0]

    assert chosen(0.5).settings == study.settings  # there is enough
    fewer = chosen(1.2)
    assert [recipe.steps for recipe in fewer.settings.recipes] == [128, 128]
    assert drawn(fewer) == drawn(study)
    assert fewer.settings.largest is None
    least = chosen(8)
    assert [recipe.steps for recipe in least.settings.recipes] == [64, 64]
    assert least.settings.largest == (14, 14)
    assert 1 <= max(drawn(least).values()) < 10
    with pytest.raises(SettingError, match=r"--budget of 35\ss: one unit .* takes about \d+\smin"):
        chosen(2000)


def test_fewer_units_are_the_first_of_those_that_are_shown(study: Study) -> None:
    one, two, three = study.layers
    study = study.under(replace(study.settings, units=(f"{two.name}:1-5",)))
    fewer = _first_units(study, 4)
    assert fewer.units(one) == range(4)
    assert fewer.units(two) == (1, 2, 3, 4)
    assert fewer.units(three) == (0, 1, 2, 3)


def test_no_canvas_is_larger_than_was_said(make_study: Make) -> None:
    study = make_study()
    study = study.under(replace(study.settings, largest=(20, 20)))
    sizes = {layer.name: study.recipes(layer)[0].size for layer in study.layers}
    takes = {layer.name: study.network.takes((20, 20), layer.name) for layer in study.layers}
    assert sizes == {name: (20, 20) if takes[name] else None for name in sizes}
    assert {*takes.values()} == {True, False}


def promise_of(study: Study, slow: Mapping[str, float]) -> Price:
    """A price by which some kinds of jobs take long."""
    return Price(tuple(priced_as(job, slow.get(job.kind, 0.0)) for job in plan(study)))


def priced_as(job: StudyJob, seconds: float) -> Priced:
    return replace(priced(job.kind, seconds), key=job.key)


def test_what_would_end_too_late_is_not_begun(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    last = follow(build(study, path, price=promise_of(study, {"edges": 1e6}), seconds=1e5))
    assert last is not None
    assert last.done < last.total
    assert last.title.startswith("the time is up; ")
    with Atlas.open(path) as atlas:
        kinds = {job.kind for job in atlas.jobs()}
        (promise,) = Promise.all_of(atlas)
    assert "pictures" in kinds
    assert not kinds & {"edges", "findings"}
    assert promise.took > 0
    assert "where 2000" not in promise.summary
    follow(build(study, path))
    follow(build(study, tmp_path / "b.atlas"))
    with Atlas.open(path) as one, Atlas.open(tmp_path / "b.atlas") as other:
        assert one.jobs(PRICE)
        assert not other.jobs(PRICE)
        assert one.fingerprint() == other.fingerprint()


def test_a_budget_stands_when_the_build_goes_on(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    fewer = study.under(replace(study.settings, units=(f"{study.layers[0].name}:0-1",)))
    told = replace(promise_of(fewer, {}), chosen=fewer.settings.to_json())
    follow(build(fewer, path, price=told))
    again, none = within(study, 1e-9, path)
    assert none is None
    assert again.settings == fewer.settings
    assert again.chosen == fewer.chosen
    last = follow(build(again, path))
    assert last is not None
    assert last.resumed == last.total


def test_a_merge_leaves_prices_behind(make_study: Make, tmp_path: Path) -> None:
    study = make_study()
    layers = [layer.name for layer in study.layers]
    for name, some in (("a", layers[:1]), ("b", layers[1:])):
        part = Study(study.network, study.data, replace(study.settings, layers=tuple(some)))
        follow(build(part, tmp_path / f"{name}.atlas", price=promise_of(part, {})))
    merge([tmp_path / "a.atlas", tmp_path / "b.atlas"], tmp_path / "c.atlas")
    with Atlas.open(tmp_path / "c.atlas") as merged:
        assert not Promise.all_of(merged)


def test_settings_with_a_largest_canvas_survive_json() -> None:
    settings = Settings(largest=(112, 96))
    assert Settings.from_json(settings.to_json()) == settings
