"""Passes over a module that is known: pictures in, the values at some sites out."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.errors import NetworkError, PhospheneError, SizeError
from phosphene.network.discovery.failures import no_gradient, runs_without_gradient
from phosphene.network.discovery.layers import Layer
from phosphene.network.discovery.trial import Trial, trial_pictures
from phosphene.network.feed import shown
from phosphene.network.freezing import frozen, steady
from phosphene.network.inputs import Input
from phosphene.network.layouts import unit_axis
from phosphene.network.look import inputs_for, place_of
from phosphene.network.pointwise import quick
from phosphene.network.precision import Lowered, single
from phosphene.network.settings import kept_settings
from phosphene.network.sites import Site


@dataclass(frozen=True)
class Passes:
    """How pictures are shown to one module, as its `trial` showed."""

    module: nn.Module
    input: Input
    name: str
    order: torch.memory_format
    trial: Trial

    def inputs(self, pictures: Tensor) -> Tensor:
        """What the module itself is given."""
        return inputs_for(self.module, self.input, pictures, self.order)

    def run(self, pictures: Tensor, lowered: Lowered | None = None) -> Any:
        """What the module gives back."""
        inputs = self.inputs(pictures)
        if lowered is not None:
            return lowered.run(inputs)
        with quick(self.module, inputs):
            return self.module(inputs)

    def run_once(self, lowered: Lowered | None = None) -> None:
        """Run on pictures of its own size, as many as it takes at once."""
        some = trial_pictures(self.input.shape).to(place_of(self.module))
        with torch.no_grad(), frozen(self.module):
            for part, _ in self.trial.feed.parts(some):
                self.run(part, lowered)

    def values(
        self,
        pictures: Tensor,
        sites: Mapping[str, Site],
        *,
        stop: bool = True,
        rows: int | None = None,
        aside: bool = False,
        lowered: Lowered | None = None,
    ) -> dict[str, Tensor]:
        """The values at `sites`, by the names given to them; `stop` after the deepest.

        They have a row for each picture, or so many `rows` where an edit makes others of them.
        Where they are put `aside`, the module goes on with its own values and not with these.
        Of a pass that is `lowered` they are float32 all the same.

        Raises:
            SizeError: the module does not take pictures of this size.
            NetworkError: a site is not reached, or the module does not run with gradients.
        """
        own = pictures.shape[2:] == self.input.size
        keep = steady(self.module) if self.trial.moves else nullcontext()
        with frozen(self.module), keep:
            try:
                with nullcontext() if own else kept_settings(self.module):
                    found = shown(
                        self.module,
                        self.trial.feed,
                        pictures,
                        list(sites.values()),
                        partial(self.run, lowered=lowered),
                        stop=stop,
                        take=torch.clone if aside else None,
                    )
            except (torch.OutOfMemoryError, PhospheneError):
                raise
            except Exception as error:
                self._explain(error, pictures)
                raise
        self._check(found, sites, pictures, rows or len(pictures))
        return {name: single(found[site.name], lowered) for name, site in sites.items()}

    @torch.no_grad()
    def at(self, layer: Layer, pictures: Tensor) -> Tensor:
        """The values of one layer."""
        pictures = pictures.to(place_of(self.module))
        return self.values(pictures, {layer.name: layer.site})[layer.name]

    def reach(self, layer: Layer, size: tuple[int, int]) -> bool:
        """Whether pictures of `size` (h, w) reach `layer` and give it values for all its units."""
        picture = torch.zeros(1, self.input.channels, *size, device=place_of(self.module))
        try:
            values = self.at(layer, picture)
        except (SizeError, NetworkError):
            return False
        axes = 1 + len(layer.shape)
        return values.ndim == axes and values.shape[unit_axis(axes)] == layer.units

    def _check(
        self, found: Mapping[str, Tensor], sites: Mapping[str, Site], pictures: Tensor, rows: int
    ) -> None:
        """Refuse values that are not there, or have no row for each picture."""
        missing = {site.name for site in sites.values()} - set(found)
        if missing:
            raise NetworkError(f"layers {sorted(missing)} were not reached on this input")
        uneven = sorted(name for name, value in found.items() if len(value) != rows)
        if uneven and pictures.shape[2:] != self.input.size:  # on its own size an edit may do it
            raise SizeError(
                f"on pictures of {pictures.shape[2]} x {pictures.shape[3]} layers {uneven} of "
                f"{self.name} have no row for each picture, as where they are cut into windows; "
                f"give pictures of its own size {self.input.size[0]} x {self.input.size[1]}"
            )

    def _explain(self, error: Exception, pictures: Tensor) -> None:
        """Raise what the cause of a failure is, where it can be told."""
        if (
            torch.is_grad_enabled()
            and pictures.requires_grad
            and runs_without_gradient(self.module, self.inputs(pictures), error)
        ):
            raise NetworkError(no_gradient(self.name, error)) from error
        if pictures.shape[2:] != self.input.size:
            given = f"{pictures.shape[2]} x {pictures.shape[3]}"
            raise SizeError(
                f"pictures of {given} were given to {self.name}, which takes "
                f"{self.input.size[0]} x {self.input.size[1]} and cannot run on {given} "
                f"({error}). Resize the pictures"
            ) from error
