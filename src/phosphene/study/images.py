"""Pictures of the data by their index, and what the network makes of them."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from phosphene.atlas import ImageRecord
from phosphene.data import Example, Unreadable, read
from phosphene.errors import DataError
from phosphene.study.plan import Study


def picture(study: Study, index: int) -> Tensor:
    """One picture, `c h w`; raises `DataError` if it can no longer be read."""
    return _example(study, index).picture


def image_records(study: Study, indices: Sequence[int]) -> Iterator[ImageRecord]:
    """Records of the pictures of these indices in the data, which go through the network at once.

    Raises `DataError` if one can no longer be read.
    """
    items = [_example(study, index) for index in indices]
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
    items = {index: _example(study, index).members for index in indices}
    return {
        str(index): members.nonzero().flatten().tolist()
        for index, members in items.items()
        if members is not None
    }


def files_of(study: Study, indices: Sequence[int]) -> dict[str, str]:
    """The files of pictures, by their index as a text; none where the data are no files."""
    called = getattr(study.data, "called", None)
    return {} if called is None else {str(index): str(called(index)) for index in indices}


def _example(study: Study, index: int) -> Example:
    item = read(study.data[index])
    if isinstance(item, Unreadable):
        raise DataError(f"{item.path} could be read before and cannot now: {item.reason}")
    return item
