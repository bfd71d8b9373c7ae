"""Edges of networks set by hand: what removing, keeping and raising does is known in numbers."""

import pytest
import torch
from torch import Tensor

from phosphene.circuits import Edges, edges, interactions, measure
from planted import ALL, Planted


def of_planted(planted: Planted, baseline: str) -> Edges:
    """All edges of the planted network, measured."""
    found = edges(
        planted.network(), planted.pictures, planted.target, planted.source,
        baseline=baseline, data=planted.data,
    )  # fmt: skip
    return measure(found, None)


def in_order(effects: Tensor, units: Tensor) -> Tensor:
    """What was measured of units by their score, by their number."""
    return torch.zeros_like(effects).scatter(1, units, effects)


@pytest.mark.parametrize("baseline", ["zero", "mean"])
@pytest.mark.parametrize("planted", ALL, ids=str)
def test_what_is_measured_is_what_was_planted(planted: Planted, baseline: str) -> None:
    found, truth = of_planted(planted, baseline), planted.truth
    assert torch.allclose(found.values, torch.tensor(truth.value, dtype=torch.float), atol=1e-4)
    assert torch.allclose(
        found.baseline.high, torch.tensor(truth.high, dtype=torch.float), atol=1e-4
    )
    facts = truth.from_zero if baseline == "zero" else truth.from_mean
    effects = (
        (found.removed, facts.removed), (found.kept, facts.kept), (found.raised, truth.raised)
    )  # fmt: skip
    for measured, expected in effects:
        assert torch.allclose(
            in_order(measured, found.measured), torch.tensor(expected, dtype=torch.float), atol=1e-4
        )


@pytest.mark.parametrize("planted", [p for p in ALL if p.truth.pairs], ids=str)
def test_pairs_act_together_as_planted(planted: Planted) -> None:
    found = of_planted(planted, "zero")
    order, together = found.strongest(), interactions(found, len(found.score[0]))
    for pair in planted.truth.pairs:
        for image, units in enumerate(order.tolist()):
            i, j = (units.index(unit) for unit in pair.units)
            assert together[image, i, j] == pytest.approx(pair.removed, abs=1e-4)
