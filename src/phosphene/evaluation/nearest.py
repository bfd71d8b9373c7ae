"""How close pictures come to real ones: their nearest neighbours in the data."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.data import Batch, batches
from phosphene.errors import DataError


@dataclass(frozen=True)
class Neighbours:
    """The k real pictures nearest to each picture, nearest first, by Euclidean pixel distance.

    `labels` are -1 where the data has none.
    """

    distances: Float[Tensor, "b k"]
    images: Int[Tensor, "b k"]
    labels: Int[Tensor, "b k"]

    def votes(self, classes: int) -> Float[Tensor, "b classes"]:
        """The share of neighbours that are of each class."""
        known = self.labels.clamp_min(0)
        shares = torch.zeros(len(known), classes)
        shares.scatter_add_(1, known, (self.labels >= 0).float())
        return shares / self.labels.shape[1]


def nearest_neighbours(
    pictures: Float[Tensor, "b c h w"] | Float[Tensor, "c h w"],
    real: Dataset[Any] | Iterable[Batch],
    k: int = 5,
) -> Neighbours:
    """Find the neighbours of `pictures` in one pass over `real`, in memory b times k.

    `real` is a dataset, or its batches as `phosphene.data.batches` makes them.

    Raises:
        DataError: fewer than k real pictures, or pictures of another size.
    """
    pictures = pictures[None] if pictures.ndim == 3 else pictures
    real = batches(real) if isinstance(real, Dataset) else real
    flat = pictures.flatten(1)
    distances = torch.empty(len(flat), 0)
    images = torch.empty(len(flat), 0, dtype=torch.long)
    labels = torch.empty(len(flat), 0, dtype=torch.long)
    for batch in real:
        if len(batch.indices) == 0:
            continue
        if batch.pictures.shape[1:] != pictures.shape[1:]:
            raise DataError(
                f"pictures of {tuple(pictures.shape[1:])} cannot be compared with real ones of "
                f"{tuple(batch.pictures.shape[1:])}; fit the data to the network's input"
            )
        # The faster way by matrix products finds a picture at some distance from itself.
        near = torch.cdist(
            flat, batch.pictures.flatten(1), compute_mode="donot_use_mm_for_euclid_dist"
        )
        distances = torch.cat([distances, near], dim=1)
        order = distances.sort(dim=1, stable=True).indices[:, :k]
        distances = distances.gather(1, order)
        images = torch.cat([images, batch.indices.expand(len(flat), -1)], 1).gather(1, order)
        labels = torch.cat([labels, batch.labels.expand(len(flat), -1)], 1).gather(1, order)
    if distances.shape[1] < k:
        raise DataError(f"{k} neighbours were asked for among {distances.shape[1]} real pictures")
    return Neighbours(distances, images, labels)
