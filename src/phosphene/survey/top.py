"""The k pictures that excite each unit most, kept while the data streams past."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.survey.accumulator import Accumulator
from phosphene.survey.reading import Responses


class TopExamples(Accumulator):
    """For every unit the k strongest pictures: response, dataset index and position.

    Memory is units times k. Of equal responses the earlier picture comes first, in whatever
    batches and in whatever order they came.
    """

    gathered = ("values", "images", "places")

    def __init__(self, units: int, k: int) -> None:
        self.k = k
        self.values = torch.empty(units, 0)
        self.images = torch.empty(units, 0, dtype=torch.long)
        self.places = torch.empty(units, 0, dtype=torch.long)

    @property
    def asked(self) -> dict[str, int]:
        """Of how many units, and how many pictures of each."""
        return {"units": len(self.values), "k": self.k}

    def add(self, found: Responses, images: Int[Tensor, "b"]) -> None:
        """Take in a batch whose pictures have the dataset indices `images`, rising."""
        known, fresh = self.values.shape[1], found.values.T.float().cpu()
        values, pictures = fresh.sort(dim=1, descending=True, stable=True)
        values, pictures = values[:, : self.k], pictures[:, : self.k]
        order = self._take(values, images[pictures], torch.zeros_like(pictures))
        units, ranks = (order >= known).nonzero(as_tuple=True)  # few: places take long to find
        chosen = pictures[units, order[units, ranks] - known]
        self.places[units, ranks] = found.places(chosen, units).cpu()

    def _join(self, other: Any) -> None:
        self._take(other.values, other.images, other.places)

    def _take(
        self,
        values: Float[Tensor, "units n"],
        images: Int[Tensor, "units n"],
        places: Int[Tensor, "units n"],
    ) -> Int[Tensor, "units kept"]:
        """Keep the strongest of these and those before; which they were, in their order."""
        values = torch.cat([self.values, values], dim=1)
        images = torch.cat([self.images, images], dim=1)
        earlier = images.argsort(dim=1)
        strongest = values.gather(1, earlier).argsort(dim=1, descending=True, stable=True)
        order = earlier.gather(1, strongest[:, : self.k])
        self.values, self.images = values.gather(1, order), images.gather(1, order)
        self.places = torch.cat([self.places, places], dim=1).gather(1, order)
        return order

    @property
    def strongest(self) -> Float[Tensor, "units"]:
        """The largest response of each unit."""
        return self.values[:, 0]
