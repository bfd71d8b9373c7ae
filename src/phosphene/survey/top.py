"""The k pictures that excite each unit most, kept while the data streams past."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.survey.reading import Responses


class TopExamples:
    """For every unit the k strongest pictures: response, dataset index and position.

    Memory is units times k. Of equal responses the earlier picture comes first, whatever the
    size of the batches.
    """

    def __init__(self, units: int, k: int) -> None:
        self.k = k
        self.values = torch.empty(units, 0)
        self.images = torch.empty(units, 0, dtype=torch.long)
        self.places = torch.empty(units, 0, dtype=torch.long)

    def add(self, found: Responses, images: Int[Tensor, "b"]) -> None:
        """Take in a batch whose pictures have the dataset indices `images`."""
        known, fresh = self.values.shape[1], found.values.T.float().cpu()
        values = torch.cat([self.values, fresh], dim=1)
        order = values.sort(dim=1, descending=True, stable=True).indices[:, : self.k]
        self.values = values.gather(1, order)
        every = images.expand(len(fresh), -1)
        self.images = torch.cat([self.images, every], dim=1).gather(1, order)
        self.places = torch.cat([self.places, torch.zeros_like(every)], dim=1).gather(1, order)
        units, ranks = (order >= known).nonzero(as_tuple=True)
        self.places[units, ranks] = found.places(order[units, ranks] - known, units).cpu()

    @property
    def strongest(self) -> Float[Tensor, "units"]:
        """The largest response of each unit."""
        return self.values[:, 0]
