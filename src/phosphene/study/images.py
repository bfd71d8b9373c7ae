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
    item = read(study.data[index])
    if isinstance(item, Unreadable):
        raise DataError(f"{item.path} could be read before and cannot now: {item.reason}")
    return item.picture


def image_records(study: Study, pictures: dict[int, Tensor]) -> Iterator[ImageRecord]:
    """Records of `pictures`, given by their index in the data."""
    indices = sorted(pictures)
    for start in range(0, len(indices), study.settings.batch):
        some = indices[start : start + study.settings.batch]
        guesses: Sequence[tuple[float, int] | None] = [None] * len(some)
        if study.network.classifies:
            chances, classes = study.network.probabilities(
                torch.stack([pictures[i] for i in some])
            ).max(1)
            guesses = list(zip(chances.tolist(), classes.tolist(), strict=True))
        for index, guess in zip(some, guesses, strict=True):
            item = read(study.data[index])
            assert isinstance(item, Example)
            yield ImageRecord(
                index=index,
                label=item.label,
                predicted=None if guess is None else guess[1],
                probability=None if guess is None else guess[0],
                picture=pictures[index].numpy(),
            )
