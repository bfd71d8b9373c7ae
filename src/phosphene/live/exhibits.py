"""What is shown: an atlas under a name of its own, with the network that answers on its bench."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
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
from phosphene.circuits import Baseline
from phosphene.circuits.baseline import baselines_of
from phosphene.errors import AtlasError, NetworkError, PhospheneError
from phosphene.figures.site.folder import slug
from phosphene.figures.site.pages import Pages
from phosphene.figures.site.places import Place
from phosphene.figures.views.atlas import require_begun
from phosphene.live.shelf import Shelf
from phosphene.network import Network
from phosphene.network.turns import turn
from phosphene.probes.subject import InMemory, Subject
from phosphene.study.consent import permit
from phosphene.study.source import Source


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
        with self.shelf.view() as view, blaming_damage(view.atlas):
            yield Pages(view, place)

    @cached_property
    def shelf(self) -> Shelf:
        """What was read of the atlas."""
        return Shelf(self.path)

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
    def absent_layers(self) -> list[str]:
        """The network's layers that the atlas does not have."""
        if self.network is None:
            return []
        with Atlas.open(self.path) as atlas:
            known = {layer.name for layer in atlas.layers()}
        return [name for name in self.network.layers if name not in known]

    def look_again(self) -> None:
        """Forget what was read of the atlas: there is more in it now."""
        for name in ("images", "some", "paper", "_absent"):
            vars(self).pop(name, None)

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

    @property
    def apart(self) -> Network:
        """A copy of the network for long work, so that nobody at the bench waits for its passes.

        The network itself where it cannot be copied. It follows the network's weights.
        """
        network = self.here
        made = vars(self).get("_copy")
        if made is None or made.fingerprint != network.fingerprint:
            try:
                with turn(network.module):
                    made = deepcopy(network)
            except Exception:  # what a module's own parts may raise that were not made for it
                made = network
            vars(self)["_copy"] = made
        return made

    def absent(self, layer: str, zero: bool = False) -> Baseline:
        """What each unit of a layer has where it is removed: its mean over `some`, as in `parts`.

        Zero where that is asked for, or the atlas keeps no pictures.

        Raises:
            UnknownLayerError: there is no such layer.
        """
        given = None if zero else self.some
        key = self.here.layer(layer).name, given is None
        if key not in self._absent:
            self._absent[key] = baselines_of(self.here, [key[0]], None, given)[key[0]]
        return self._absent[key]

    @cached_property
    def _absent(self) -> dict[tuple[str, bool], Baseline]:
        return {}

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


def opened(name: str, path: Path, about: Source, warn: Callable[[str], None]) -> Exhibit:
    """An atlas with the network that `about` makes; without where that cannot be, which is told.

    Nobody is asked for consent later, by what a page asks.

    Raises:
        UnfinishedAtlasError: there is nothing to show yet.
    """
    with Atlas.open(path) as atlas, blaming_damage(atlas):
        require_begun(atlas)
    try:
        network = about.network
    except PhospheneError as error:
        warn(f"{path.name} is shown without its network: {error}")
        return Exhibit(name, path, missing=str(error))
    if about.has_data:
        with suppress(PhospheneError):  # told to whoever asks about them
            _ = about.data
    about.permit = lambda spec, atlas: permit(spec, atlas, trust=False)
    return Exhibit(name, path, network, source=about)


RESERVED = frozenset({"api", "assets", "images", "openapi.json"})
"""First parts of addresses that are no atlas."""
