"""Datasets that can say what they are: a name, classes, a note and a fingerprint of the content."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence, Sized
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.data.example import Example, Unreadable, read
from phosphene.errors import DataError, nearest
from phosphene.words import plural

SAMPLED = 32
"""How many items stand for a dataset that has no fingerprint of its own."""


class ImageDataset(Dataset[Example | Unreadable], ABC):
    """A map-style dataset of pictures that carries its own description.

    `name` is short and names the split; `classes` are the labels' names and may be empty; `note`
    says in a line what the pictures are and what was done to them.
    """

    name: str
    classes: tuple[str, ...]
    note: str

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Example | Unreadable: ...

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash that changes when the pictures or their labels do."""

    def called(self, index: int) -> str:
        """What to call an item: its file, where it has one, else its number."""
        return f"picture {index}"

    def file(self, index: int) -> str | None:
        """The name of an item's file within the data; None where it has none of its own."""
        return None

    def __repr__(self) -> str:
        classes = f" of {plural(len(self.classes), 'class', 'classes')}" if self.classes else ""
        return f"<{type(self).__name__} {self.name}: {plural(len(self), 'picture')}{classes}>"


class ArrayDataset(ImageDataset):
    """Pictures held in memory as uint8 `n c h w`, with labels `n` (-1 for none).

    Raises `DataError` when pictures and labels differ in number, or a label has no class.

    >>> two = ArrayDataset(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1]),
    ...                    name="pair", classes=["dark", "light"])
    >>> two[1].label, two.subset(["light"])[0].label
    (1, 0)
    """

    def __init__(
        self,
        pictures: UInt8[Tensor, "n c h w"],
        labels: Int[Tensor, "m"] | None = None,
        *,
        name: str,
        classes: Sequence[str] = (),
        note: str = "",
    ) -> None:
        if labels is None:
            labels = torch.full((len(pictures),), -1)
        if len(labels) != len(pictures):
            raise DataError(f"{len(pictures)} pictures but {len(labels)} labels in {name!r}")
        if classes and len(labels) and int(labels.max()) >= len(classes):
            raise DataError(
                f"label {int(labels.max())} in {name!r}, which has {len(classes)} classes "
                f"(labels 0 to {len(classes) - 1})"
            )
        self.pictures = pictures
        self.labels = labels.to(torch.int64)
        self.name = name
        self.classes = tuple(classes)
        self.note = note

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Example:
        label = int(self.labels[index])
        return Example(self.pictures[index].float() / 255, label if label >= 0 else None)

    def subset(self, classes: Sequence[str]) -> "ArrayDataset":
        """Only the pictures of the named `classes`, relabelled 0, 1, … in the order given.

        Raises `DataError` for a class that is not there, or named twice.
        """
        for name in classes:
            if name not in self.classes:
                raise DataError(
                    f"no class {name!r} in {self.name!r}; {nearest(name, self.classes)}"
                )
        if len(set(classes)) < len(classes):
            raise DataError(f"a class is named twice in {list(classes)}; name each once")
        olds = torch.tensor([self.classes.index(name) for name in classes], dtype=torch.int64)
        chosen = torch.isin(self.labels, olds).nonzero()[:, 0]
        news = (self.labels[chosen, None] == olds).int().argmax(dim=1)
        return ArrayDataset(
            self.pictures[chosen],
            news,
            name=f"{self.name}, classes {' '.join(classes)}",
            classes=classes,
            note=self.note,
        )

    def take(self, chosen: slice | Sequence[int] | Int[Tensor, "k"]) -> "ArrayDataset":
        """Only the pictures at `chosen`: a slice, or positions in the order wanted."""
        index = chosen if isinstance(chosen, slice) else torch.as_tensor(chosen, dtype=torch.int64)
        pictures = self.pictures[index]
        return ArrayDataset(
            pictures,
            self.labels[index],
            name=f"{self.name}, {len(pictures):,} of {len(self):,}",
            classes=self.classes,
            note=self.note,
        )

    def fingerprint(self) -> str:
        """BLAKE2 of the shape, the pixels, the labels and the classes' names."""
        return digest(
            repr((tuple(self.pictures.shape), self.classes)).encode(),
            self.pictures,
            self.labels,
        )


def digest(*parts: bytes | Tensor) -> str:
    """BLAKE2 of the parts one after another, as 32 hexadecimal characters."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        hashed.update(part.contiguous().numpy().data if isinstance(part, Tensor) else part)
    return hashed.hexdigest()


def length(dataset: Dataset[Any]) -> int:
    """How many items a map-style dataset has; `DataError` for one that can only be iterated."""
    if not isinstance(dataset, Sized):
        raise DataError(
            f"{type(dataset).__name__} has no length; pass a map-style dataset, "
            "one with __len__ and __getitem__"
        )
    return len(dataset)


def items_of(dataset: Dataset[Any], indices: Sequence[int]) -> list[Any]:
    """Several items: read together where `dataset` can, by PyTorch's own `__getitems__`."""
    together = getattr(dataset, "__getitems__", None)
    if callable(together):
        found = together([*indices])
        if isinstance(found, list) and len(found) == len(indices):
            return found
    return [dataset[index] for index in indices]


def fingerprint(dataset: Dataset[Any]) -> str:
    """A hash of what `dataset` holds: its own if it has one, else a sample's.

    The sample is the type's name, the length and 32 items spread evenly over the dataset, so a
    dataset that augments at random has no stable fingerprint.

    >>> from torch.utils.data import TensorDataset
    >>> a, b = TensorDataset(torch.zeros(2, 1, 4, 4)), TensorDataset(torch.ones(2, 1, 4, 4))
    >>> fingerprint(a) == fingerprint(a), fingerprint(a) == fingerprint(b)
    (True, False)
    """
    own = getattr(dataset, "fingerprint", None)
    if callable(own):
        return str(own())
    count = length(dataset)
    kind = type(dataset)
    parts: list[bytes | Tensor] = [f"{kind.__qualname__}/{count}".encode()]
    for index in np.unique(np.linspace(0, count - 1, min(SAMPLED, count)).round().astype(int)):
        item = read(dataset[int(index)])
        if isinstance(item, Unreadable):
            parts.append(b"unreadable")
        else:
            parts.append(repr((tuple(item.picture.shape), item.label)).encode())
            parts.append(item.picture)
            if item.members is not None:
                parts.append(item.members)
    return digest(*parts)
