"""All units of an atlas at a glance: what they are sought by, without pictures and weights."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from phosphene.atlas import LayerRecord, UnitRecord
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.layer import LayerView
from phosphene.words import class_name

SILENT, TWINS = "show=silent", "show=twins"
"""Parts of a layer's page, as its address names them: units that never fire, and with a twin."""


@dataclass(frozen=True)
class Listed:
    """A unit that has a page; `prefers` is the number of a class of the data."""

    unit: int
    silent: bool
    twin: int | None
    prefers: int | None
    selectivity: float | None


@dataclass(frozen=True)
class ListedLayer:
    """A layer, and those of its units that have a page."""

    record: LayerRecord
    units: Sequence[Listed]

    @classmethod
    def of(cls, layer: LayerView) -> "ListedLayer":
        """A layer as it is listed."""
        return cls(layer.record, tuple(map(_listed, layer.shown)))

    def selective_for(self, label: int) -> list[Listed]:
        """The units that fire and prefer a class of the data, the most selective first."""
        found = [
            u
            for u in self.units
            if u.prefers == label and u.selectivity is not None and not u.silent
        ]
        return sorted(found, key=lambda u: -(u.selectivity or 0.0))

    @property
    def parts(self) -> set[str]:
        """The parts of its page that have a unit."""
        silent = {SILENT for u in self.units if u.silent}
        return silent | {TWINS for u in self.units if u.twin is not None}


def enrolled(view: AtlasView) -> tuple[ListedLayer, ...]:
    """All layers with the units that have a page."""
    return tuple(ListedLayer.of(LayerView.of(view, record)) for record in view.layers)


def preferred_as(view: AtlasView, unit: int) -> int | None:
    """The class of the data that has the name of an output, by the output's number."""
    name = class_name(view.names.outputs, unit)
    if not view.names.labels:
        return unit
    return view.names.labels.index(name) if name in view.names.labels else None


def hidden(view: AtlasView, layers: Iterable[ListedLayer]) -> list[ListedLayer]:
    """All layers but that of the classes."""
    return [layer for layer in layers if layer.record.name != view.names.output]


def _listed(record: UnitRecord) -> Listed:
    return Listed(
        record.unit,
        record.firing_rate == 0,
        record.twin,
        record.preferred_class,
        record.selectivity,
    )
