"""Pictures of the data by their index, and what the network makes of them."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from phosphene.atlas import ImageRecord
from phosphene.data import Example, Unreadable, file_name, read
from phosphene.data.dataset import items_of
from phosphene.errors import DataError
from phosphene.study.plan import Study


def picture(study: Study, index: int) -> Tensor:
    """One picture, `c h w`; raises `DataError` if it can no longer be read."""
    return _example(study, index).picture


def image_records(study: Study, indices: Sequence[int]) -> Iterator[ImageRecord]:
    """Records of the pictures of these indices in the data, which go through the network at once.

    Raises `DataError` if one can no longer be read.
    """
    items = _examples(study, indices)
    guesses: Sequence[tuple[float, int] | None] = [None] * len(items)
    if study.network.classifies and items:
        pictures = torch.stack([item.picture for item in items])
        chances, classes = study.network.probabilities(pictures).max(1)
        guesses = list(zip(chances.tolist(), classes.tolist(), strict=True))
    for index, item, guess in zip(indices, items, guesses, strict=True):
        yield ImageRecord(
            index=index,
            label=item.label,
            predicted=None if guess is None else guess[1],
            probability=None if guess is None else guess[0],
            picture=item.picture.numpy(),
        )


def members_of(study: Study, indices: Sequence[int]) -> dict[str, list[int]]:
    """Which labels hold for pictures of which several may, by their index as a text.

    Only data whose first picture has such labels is read again.
    """
    first = read(study.data[0]) if len(indices) else None
    if not (isinstance(first, Example) and first.members is not None):
        return {}
    members = (
        (index, item.members)
        for index, item in zip(indices, _examples(study, indices), strict=True)
    )
    return {
        str(index): held.nonzero().flatten().tolist() for index, held in members if held is not None
    }


def files_of(study: Study, indices: Sequence[int]) -> dict[str, str]:
    """The files of pictures, by their index as a text; none where the data are no files."""
    named = ((index, file_name(study.data, index)) for index in indices)
    return {str(index): name for index, name in named if name is not None}


def _example(study: Study, index: int) -> Example:
    return _readable(study.data[index])


def _examples(study: Study, indices: Sequence[int]) -> list[Example]:
    """Several, which the data may read together."""
    return [_readable(item) for item in items_of(study.data, indices)]


def _readable(found: object) -> Example:
    item = read(found)
    if isinstance(item, Unreadable):
        raise DataError(f"{item.path} could be read before and cannot now: {item.reason}")
    return item
