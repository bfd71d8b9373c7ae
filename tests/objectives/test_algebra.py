"""Objectives as values: they add, compare, hash, print as code and are JSON."""

import json

import pytest
import torch

from phosphene import objectives
from phosphene.errors import ObjectiveError
from phosphene.network.recorded import Recording
from phosphene.objectives import (
    L1,
    L2,
    Along,
    Blend,
    Channel,
    Combination,
    Direction,
    Diversity,
    Energy,
    Likeness,
    Logit,
    LogProbability,
    Neuron,
    Norm,
    Outstanding,
    Probability,
    RelativeError,
    Term,
    TotalVariation,
    Unfamiliar,
    Unusual,
    Values,
)

SINGLE = [
    Channel("maps", 1),
    Channel("maps", (0, 2, 1, 1)),
    Neuron("maps", 2),
    Neuron("maps", (0, 1, 2, 0), y=(0, 4, 1, 2), x=(3, 0, 1, 1)),
    Neuron("tokens", 1, x=6),
    Logit(2),
    LogProbability((0, 1, 2, 2)),
    Probability(0),
    Direction("maps", (1.0, -2.5, 1e-8)),
    Direction("dense", (0.1, 0.2, 0.30000000000000004), cosine_power=2.0),
    Energy("maps", (0, 1, 2, 0)),
    Norm("tokens"),
    Norm("dense", (0, 2)),
    Diversity("maps"),
    Diversity("maps", group=2),
    TotalVariation(),
    L1(0.5),
    L2(),
    Along("dense", (0, 1, 2, 0), Values.of(torch.ones(4, 1) / 3)),
    Along("maps", 1, Values.of(torch.ones(1, 20))),
    Blend(Channel("maps", (0, 1, 2, 0)), Logit(1), (0.0, 0.25, 0.75, 1.0)),
    Likeness("dense", Values.of(torch.ones(1, 3)), cosine_power=2.0),
    RelativeError("dense", Values.of(torch.eye(4)[:, :3] + 1)),
    Unusual("maps", Values.of(torch.arange(3.0)), Values.of(torch.ones(3))),
    Unfamiliar("maps", Values.of(torch.arange(3.0)), Values.of(torch.ones(3))),
    Outstanding("dense", Values.of(torch.zeros(3)), Values.of(torch.ones(3) / 3), (0, 2, 1, 1)),
]

SUMS = [
    Channel("maps", 1) + Neuron("maps", 2),
    Channel("maps", 1) - Neuron("maps", 2),
    -Channel("maps", 1),
    -Channel("maps", 1) - 2 * L1(),
    Channel("maps", 1) * 1.0,
    0.1 * Channel("maps", 1) - 0.30000000000000004 * L2() + Logit(1) / 3,
    2 * (Channel("maps", 1) - 3 * (L1() - L2() / 7)),
    Channel("maps", 1) - Channel("maps", 1),
    1e-12 * L1(0.1) - 1e12 * TotalVariation(),
    Channel("maps", (0, 1, 2, 0)) + Neuron("maps", (2, 2, 2, 2), 1, 1) - 0.5 * Diversity("maps"),
]

everything = pytest.mark.parametrize("objective", SINGLE + SUMS, ids=repr)


@everything
def test_printing_is_the_code_that_makes_it(objective: Term) -> None:
    assert eval(repr(objective), vars(objectives)) == objective


@everything
def test_json_round_trip(objective: Term) -> None:
    again = Term.from_json(json.loads(json.dumps(objective.to_json())))
    assert again == objective
    assert hash(again) == hash(objective)
    assert repr(again) == repr(objective)


@everything
def test_the_score_survives_the_round_trip(objective: Term, recording: Recording) -> None:
    again = Term.from_json(json.loads(json.dumps(objective.to_json())))
    scores = objective(recording)
    assert scores.shape == (4,)
    assert torch.equal(again(recording), scores)


def test_every_member_is_in_these_tests() -> None:
    mine = {type(o).__name__ for o in SINGLE} | {"Combination"}
    assert {n for n in Term.kinds() if hasattr(objectives, n)} == mine


def test_different_objectives_differ() -> None:
    every = SINGLE + SUMS
    assert len(set(every)) == len(every)
    for i, one in enumerate(every):
        assert [j for j, other in enumerate(every) if other == one] == [i]


class TestArithmetic:
    a, b = Channel("maps", 1), Neuron("maps", 2)

    def test_scores_follow_the_written_sum(self, recording: Recording) -> None:
        a, b = self.a(recording), self.b(recording)
        for objective, expected in [
            (self.a + self.b, a + b),
            (self.a - self.b, a - b),
            (self.a - self.b - self.b, a - 2 * b),
            (self.a - (self.b - self.a), 2 * a - b),
            (-self.a, -a),
            (3 * self.a, 3 * a),
            (self.a * 0.5, a / 2),
            (self.a / 4, a / 4),
            (2 * (self.a - 3 * self.b) / 5, 0.4 * a - 1.2 * b),
        ]:
            torch.testing.assert_close(objective(recording), expected)

    def test_equal_terms_merge_and_weights_are_kept(self) -> None:
        merged = self.a + 2 * self.b + self.a - 0.5 * self.b
        assert isinstance(merged, Combination)
        assert merged.terms == ((2.0, self.a), (1.5, self.b))
        assert 2 * self.a == self.a + self.a
        assert (self.a - self.a).terms == ((0.0, self.a),)

    def test_sum_adds_objectives_up(self) -> None:
        terms = [Channel("maps", 1), 0.5 * L2(), Logit(2)]
        assert sum(terms) == terms[0] + terms[1] + terms[2]
        assert sum(terms[:1]) == terms[0]
        with pytest.raises(TypeError):
            1 + Channel("maps", 1)

    def test_layers_are_those_of_all_terms(self) -> None:
        assert (self.a + Norm("dense") - L1()).layers == {"maps", "dense"}
        assert L2().layers == frozenset()

    def test_only_numbers_scale(self) -> None:
        with pytest.raises(TypeError):
            self.a * self.b  # type: ignore[operator]
        with pytest.raises(TypeError):
            "2" * self.a  # type: ignore[operator]

    def test_captions_keep_the_weights(self) -> None:
        assert str(2 * self.a - 0.25 * L2()) == "2.0 * maps:1 - 0.25 * L2(level=0.0)"
        assert str(Neuron("maps", 3)) == "maps:3@centre"
        assert str(Neuron("maps", 3, 0, 1)) == "maps:3@0,1"
        assert str(Neuron("tokens", 3, x=6)) == "tokens:3@centre,6"
        assert str(Channel("maps", (3, 5))) == "maps:3,5"
        assert str(Probability(7)) == "p(7)"
        assert str(LogProbability(7)) == "log p(7)"
        assert str(Norm("maps", (1, 2))) == "|maps:1,2|"


class TestBatches:
    def test_the_size_comes_from_per_image_fields(self) -> None:
        assert Channel("maps", 1).batch is None
        assert Channel("maps", (1, 2)).batch == 2
        assert Neuron("maps", 1, y=(0, 1, 2), x=0).batch == 3
        assert (Channel("maps", (1, 2)) - L1()).batch == 2
        assert Norm("maps", (0, 1)).batch is None

    def test_sizes_that_disagree_are_refused(self) -> None:
        with pytest.raises(ObjectiveError, match=r"\[2, 3\]"):
            _ = Neuron("maps", (0, 1), y=(0, 1, 2), x=0).batch
        with pytest.raises(ObjectiveError, match=r"\[2, 3\] images"):
            _ = (Channel("maps", (0, 1)) + Channel("dense", (0, 1, 2))).batch

    def test_another_number_of_images_is_refused(self, recording: Recording) -> None:
        with pytest.raises(ObjectiveError, match="2 images was given 4"):
            Channel("maps", (0, 1))(recording)

    @pytest.mark.parametrize(
        "objective", [o for o in SINGLE + SUMS if "Diversity" not in repr(o)], ids=repr
    )
    def test_taking_images_takes_their_scores(self, objective: Term, recording: Recording) -> None:
        images = [3, 1, 1]
        part = Recording(
            recording.pictures[images], {k: v[images] for k, v in recording.layers.items()}
        )
        torch.testing.assert_close(objective.take(images)(part), objective(recording)[images])

    def test_objectives_for_any_number_stay_as_they_are(self) -> None:
        assert Channel("maps", 1).take([0, 0, 0]) == Channel("maps", 1)


class TestWhatIsNoObjective:
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ({"type": "Chanel", "layer": "a", "index": 1}, "nearest: Channel"),
            ({}, "is no objective"),
            ({"type": None}, "is no objective"),
            ({"type": ["Channel"]}, "is no objective"),
            ([], "is no objective"),
            ({"type": "Channel", "layer": "a"}, "index"),
            ({"type": "Channel", "layer": "a", "index": 1, "units": 2}, "units"),
            ({"type": "Penalty"}, "is no objective"),
            ({"type": "Combination"}, "Combination.*terms"),
            ({"type": "Combination", "terms": 3}, "Combination"),
            ({"type": "Combination", "terms": [[1.0]]}, "Combination"),
            ({"type": "Combination", "terms": [["x", {"type": "L1"}]]}, "Combination"),
            ({"type": "Combination", "terms": [[1.0, {"type": "L3"}]]}, "nearest: L"),
        ],
    )
    def test_json_is_refused_with_its_value(self, value: object, message: str) -> None:
        with pytest.raises(ObjectiveError, match=message):
            Term.from_json(value)

    def test_nested_sums_in_json_are_flattened(self) -> None:
        inner = (L1() - 2 * L2()).to_json()
        nested = {"type": "Combination", "terms": [[3.0, inner], [1, L2().to_json()]]}
        assert Term.from_json(nested) == 3 * L1() - 5 * L2()

    def test_a_direction_of_zeros_points_nowhere(self) -> None:
        with pytest.raises(ObjectiveError, match="nowhere"):
            Direction("maps", (0.0, 0.0))
