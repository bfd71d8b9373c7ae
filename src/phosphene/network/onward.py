"""What later layers of a network make of an earlier one's values, and what is inside of a unit."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.naming import listed
from phosphene.network.edges import feeds_of
from phosphene.network.feed import ANY
from phosphene.network.fields.between import Between, between_for
from phosphene.network.fields.rows import below, first_linear
from phosphene.network.fields.sight import Sight
from phosphene.network.layouts import Grid
from phosphene.network.recorded import Recording
from phosphene.network.rectified import before_rectifier
from phosphene.network.tapping import watched
from phosphene.units import Unit


class Onward(Sight):
    """The part of a `Network` that goes on from given values, by windows where it can."""

    _between: dict[tuple[str, str], Between | None]
    _before: dict[str, dict[int, Unit] | None]

    @property
    def feeds(self) -> dict[str, tuple[str, ...]]:
        """For each layer the names of those whose values flow into it with no other between them.

        Of a module that holds others, its last one feeds it, and it feeds what comes after.
        """
        return feeds_of(self.layers, self._known.trial.found.sources)

    def onward(
        self,
        layer: str,
        values: Float[Tensor, "n ..."],
        layers: str | Collection[str],
        size: tuple[int, int] | None = None,
    ) -> Recording:
        """What `layers` answer where `layer` has these values, n variants of them.

        The pass begins with one black picture of `size`, or of the network's own, so that the rest
        comes from the values alone; where a connection leads around the layer, it does not fit.
        """
        black = torch.zeros(1, self.input.channels, *(size or self.input.size)).to(self.device)
        sites = {name: self.layer(name).site for name in listed(layers)}
        site = self.layer(layer).site

        def put(path: str, call: int, output: Any, picture: Grid) -> Any:
            return site.write(output, values) if site.call in {None, call} else None

        with watched(self.module, [site.path], put):
            return Recording(black, self._passes.values(black, sites, rows=len(values)))

    @torch.no_grad()
    def between(self, source: str, target: str) -> Between | None:
        """What places of layer `target` see of the map of `source`; None where they take it whole.

        That is so if they see about all of it, if a connection leads around the source, and if
        trial shows that they answer to their windows in another way.
        """
        ends = self.layer(source), self.layer(target)
        key = (ends[0].name, ends[1].name)
        if key not in self._between:
            cuts = all(end.spatial for end in ends) and self.feed == ANY
            self._between[key] = self._windows(*key) if cuts else None
        return self._between[key]

    def _windows(self, source: str, target: str) -> Between | None:
        noise = self._noise(2)
        found = self._answers(noise, [source, target])

        def onward(values: Tensor, size: tuple[int, int]) -> Tensor:
            return self.onward(source, values, [target], size)[target]

        height, width = self.input.size
        sizes = [(-(-height // part), -(-width // part)) for part in (16, 8, 4, 2, 1)]
        taken = [size for size in sizes if self.takes(size, target)]
        between = between_for(onward, taken, found[source], found[target])
        if between is None:
            return None
        return replace(between, linear=self._linear(source, target, between, found[source][:1]))

    def _linear(
        self, source: str, target: str, between: Between, values: Float[Tensor, "1 c h w"]
    ) -> str | None:
        pieces, layers = between.pieces, list(below(target, source, self.feeds))
        row, column = len(pieces.rows) // 2, len(pieces.columns) // 2
        y, x = pieces.rows[row][1], pieces.columns[column][1]

        def leads(layer: str, some: Tensor) -> Tensor:
            return self.onward(layer, some, [target], between.size)[target][:, :, y, x].sum(1)

        window = values[:, :, *pieces.box(row, column)]
        rest = [name for name in layers if name != source]
        ways = self.onward(source, window, rest, between.size) if rest else {}
        return first_linear(leads, layers, {source: window, **ways})

    def before_rectifier(self, unit: Unit) -> Unit | None:
        """The unit whose rectified value `unit` is, bit by bit in a trial; itself if it is none.

        None where its layer answers nothing below zero and no such unit is found: a rectifier, or
        what else has no negative values, whose inside is no layer.
        """
        layer = self.layer(unit.layer)
        if layer.name not in self._before:
            noise, ends = self._noise(2), torch.tensor([0.0, 1.0])  # with black and white
            shown = torch.cat([noise, ends.view(2, 1, 1, 1).expand_as(noise)])
            with torch.no_grad():
                self._before[layer.name] = before_rectifier(
                    layer, self.layers, self.feeds, lambda names: self._answers(shown, names)
                )
        found = self._before[layer.name]
        if found is None:
            return unit
        inside = found.get(unit.index)
        return None if inside is None else replace(unit, layer=inside.layer, index=inside.index)

    def _answers(self, pictures: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        return self._passes.values(
            pictures.to(self.device), {name: self.layer(name).site for name in layers}
        )

    def _noise(self, count: int) -> Float[Tensor, "b c h w"]:
        return torch.rand(count, *self.input.shape, generator=torch.Generator().manual_seed(0))
