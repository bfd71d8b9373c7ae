"""What is shown: an atlas under a name of its own, with the network that answers on its bench."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from phosphene.atlas import Atlas, blaming_damage
from phosphene.canvas import Spectrum
from phosphene.errors import AtlasError, NetworkError
from phosphene.figures.site.folder import slug
from phosphene.figures.site.pages import Pages
from phosphene.figures.site.places import Place
from phosphene.figures.views.atlas import AtlasView
from phosphene.network import Network
from phosphene.probes.subject import InMemory, Subject


class UnknownImageError(AtlasError):
    """The atlas keeps no such image."""


class AbsentError(NetworkError):
    """The network of the atlas is not here."""


_SOME = 64
"""Images for means."""

_BORDERS = 32
"""Images whose borders tell what a sheet of paper looks like."""


@dataclass(frozen=True, eq=False)
class Exhibit:
    """An atlas that is shown.

    Args:
        name: what stands in addresses.
        path: its file.
        network: what answers on the bench; None where it is not there.
        missing: why it is not, and what to do about it.
        source: the network with its data, for questions; the network alone where it is not given.
    """

    name: str
    path: Path
    network: Network | None = None
    missing: str = ""
    source: Subject | None = None

    @cached_property
    def subject(self) -> Subject:
        """What questions are put to; raises `AbsentError` where the network is not there."""
        network = self.here
        return self.source or InMemory(network)

    @contextmanager
    def pages(self, place: Place) -> Iterator[Pages]:
        """The pages of the atlas, as far as it has come."""
        with Atlas.open(self.path) as atlas, blaming_damage(atlas):
            yield Pages(AtlasView(atlas), place)

    @cached_property
    def paper(self) -> float:
        """The tone that most pictures have at their border, 0 to 1: what one draws on."""
        with Atlas.open(self.path) as atlas:
            borders = [
                np.concatenate([picture[:, 0].ravel(), picture[:, -1].ravel()])
                for _, picture in self._readable(atlas, sorted(atlas.kept())[:_BORDERS])
            ]
        return float(np.median(np.concatenate(borders))) if borders else 0.0

    @cached_property
    def images(self) -> tuple[int, ...]:
        """The numbers of the images that the atlas keeps."""
        with Atlas.open(self.path) as atlas:
            return tuple(sorted(atlas.kept()))

    @property
    def here(self) -> Network:
        """The network; raises `AbsentError` with what to do where it is not there."""
        if self.network is None:
            raise AbsentError(self.missing)
        return self.network

    @cached_property
    def some(self) -> Float[Tensor, "n c h w"] | None:
        """Some images that the atlas keeps, for means; None where it keeps none."""
        numbers = self.images[:: max(1, len(self.images) // _SOME)][:_SOME]
        return torch.stack([self.picture(number) for number in numbers]) if numbers else None

    @cached_property
    def spectrum(self) -> Spectrum | None:
        """The spectrum of the data, on which pictures are drawn; None where it was not measured."""
        with Atlas.open(self.path) as atlas:
            try:
                return Spectrum.from_arrays(atlas.arrays("spectrum"))
            except (AtlasError, KeyError):
                return None

    def picture(self, number: int) -> Float[Tensor, "c h w"]:
        """An image that the atlas keeps.

        Raises:
            UnknownImageError: it keeps none of that number.
            DamagedError: it is damaged.
        """
        if number not in self.images:
            raise UnknownImageError(
                f"{self.path.name} keeps no image {number}; it keeps {len(self.images):,}, such as "
                f"{', '.join(map(str, self.images[:3]))}"
            )
        with Atlas.open(self.path) as atlas:
            return torch.from_numpy(atlas.image(number).picture).float()

    def pictures(self, numbers: Iterable[int]) -> dict[int, Float[Tensor, "c h w"]]:
        """Images that the atlas keeps, by their numbers; what is damaged is left out."""
        with Atlas.open(self.path) as atlas:
            return {
                number: torch.from_numpy(picture).float()
                for number, picture in self._readable(atlas, numbers)
            }

    @staticmethod
    def _readable(atlas: Atlas, numbers: Iterable[int]) -> Iterator[tuple[int, ndarray]]:
        for number in numbers:
            try:
                yield number, atlas.image(number).picture
            except AtlasError:
                continue


def named(paths: Iterable[Path]) -> dict[str, Path]:
    """Atlases by names that are safe in addresses, the file's own where it is."""
    found: dict[str, Path] = {}
    for path in paths:
        name, number = slug(path.stem), 1
        while name in found or name in RESERVED:
            number += 1
            name = f"{slug(path.stem)}-{number}"
        found[name] = path
    return found


RESERVED = frozenset({"api", "assets", "images", "openapi.json"})
"""First parts of addresses that are no atlas."""
