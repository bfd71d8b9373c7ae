"""A dataset brought to another size and channel count while its items are asked for."""

import torch.nn.functional as F

from phosphene.data.dataset import ArrayDataset, ImageDataset, digest
from phosphene.data.example import Example, Unreadable
from phosphene.errors import DataError


class Fitted(ImageDataset):
    """`dataset` at `size`, stretched bilinearly, its one channel repeated to `channels`.

    Nothing is held in memory beyond `dataset` itself. `note` says what was done; an item raises
    `DataError` when its channels are neither 1 nor `channels`.
    """

    def __init__(self, dataset: ImageDataset, channels: int, size: tuple[int, int]) -> None:
        self.dataset = dataset
        self.channels = channels
        self.size = size
        self.name = dataset.name
        self.classes = dataset.classes
        self.note = f"{dataset.note}, shown as {channels} x {size[0]} x {size[1]}"

    @staticmethod
    def of(dataset: ArrayDataset, channels: int, size: tuple[int, int]) -> ImageDataset:
        """`dataset` itself where its pictures are `channels x size` already."""
        fits = dataset.pictures.shape[1:] == (channels, *size)
        return dataset if fits else Fitted(dataset, channels, size)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Example | Unreadable:
        item = self.dataset[index]
        if isinstance(item, Unreadable):
            return item
        picture = item.picture
        if len(picture) not in (1, self.channels):
            raise DataError(
                f"{self.name!r} has {len(picture)} channels, the network takes {self.channels}; "
                "only grey pictures can be given more channels"
            )
        if tuple(picture.shape[1:]) != self.size:
            # Means of pixels, so still in [0, 1] but for rounding.
            picture = F.interpolate(picture[None], self.size, mode="bilinear", antialias=True)[0]
        return Example(picture.clamp(0, 1).expand(self.channels, -1, -1), item.label)

    def fingerprint(self) -> str:
        """That of `dataset`, with channels and size."""
        return digest(repr((self.dataset.fingerprint(), self.channels, self.size)).encode())
