"""The pictures of each step: every epoch in a new order, each picture changed in its own way."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.data import ArrayDataset, Unreadable, read
from phosphene.data.dataset import length
from phosphene.errors import DataError
from phosphene.streams import Streams, derived
from phosphene.training.settings import Training


class Feed:
    """Batches by step; what a step gets depends on the data, the recipe and its number alone.

    Labels are -1 where there is none, which `labelled` refuses.

    Raises:
        DataError: no pictures at all, a picture without a label, a batch nobody can read.
    """

    def __init__(self, dataset: Dataset[Any], recipe: Training, labelled: bool = True) -> None:
        self.dataset, self.recipe, self.labelled = dataset, recipe, labelled
        self.count = length(dataset)
        if self.count == 0:
            raise DataError("training was asked for with no pictures")
        self.steps_per_epoch = recipe.steps_per_epoch(self.count)
        self._epoch = -1
        self._order: list[int] = []

    def batch(self, step: int) -> tuple[Float[Tensor, "b c h w"], Int[Tensor, "b"]]:
        """Pictures and labels of `step`, which counts from 0."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derived(self.recipe.seed, "epoch", epoch))
            self._epoch = epoch
            self._order = torch.randperm(self.count, generator=generator).tolist()
        start = position * self.recipe.batch
        indices, pictures, labels = self._gather(self._order[start : start + self.recipe.batch])
        if self.recipe.augment is not None:
            seed = derived(self.recipe.seed, "augment", step)
            pictures = self.recipe.augment(pictures, Streams.seeded(seed, indices))
        return pictures, labels

    def _gather(self, indices: list[int]) -> tuple[list[int], Tensor, Tensor]:
        if type(self.dataset) is ArrayDataset:  # all at once, where small networks spend their time
            self._check_labels(indices, self.dataset.labels[indices].tolist())
            pictures = self.dataset.pictures[indices].float() / 255
            return indices, pictures, self.dataset.labels[indices]
        items = [(index, read(self.dataset[index])) for index in indices]
        examples = [(i, item) for i, item in items if not isinstance(item, Unreadable)]
        if not examples:
            raise DataError(f"none of the pictures {indices[:5]}… can be read")
        labels = [-1 if e.label is None else e.label for _, e in examples]
        found = [index for index, _ in examples]
        self._check_labels(found, labels)
        return found, torch.stack([e.picture for _, e in examples]), torch.tensor(labels)

    def _check_labels(self, indices: list[int], labels: list[int]) -> None:
        for index, label in zip(indices, labels, strict=True):
            if self.labelled and label < 0:
                raise DataError(f"picture {index} has no label; training needs one for each")
