"""Histograms hold whatever comes, in edges that the values alone decide."""

import math
import random

import numpy as np
import pytest
import torch

from phosphene.survey import Histograms


def collected(values: list[list[float]], sizes: list[int]) -> Histograms:
    """Rows of one value per unit, in batches of the given sizes, over and over."""
    histograms, start, turn = Histograms(len(values[0])), 0, 0
    while start < len(values):
        size = sizes[turn % len(sizes)]
        histograms.add(torch.tensor(values[start : start + size]))
        start, turn = start + size, turn + 1
    return histograms


@pytest.mark.parametrize("seed", range(30))
def test_properties_over_random_scales(seed: int) -> None:
    rng = random.Random(seed)
    scales = [10 ** rng.uniform(-8, 8) for _ in range(4)]
    signs = [rng.choice([(-1, 1), (0, 1), (-1, 0)]) for _ in scales]
    kinds = [rng.choice(["uniform", "zeros", "long"]) for _ in scales]

    def draw(scale: float, sign: tuple[int, int], kind: str) -> float:
        if kind == "zeros" and rng.random() < 0.7:
            return 0.0
        size = scale * (math.exp(rng.gauss(0, 4)) if kind == "long" else 1)
        return size * rng.uniform(*sign)

    rows = [[draw(*unit) for unit in zip(scales, signs, kinds, strict=True)] for _ in range(97)]
    found = collected(rows, [rng.randint(1, 20) for _ in range(3)])
    at_once = collected(rows, [97])
    rng.shuffle(rows)
    shuffled = collected(rows, [1])
    for unit in range(4):
        bins = found.bins(unit)
        assert bins == at_once.bins(unit) == shuffled.bins(unit)
        values = torch.tensor([row[unit] for row in rows]).double().numpy()
        assert sum(bins.counts) == len(values)
        edges = bins.low + bins.width * np.arange(len(bins.counts) + 1)
        assert list(bins.counts) == np.histogram(values, edges)[0].tolist()
        assert edges[0] <= values.min() < edges[1]
        assert edges[-2] <= values.max() <= edges[-1]
        assert math.log2(bins.width).is_integer()
        assert (bins.low / bins.width).is_integer(), "zero is an edge"
        assert max(abs(edges[0]), abs(edges[-1])) <= 32 * bins.width
        if abs(values).max() > 0:  # no coarser than 32 bins on a side need
            assert abs(values).max() >= 16 * bins.width * (1 - 1e-12)


@pytest.mark.parametrize("sizes", [[1], [2], [100]])
def test_zeros_before_small_values_do_not_coarsen_the_bins(sizes: list[int]) -> None:
    bins = collected([[0.0]] * 50 + [[1e-6], [2e-6]], sizes).bins(0)
    assert bins.counts[0] == 50
    assert bins.counts[-1] == 1
    assert bins.width < 2e-7


@pytest.mark.parametrize("value", [0.5, 1.0, -1.0, 2.0**-20, -(2.0**20), 3.0, 1e-30, 1e30])
def test_single_values_and_powers_of_two(value: float) -> None:
    bins = collected([[value]] * 3, [1]).bins(0)
    assert bins.counts == (3,)
    assert bins.low <= value < bins.low + bins.width


def test_nothing_but_zeros_is_one_bin_of_width_one() -> None:
    assert collected([[0.0]] * 5, [2]).bins(0) == ((5,), 0.0, 1.0)
    histograms = Histograms(2)
    assert histograms.bins(1).counts == ()
    histograms.add(torch.empty(0, 2))
    assert histograms.bins(1).counts == ()


def test_units_do_not_share_edges() -> None:
    histograms = collected([[1e-5, 1e5]] * 4 + [[-1e-5, 3e4]], [2])
    assert histograms.bins(0).width < 1e-5
    assert histograms.bins(1).width > 1e3
