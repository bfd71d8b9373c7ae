"""Image files, wherever they are kept, decoded when they are asked for."""

from abc import abstractmethod
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from phosphene.data.dataset import ImageDataset
from phosphene.data.example import Example, Unreadable
from phosphene.data.images import decode, default_resize
from phosphene.data.resize import Resize

File = Path | BytesIO | Unreadable
"""An image file, its content, or why there is none."""


class Stored(ImageDataset):
    """Images that are files or the content of files, each made a picture as `read_image` does.

    `targets` are the labels, -1 for none. Several items are read together where that is quicker.
    """

    channels: int
    size: tuple[int, int]
    resize: Resize | None
    targets: Int[ndarray, "n"]
    passed_over: str = ""
    remark: str = ""

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Example | Unreadable:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Example | Unreadable]:
        """Several items, in the order of `indices`."""
        numbers = [range(len(self))[index] for index in indices]
        return [
            self._pictured(number, file)
            for number, file in zip(numbers, self._files(numbers), strict=True)
        ]

    @property
    def labels(self) -> list[int | None]:
        """The label of each, None for none."""
        return [label if label >= 0 else None for label in self.targets.tolist()]

    @property
    def as_read(self) -> tuple[Any, ...]:
        """What else a picture depends on than its file."""
        resize = default_resize(self.size) if self.resize is None else self.resize
        return self.channels, self.size, resize, self.classes

    @abstractmethod
    def _files(self, indices: Sequence[int]) -> list[File]:
        """The files of those items."""

    def _pictured(self, index: int, file: File) -> Example | Unreadable:
        if isinstance(file, Unreadable):
            return file
        answer = decode(file, self.channels, self.size, self.resize, name=self.called(index))
        if isinstance(answer, Unreadable):
            return answer
        label = int(self.targets[index])
        return Example(answer, label if label >= 0 else None)


def unlabelled(count: int) -> Int[ndarray, "count"]:
    """The labels of so many pictures that have none."""
    return np.full(count, -1, np.int64)
