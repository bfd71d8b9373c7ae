"""One ordered pass over any dataset, in batches, past the files nobody can read."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from phosphene.data.dataset import items_of, length
from phosphene.data.example import Example, Unreadable, read
from phosphene.errors import DataError, UnreadableImageError

SHARD = 4096
"""Items of a dataset that are gathered from alone before they are merged with the others'.

A minute of photographs on a processor, seconds on an accelerator, is what a kill may cost. What is
gathered is kept after each shard and takes up to hundreds of megabytes: not to be done more often.
Sums of floats depend on the cut in their last digits, so it is the same everywhere.
"""


@dataclass(frozen=True)
class Batch:
    """Consecutive items of a dataset, stacked, and those that had to be left out.

    `indices` are positions in the dataset, `labels` classes with -1 for none; `members` says which
    labels hold where several may. When nothing could be read, b is 0 and so are c, h and w.
    """

    indices: Int[Tensor, "b"]
    pictures: Float[Tensor, "b c h w"]
    labels: Int[Tensor, "b"]
    skipped: tuple[Unreadable, ...]
    members: Bool[Tensor, "b classes"] | None = None


def batches(
    dataset: Dataset[Any],
    size: int = 256,
    workers: int = 0,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[Batch]:
    """Stream `dataset` in order, `size` items at a time, in memory that its length does not touch.

    The first item is number `start`; those from `stop` on are left out.

    `workers` processes read ahead (0 reads in this one); the batches are the same for any number.
    An item that is `Unreadable`, or whose reading fails as a damaged file does (`OSError`,
    `UnreadableImageError`), goes to `skipped`. Raises `DataError`, naming the item, for one that
    is no picture in [0, 1], and for two pictures that differ in shape.

    >>> from torch.utils.data import TensorDataset
    >>> pictures = TensorDataset(torch.rand(5, 1, 8, 8))
    >>> [batch.indices.tolist() for batch in batches(pictures, size=2)]
    [[0, 1], [2, 3], [4]]
    """
    if size < 1 or workers < 0 or start < 0:
        raise DataError(
            f"batches of {size} with {workers} workers from item {start} on; "
            "expected size >= 1, workers >= 0, start >= 0"
        )
    count = min(length(dataset), sys.maxsize if stop is None else stop)
    wholes = [range(at, min(at + size, count)) for at in range(start, count, size)]
    # Each "item" the loader sees is a whole batch; a generator of its own keeps it from
    # drawing the workers' seeds from torch's global one.
    loader: DataLoader[Batch | DataError] = DataLoader(
        _Spans(dataset),
        batch_size=None,
        sampler=wholes,
        num_workers=workers,
        generator=torch.Generator(),
    )
    first: Batch | None = None
    for batch in loader:
        if isinstance(batch, DataError):
            raise batch
        if len(batch.indices):
            first = first or batch
            _same_shape(first.indices[0], first.pictures[0], batch.indices[0], batch.pictures[0])
        yield batch


def shards(
    dataset: Dataset[Any],
    size: int = 256,
    workers: int = 0,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[Iterator[Batch]]:
    """The `batches` of `dataset` from `start` to `stop`, cut into shards of about `SHARD` items.

    A shard is as many whole batches as make no more than `SHARD` items, one at least; take all of
    its batches before the next shard.

    >>> from torch.utils.data import TensorDataset
    >>> pictures = TensorDataset(torch.rand(5, 1, 2, 2))
    >>> [[len(batch.indices) for batch in shard] for shard in shards(pictures, size=3)]
    [[3, 2]]
    """
    stream = batches(dataset, size, workers, start, stop)
    for first in stream:
        yield chain([first], islice(stream, shard_length(size) // size - 1))


def shard_length(size: int) -> int:
    """How many items a shard has where batches have `size`."""
    return max(1, SHARD // size) * size


def spans(count: int, size: int = 256, start: int = 0) -> Iterator[range]:
    """Which of `count` items each of the `shards` from item `start` on has.

    >>> list(spans(5, size=2)), list(spans(9000, size=4000, start=4000))
    ([range(0, 5)], [range(4000, 8000), range(8000, 9000)])
    """
    step = shard_length(size)
    return (range(at, min(at + step, count)) for at in range(start, count, step))


class _Spans(Dataset["Batch | DataError"]):
    """Reads a span of indices at once, in whichever process."""

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __getitem__(self, span: range) -> Batch | DataError:
        try:
            return _stack([*zip(span, _items(self.dataset, span), strict=True)])
        except DataError as error:  # raised here, a worker would wrap it in its own traceback
            return error


def _items(dataset: Dataset[Any], span: Sequence[int]) -> list[Example | Unreadable]:
    try:
        found = items_of(dataset, span)
    except (OSError, UnreadableImageError):  # one of them; which is found by asking for each alone
        return [_item(dataset, index) for index in span]
    return [_read(dataset, index, item) for index, item in zip(span, found, strict=True)]


def _item(dataset: Dataset[Any], index: int) -> Example | Unreadable:
    try:
        item = dataset[index]
    except (OSError, UnreadableImageError) as error:
        return Unreadable(f"item {index}", str(error))
    return _read(dataset, index, item)


def _read(dataset: Dataset[Any], index: int, item: object) -> Example | Unreadable:
    try:
        return read(item)
    except DataError as error:
        raise DataError(f"item {index} of {type(dataset).__name__}: {error}") from error


def _stack(items: list[tuple[int, Example | Unreadable]]) -> Batch:
    skipped = tuple(item for _, item in items if isinstance(item, Unreadable))
    read_items = [(index, item) for index, item in items if isinstance(item, Example)]
    for index, example in read_items:
        _same_shape(read_items[0][0], read_items[0][1].picture, index, example.picture)
    pictures = [example.picture for _, example in read_items]
    labels = [-1 if example.label is None else example.label for _, example in read_items]
    return Batch(
        indices=torch.tensor([index for index, _ in read_items], dtype=torch.int64),
        pictures=torch.stack(pictures) if pictures else torch.empty(0, 0, 0, 0),
        labels=torch.tensor(labels, dtype=torch.int64),
        skipped=skipped,
        members=_members(read_items),
    )


def _members(items: list[tuple[int, Example]]) -> Bool[Tensor, "b classes"] | None:
    """Which labels hold for each; none for one that says nothing of them."""
    rows = {index: item.members for index, item in items if item.members is not None}
    if not rows:
        return None
    first, row = next(iter(rows.items()))
    for index, other in rows.items():
        if len(other) != len(row):
            raise DataError(
                f"item {first} has {len(row)} labels that may hold and item {index} {len(other)}; "
                "give a zero or a one for each label, for every picture"
            )
    return torch.stack([rows.get(index, torch.zeros_like(row)) for index, _ in items])


def _same_shape(i: int | Tensor, one: Tensor, j: int | Tensor, other: Tensor) -> None:
    if one.shape != other.shape:
        raise DataError(
            f"item {int(i)} is {_shape(one)} but item {int(j)} is {_shape(other)}; "
            "bring all pictures to one shape (channels x height x width)"
        )


def _shape(picture: Tensor) -> str:
    return " x ".join(str(axis) for axis in picture.shape)
