"""The units that a unit is made of and a part of, each with its pictures, read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from phosphene.atlas import UnitEdge
from phosphene.atlas.made import Pair, between, made_of, part_of
from phosphene.errors import DamagedError
from phosphene.figures.ink.tile import Tile
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.layer import LayerView
from phosphene.figures.views.patches import seen

MOST_THUMBS = 4096


@dataclass(frozen=True)
class Kept:
    """What an atlas has of the edges to or from a layer, and what to say of what is damaged."""

    kept: Sequence[Pair]
    lost: Sequence[str] = ()


@dataclass(frozen=True)
class Thumb:
    """A unit at a glance: its name, its synthetic picture, its strongest real patch.

    `shown` says that it has a page.
    """

    name: str
    drawn: Tile | None
    real: Tile | None
    shown: bool


class Neighbours:
    """The edges in general of an atlas, for its pages."""

    def __init__(self, view: AtlasView) -> None:
        self.view = view
        self.to = lru_cache(maxsize=2)(self._to)
        self.out_of = lru_cache(maxsize=2)(self._out_of)
        self.thumb = lru_cache(maxsize=MOST_THUMBS)(self._thumb)
        self.layer = lru_cache(maxsize=None)(self._layer)

    def made_of(self, layer: str, unit: int) -> list[UnitEdge]:
        """The strongest sources of a unit, without those that do nothing."""
        return [edge for edge in made_of(self.to(layer).kept, layer, unit) if _does(edge)]

    def part_of(self, layer: str, unit: int) -> list[UnitEdge]:
        """The strongest targets of a unit, without those it does nothing to."""
        return [edge for edge in part_of(self.out_of(layer).kept, layer, unit) if _does(edge)]

    def strongest(self, layer: str, unit: int) -> float | None:
        """The largest score, either way, of what a unit is made of, or else is a part of."""
        edges = self.made_of(layer, unit) or self.part_of(layer, unit)
        return max((abs(edge.score) for edge in edges), default=None)

    def _to(self, layer: str) -> Kept:
        return self._kept(target=layer)

    def _out_of(self, layer: str) -> Kept:
        return self._kept(source=layer)

    def _kept(self, source: str | None = None, target: str | None = None) -> Kept:
        try:
            return Kept(tuple(between(self.view.atlas, source, target)))
        except DamagedError:
            return Kept((), ("What the atlas has of this is damaged.",))

    def _layer(self, name: str) -> LayerView:
        return LayerView.of(self.view, self.view.atlas.layer(name))

    def _thumb(self, name: str, unit: int) -> Thumb:
        layer = self.layer(name)
        drawings = [drawing.tile for drawing in layer.drawings(unit) if drawing.tile is not None]
        found = seen(self.view, layer.examples(unit)[:1]).patches
        return Thumb(
            layer.unit_name(unit),
            drawings[0] if drawings else None,
            found[0].inside_tile if found else None,
            unit in layer.examined,
        )


def _does(edge: UnitEdge) -> bool:
    """Whether it adds anything, by its score or by what was measured."""
    return any((edge.score, edge.removed, edge.kept, edge.raised))
