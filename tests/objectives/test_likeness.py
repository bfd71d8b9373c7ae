"""Values held against others, and blends, against their definitions."""

import json

import pytest
import torch
from torch import Tensor

from phosphene.errors import ObjectiveError
from phosphene.network.recorded import Recording
from phosphene.objectives import (
    Blend,
    Channel,
    Likeness,
    Logit,
    Neuron,
    RelativeError,
    Term,
    Values,
)

MAPS = torch.linspace(-1, 2, 4 * 3 * 5 * 4).view(4, 3, 5, 4)


def test_values_come_back_as_they_were() -> None:
    assert torch.equal(Values.of(MAPS).tensor, MAPS)
    assert Values.of(MAPS) == Values.of(MAPS.clone())
    assert hash(Values.of(MAPS)) != hash(Values.of(MAPS + 1))
    assert torch.equal(Values.of(MAPS).take([2, 0]).tensor, MAPS[[2, 0]])
    with pytest.raises(ObjectiveError, match=r"shape \(2, 3\) take 24 bytes; 4 were given"):
        Values((2, 3), Values.of(torch.ones(1, 1)).data)


def slow_likeness(values: Tensor, target: Tensor, power: float) -> list[float]:
    found = []
    for a, t in zip(values, target, strict=True):
        dot = sum(x * y for x, y in zip(a.flatten().tolist(), t.flatten().tolist(), strict=True))
        lengths = float(a.square().sum()) ** 0.5, float(t.square().sum()) ** 0.5
        found.append(dot / lengths[1] * max(dot / (lengths[0] * lengths[1]), 0.1) ** power)
    return found


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("targets", [1, 4])
def test_likeness_equals_its_definition(power: float, targets: int, recording: Recording) -> None:
    target = MAPS[:targets]
    scores = Likeness("maps", Values.of(target), power)(recording)
    expected = slow_likeness(recording["maps"], target.expand(4, -1, -1, -1), power)
    assert scores.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("targets", [1, 4])
def test_relative_error_equals_its_definition(targets: int, recording: Recording) -> None:
    target = MAPS[:targets].expand(4, -1, -1, -1)
    scores = RelativeError("maps", Values.of(MAPS[:targets]))(recording)
    expected = [
        float((a - t).square().sum() / t.square().sum())
        for a, t in zip(recording["maps"], target, strict=True)
    ]
    assert scores.tolist() == pytest.approx(expected)
    exact = RelativeError("maps", Values.of(recording["maps"]))(recording)
    assert torch.equal(exact, torch.zeros(4))


def test_a_blend_goes_from_one_to_the_other(recording: Recording) -> None:
    first, second = Channel("maps", 1), Logit((0, 1, 2, 0))
    scores = Blend(first, second, (0.0, 0.25, 0.5, 1.0))(recording)
    a, b = first(recording), second(recording)
    expected = torch.stack([a[0], 0.75 * a[1] + 0.25 * b[1], (a[2] + b[2]) / 2, b[3]])
    torch.testing.assert_close(scores, expected)
    assert Blend(first, second, (0.0, 1.0)).layers == first.layers | second.layers


@pytest.mark.parametrize(
    "objective",
    [
        Likeness("maps", Values.of(MAPS), 2.0),
        RelativeError("maps", Values.of(MAPS[:1])),
        Blend(Channel("maps", (0, 1)) - Neuron("maps", 2), Logit(1), (0.0, 1.0)),
    ],
    ids=str,
)
def test_they_are_values(objective: Term) -> None:
    again = Term.from_json(json.loads(json.dumps(objective.to_json())))
    assert again == objective
    assert hash(again) == hash(objective)
    assert len(str(objective)) < 80


def test_a_selection_of_images_scores_as_it_did(recording: Recording) -> None:
    few = Recording(recording.pictures[[3, 1]], {k: v[[3, 1]] for k, v in recording.items()})
    for objective in (
        Likeness("maps", Values.of(MAPS)),
        RelativeError("maps", Values.of(MAPS[:1])),
        Blend(Channel("maps", (0, 1, 2, 0)), Logit(1), (0.0, 0.3, 0.6, 1.0)),
    ):
        torch.testing.assert_close(objective.take([3, 1])(few), objective(recording)[[3, 1]])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Likeness("maps", Values.of(torch.zeros(1, 3))), r"maps answers with zeros alone"),
        (lambda: Blend(Channel("maps", 0), Logit(0), ()), r"without shares"),
        (
            lambda: Term.from_json({"type": "Blend", "first": {}, "second": {}}),
            r"\{\} is no objective",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(make: object, words: str) -> None:
    with pytest.raises(ObjectiveError, match=words):
        make()  # type: ignore[operator]


def test_what_does_not_fit_is_refused(recording: Recording) -> None:
    with pytest.raises(ObjectiveError, match=r"\(3, 5, 4\).*compared with values of \(3, 4, 4\)"):
        RelativeError("maps", Values.of(torch.ones(1, 3, 4, 4)))(recording)
    with pytest.raises(ObjectiveError, match=r"2 targets were given for 4 images"):
        Likeness("maps", Values.of(torch.ones(2, 3, 5, 4)))(recording)
    with pytest.raises(ObjectiveError, match=r"2 shares was given 4 images"):
        Blend(Channel("maps", 0), Logit(0), (0.0, 1.0))(recording)
