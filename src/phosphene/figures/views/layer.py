"""One layer of an atlas, with what its page and those of its units have in common."""

from functools import cached_property

import numpy as np
from numpy import ndarray

from phosphene.atlas import ExampleRecord, LayerRecord, PictureRecord, UnitRecord
from phosphene.figures.ink.palette import signed_to_rgba
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.drawings import Drawing, drawing, telling
from phosphene.figures.views.patches import Seen, seen
from phosphene.figures.views.rules import GUIDED, UNTOLD, MapRule
from phosphene.figures.views.weights import as_picture, kernels
from phosphene.shapes import Float, UInt8


class LayerView:
    """A layer of an atlas, read as far as it is asked for and kept while it is looked at."""

    @classmethod
    def of(cls, view: AtlasView, record: LayerRecord) -> "LayerView":
        """That of a layer, which is kept while the atlas is looked at."""
        found = view.kept.setdefault(record.name, cls(view, record))
        assert isinstance(found, cls)
        return found

    def __init__(self, view: AtlasView, record: LayerRecord) -> None:
        self.view, self.record, self.name = view, record, record.name

    @cached_property
    def units(self) -> tuple[UnitRecord, ...]:
        """The statistics of all units."""
        return self.view.atlas.units(self.name)

    @cached_property
    def examined(self) -> frozenset[int]:
        """The numbers of the units that have more to show than statistics."""
        return self.view.atlas.examined(self.name)

    @cached_property
    def shown(self) -> list[UnitRecord]:
        """The units that have more to show than statistics."""
        return [record for record in self.units if record.unit in self.examined]

    @cached_property
    def limit(self) -> float:
        """The largest magnitude among the weights of all units."""
        known = [u.weights for u in self.units if u.weights is not None]
        return max((float(np.abs(weights).max()) for weights in known), default=0.0)

    @cached_property
    def kinds(self) -> list[tuple[str, str]]:
        """The kinds of synthetic pictures, those that tell most first."""
        return telling(self.view.atlas.pictures(self.name))

    def unit_name(self, unit: int) -> str:
        """What people call a unit."""
        return self.view.names.unit(self.record, unit)

    def examples(self, unit: int) -> tuple[ExampleRecord, ...]:
        """The real images that excite a unit most, strongest first."""
        return self.view.atlas.examples(self.name, unit)

    def seen(self, unit: int) -> Seen:
        """What the real images that excite a unit most showed it."""
        found = seen(self.view, self.examples(unit))
        return Seen(found.patches, [*self.lost(unit, "examples"), *found.lost])

    def lost(self, unit: int, table: str) -> list[str]:
        """What to say in the place of a unit's damaged rows, once they have been asked for."""
        of_layer = self.view.atlas.damaged(self.name, table=table)
        return [found.sentence for found in of_layer if found.unit in {unit, None}]

    def map_rule(self, unit: int) -> MapRule:
        """How the maps beside a unit's real patches were made."""
        first = next(iter(self.examples(unit)), None)
        if first is None:
            return GUIDED
        job = self.view.made(first)
        return UNTOLD if job is None else self.view.rule(job.key)

    def drawings(self, unit: int) -> list[Drawing]:
        """The synthetic pictures of a unit; first the kind that tells most of its layer."""
        records = self.view.atlas.pictures(self.name, unit)
        return [self._drawing(record) for record in sorted(records, key=self._rank)]

    def main_drawings(self) -> dict[int, Drawing]:
        """One synthetic picture for each unit, all of the kind that tells most.

        That is the kind whose pictures come furthest beside the strongest real ones (see
        `telling`); a unit that it could not wake is shown by another, if one could.
        """
        chosen: dict[int, PictureRecord] = {}
        records = self.view.atlas.pictures(self.name)
        for record in sorted(records, key=lambda r: (r.silent, self._rank(r))):
            chosen.setdefault(record.unit, record)
        return {unit: self._drawing(chosen[unit]) for unit in sorted(chosen)}

    def weights(self, record: UnitRecord) -> Float[ndarray, "c h w"] | None:
        """A unit's weights where they are a picture: they look at the image itself."""
        return as_picture(record.weights, self.view.network["input"])

    def weights_image(self, record: UnitRecord) -> UInt8[ndarray, "h w 4"] | None:
        """The weights as a picture, in one range for the whole layer so that units compare."""
        weights = self.weights(record)
        return None if weights is None else signed_to_rgba(weights, self.limit)

    def kernels_image(self, record: UnitRecord) -> UInt8[ndarray, "h w 4"] | None:
        """A unit's kernels side by side, where they look at the channels of the layer below."""
        return kernels(record.weights) if self.weights(record) is None else None

    def _rank(self, record: PictureRecord) -> int:
        return self.kinds.index((record.kind, record.canvas))

    def _drawing(self, record: PictureRecord) -> Drawing:
        return drawing(self.view, self.record, record)
