"""The truth of every planted network, recomputed by one plain forward pass for each question."""

import pytest
import torch

import planted
from planted import Bench, Facts, Planted
from planted.truth import Rows

EACH = pytest.mark.parametrize("one", planted.ALL, ids=str)

TOLERANCE = 2e-6


def near(found: Rows, written: Rows) -> None:
    torch.testing.assert_close(
        torch.tensor(found), torch.tensor(written, dtype=torch.float32), atol=TOLERANCE, rtol=0
    )


def zero(one: Planted) -> tuple[float, ...]:
    return (0.0,) * len(one.truth.mean)


def test_there_are_as_many_as_were_asked_for_and_none_twice() -> None:
    assert len(planted.ALL) >= 12
    assert len({one.name for one in planted.ALL}) == len(planted.ALL)


@EACH
def test_every_unit_of_the_source_layer_is_spoken_of_once(one: Planted) -> None:
    units = sorted((*one.truth.parts, *one.truth.idle))
    assert units == list(Bench(one).units)
    assert one.truth.idle, "nothing that could be called a part wrongly"


@EACH
def test_pictures_are_pictures_and_stand_first_in_the_data(one: Planted) -> None:
    assert one.data.min() >= 0
    assert one.data.max() <= 1
    assert torch.equal(one.data[: len(one.pictures)], one.pictures)


@EACH
def test_means_and_high_values_are_those_of_the_data(one: Planted) -> None:
    values = Bench(one).values.transpose(0, 1).flatten(1)
    near((tuple(values.mean(1).tolist()),), (one.truth.mean,))
    near((tuple(values.amax(1).tolist()),), (one.truth.high,))
    near((tuple(values.quantile(0.99, dim=1).tolist()),), (one.truth.high,))


@EACH
def test_the_target_is_what_is_written(one: Planted) -> None:
    near((tuple(Bench(one).t.tolist()),), (one.truth.value,))


@EACH
@pytest.mark.parametrize("baseline", ["zero", "mean"])
def test_removing_and_keeping_do_what_is_written(one: Planted, baseline: str) -> None:
    written, levels = (
        (one.truth.from_zero, zero(one))
        if baseline == "zero"
        else (one.truth.from_mean, one.truth.mean)
    )
    found = Bench(one).facts(levels)
    near(found.removed, written.removed)
    near(found.kept, written.kept)


@EACH
def test_raising_does_what_is_written(one: Planted) -> None:
    near(Bench(one).raised(one.truth.high), one.truth.raised)


@EACH
def test_pairs_and_routes_do_what_is_written(one: Planted) -> None:
    bench = Bench(one)
    for pair in one.truth.pairs:
        removed, kept = bench.together(pair.units)
        assert removed.tolist() == pytest.approx([pair.removed] * len(removed), abs=TOLERANCE)
        assert kept.tolist() == pytest.approx([pair.kept] * len(kept), abs=TOLERANCE)
        redundant, joint = pair.removed > 0 or pair.kept < 0, pair.removed < 0 or pair.kept > 0
        assert {"redundant": (True, False), "joint": (False, True), "both": (True, True)}[
            pair.relation
        ] == (redundant, joint)
    for route in one.truth.routes:
        assert bench.along(route).tolist() == pytest.approx(route.removed, abs=TOLERANCE)


def effects(facts: Facts, raised: Rows, unit: int) -> list[float]:
    rows = (*facts.removed, *facts.kept, *raised)
    return [row[unit] for row in rows if abs(row[unit]) > TOLERANCE]


@EACH
def test_idle_units_do_nothing_alone_or_with_any_other(one: Planted) -> None:
    bench, truth = Bench(one), one.truth
    for unit in truth.idle:
        assert not effects(truth.from_zero, truth.raised, unit)
        assert not effects(truth.from_mean, (), unit)
        assert not any(bench.acts_together((unit, other)) for other in truth.parts)


@EACH
def test_parts_do_what_their_side_says(one: Planted) -> None:
    truth = one.truth
    for unit in truth.parts:
        found = effects(truth.from_zero, truth.raised, unit)
        assert found or effects(truth.from_mean, (), unit), "a part that nothing shows"
        signs = {effect > 0 for effect in found}
        if unit in truth.mixed:
            assert signs == {True, False}
        elif one is not pointing:
            assert signs <= {unit in truth.excites}


pointing = next(one for one in planted.ALL if one.name == "attention token")


def test_a_pointer_raised_everywhere_points_nowhere() -> None:
    """The one part whose presence helps and whose excess harms."""
    assert pointing.truth.from_zero.removed[0][0] > 0 > pointing.truth.raised[0][0]


@EACH
def test_a_module_is_made_the_same_each_time_and_is_in_eval_mode(one: Planted) -> None:
    first, second = one.make(), one.make()
    assert not first.training
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


@EACH
def test_phosphene_takes_it_and_reads_the_same_target(one: Planted) -> None:
    network = one.network()
    unit = network.unit(one.target)
    layer, at = one.aim
    recording = network.record(one.pictures, [unit.layer, one.source])
    read = recording[unit.layer][(slice(None), *at)]
    torch.testing.assert_close(read, Bench(one).t, atol=TOLERANCE, rtol=0)
    assert layer == unit.layer
    assert network.layer(one.source).units == len(one.truth.mean)
