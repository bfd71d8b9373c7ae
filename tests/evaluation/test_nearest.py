"""Nearest neighbours against slow loops over all pairs."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from phosphene.data import Batch
from phosphene.errors import DataError
from phosphene.evaluation import Neighbours, nearest_neighbours


def streamed(pictures: Tensor, labels: Tensor, size: int) -> Iterator[Batch]:
    """Batches that skip every third index, as a pass over damaged files does."""
    indices = torch.arange(len(pictures)) * 3
    for start in range(0, len(pictures), size):
        part = slice(start, start + size)
        yield Batch(indices[part], pictures[part], labels[part], ())
        yield Batch(indices[:0], torch.empty(0, 0, 0, 0), labels[:0], ())  # all unreadable


@pytest.fixture(scope="module")
def real() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(70, 2, 6, 5, generator=generator)
    pictures[40] = pictures[12]  # the same picture twice
    return pictures, torch.randint(-1, 4, (70,), generator=generator)


@pytest.fixture(scope="module")
def queries(real: tuple[Tensor, Tensor]) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.cat([torch.rand(30, 2, 6, 5, generator=generator), real[0][[12, 69]]])


@pytest.mark.parametrize("size", [1, 7, 33, 70])
@pytest.mark.parametrize("k", [1, 5, 70])
def test_equal_a_slow_loop(size: int, k: int, queries: Tensor, real: tuple[Tensor, Tensor]) -> None:
    pictures, labels = real
    found = nearest_neighbours(queries, streamed(pictures, labels, size), k)
    assert found.distances.shape == found.images.shape == found.labels.shape == (32, k)
    for i, query in enumerate(queries.double()):
        every = [math.sqrt(float((query - p).square().sum())) for p in pictures.double()]
        order = sorted(range(70), key=lambda j: every[j])[:k]
        assert found.images[i].tolist() == [3 * j for j in order]
        assert found.labels[i].tolist() == labels[order].tolist()
        assert found.distances[i].tolist() == pytest.approx([every[j] for j in order], rel=1e-5)


def test_a_picture_is_at_no_distance_from_itself(
    queries: Tensor, real: tuple[Tensor, Tensor]
) -> None:
    found = nearest_neighbours(queries, streamed(*real, 70), 2)
    assert found.images[-2].tolist() == [36, 120], "of equal pictures the earlier comes first"
    assert found.distances[-2].tolist() == [0, 0]
    assert found.images[-1, 0] == 207
    assert found.distances[-1, 0] == 0


def test_votes_are_shares_of_the_labelled_neighbours() -> None:
    labels = torch.tensor([[1, 1, 0, -1], [2, 2, 2, 2], [-1, -1, -1, -1]])
    votes = Neighbours(torch.zeros(3, 4), torch.zeros(3, 4, dtype=torch.long), labels).votes(3)
    assert votes.tolist() == [[0.25, 0.5, 0], [0, 0, 1], [0, 0, 0]]


def test_too_few_or_unlike_pictures(queries: Tensor, real: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(DataError, match="71 neighbours were asked for among 70"):
        nearest_neighbours(queries, streamed(*real, 20), 71)
    with pytest.raises(DataError, match="1 neighbours were asked for among 0"):
        nearest_neighbours(queries, iter(()), 1)
    with pytest.raises(DataError, match=r"\(2, 6, 4\) cannot be compared.*\(2, 6, 5\)"):
        nearest_neighbours(queries[..., :4], streamed(*real, 20))
