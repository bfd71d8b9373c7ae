"""The stream equals plain indexing, whatever the batch size, the workers and the damaged items."""

import pickle
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from phosphene.data import Unreadable, batches
from phosphene.errors import DataError


class Damaged(Dataset[Any]):
    """Twelve pictures; every third cannot be read, in one of two ways."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> Any:
        if index % 6 == 2:
            return Unreadable(f"{index}.jpg", "cut short")
        if index % 6 == 5:
            raise OSError("image file is truncated")
        return torch.full((3, 2, 2), index / 12), index % 4


class Growing(Dataset[Any]):
    """The last of six pictures is larger."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        return torch.zeros(1, 2, 3 if index == 5 else 2)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("size", [1, 5, 12, 100])
def test_stream_is_the_dataset_in_order(size: int, workers: int) -> None:
    indices, values, labels, skipped = [], [], [], []
    for batch in batches(Damaged(), size=size, workers=workers):
        assert len(batch.indices) == len(batch.pictures) == len(batch.labels)
        assert len(batch.indices) + len(batch.skipped) <= size
        indices += batch.indices.tolist()
        values += batch.pictures[:, 0, 0, 0].tolist() if len(batch.indices) else []
        labels += batch.labels.tolist()
        skipped += batch.skipped
    kept = [0, 1, 3, 4, 6, 7, 9, 10]
    assert indices == kept
    assert values == pytest.approx([index / 12 for index in kept])
    assert labels == [index % 4 for index in kept]
    assert skipped == [
        Unreadable("2.jpg", "cut short"),
        Unreadable("item 5", "image file is truncated"),
        Unreadable("8.jpg", "cut short"),
        Unreadable("item 11", "image file is truncated"),
    ]


def test_batch_with_nothing_readable_is_still_told() -> None:
    (batch,) = batches(Subset(Damaged(), [2, 5]))
    assert batch.indices.shape == batch.labels.shape == (0,)
    assert batch.pictures.shape == (0, 0, 0, 0)
    assert len(batch.skipped) == 2


def test_empty_dataset_has_no_batches() -> None:
    assert list(batches(TensorDataset(torch.zeros(0, 1, 2, 2)))) == []


def test_missing_labels_are_minus_one() -> None:
    (batch,) = batches(TensorDataset(torch.rand(3, 1, 2, 2)))
    assert batch.labels.tolist() == [-1, -1, -1]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("size", [1, 4, 6])
def test_two_shapes_are_refused_by_index(size: int, workers: int) -> None:
    with pytest.raises(DataError, match=r"^item \d is 1 x 2 x 2 but item 5 is 1 x 2 x 3"):
        list(batches(Growing(), size=size, workers=workers))


@pytest.mark.parametrize("workers", [0, 1])
def test_normalised_pictures_are_refused_by_index(workers: int) -> None:
    pictures = torch.rand(9, 1, 2, 2)
    pictures[7] = -2
    message = r"^item 7 of TensorDataset: .*the Network normalises$"
    with pytest.raises(DataError, match=message):
        list(batches(TensorDataset(pictures), size=2, workers=workers))


@pytest.mark.later
def test_global_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    list(batches(Damaged(), workers=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_cross_process_borders() -> None:
    (batch,) = batches(Damaged())
    again = pickle.loads(pickle.dumps(batch))
    assert torch.equal(again.pictures, batch.pictures)
    assert again.skipped == batch.skipped


def test_unusable_arguments_are_refused() -> None:
    class Endless(IterableDataset[Any]):
        def __iter__(self) -> Any:
            yield torch.zeros(1, 2, 2)

    with pytest.raises(DataError, match="Endless has no length"):
        list(batches(Endless()))
    with pytest.raises(DataError, match="batches of 0"):
        list(batches(Damaged(), size=0))
