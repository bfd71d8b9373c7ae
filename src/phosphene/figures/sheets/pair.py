"""Two units of an atlas side by side."""

from collections.abc import Callable
from typing import NamedTuple

from PIL import Image

from phosphene.atlas import Atlas, UnitRecord, blaming_damage
from phosphene.figures.ink.layout import GAP, LARGE, WIDTH, Captioned, gallery, titled
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.figures.sheets.unit import class_bars, drawn_pictures
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.layer import LayerView
from phosphene.figures.views.sentences import about_real, about_unit
from phosphene.units import Unit
from phosphene.words import number

HALF = (WIDTH - 2 * MARGIN - 2 * GAP) / 2
"""Inches of one of the two columns."""

PATCHES = 8
"""Strongest real patches of each: two rows."""


class _Side(NamedTuple):
    layer: LayerView
    record: UnitRecord

    @property
    def name(self) -> str:
        return f"{self.layer.name} · {self.layer.unit_name(self.record.unit)}"


def unit_pair_sheet(atlas: Atlas, first: str | Unit, second: str | Unit) -> Image.Image:
    """Two units side by side: what was drawn for each, what excites it, and what excites both.

    Units are written `conv2:17`. From top to bottom: what is known of each in words; its synthetic
    pictures; its strongest real patches; its mean response to each class; and the images that are
    among the strongest of both.

    Raises:
        UnfinishedAtlasError: the study has not come as far as its units.
        UnknownLayerError, UnknownUnitError: the atlas has no such layer or unit.
        DamagedError, TruncatedAtlasError: what is known of them is damaged.
    """
    with blaming_damage(atlas):
        view = AtlasView(atlas)
        sides = _side(view, Unit.of(first)), _side(view, Unit.of(second))
        paper = titled(f"{sides[0].name} beside {sides[1].name}", "")
        for section in (_about, _drawings, _patches, _classes):
            _beside(paper, sides, section)
        _both(paper, view, sides)
        return paper.image()


def _side(view: AtlasView, unit: Unit) -> _Side:
    layer = LayerView(view, view.atlas.layer(unit.layer))
    return _Side(layer, view.atlas.unit(unit.layer, unit.index))


def _beside(
    paper: Paper, sides: tuple[_Side, _Side], section: Callable[[Paper, _Side, float], None]
) -> None:
    """The same section of both, beginning at one height."""
    top, ends = paper.top, []
    for i, side in enumerate(sides):
        paper.top = top
        section(paper, side, MARGIN + i * (HALF + 2 * GAP))
        ends.append(paper.top)
    paper.top = max(ends)


def _about(paper: Paper, side: _Side, left: float) -> None:
    paper.heading(side.name, left)
    words = " ".join(about_unit(side.layer, side.record))
    paper.top += paper.write(words, left, width=HALF, color=SOFT)


def _drawings(paper: Paper, side: _Side, left: float) -> None:
    drawings = side.layer.drawings(side.record.unit)
    shown = [picture for drawing in drawings for picture in drawn_pictures(drawing)]
    if shown:
        paper.heading("Synthetic pictures", left)
        gallery(paper, shown, LARGE, left=left, width=HALF)


def _patches(paper: Paper, side: _Side, left: float) -> None:
    patches = side.layer.seen(side.record.unit).patches[:PATCHES]
    if patches:
        paper.heading(about_real(side.record), left)
        gallery(paper, [(patch.solid, patch.words) for patch in patches], left=left, width=HALF)


def _classes(paper: Paper, side: _Side, left: float) -> None:
    if any(side.record.class_means):
        paper.heading("Mean response per class", left)
        names = side.layer.view.names
        paper.top = class_bars(paper, names, side.record, left=left, width=HALF)


def _both(paper: Paper, view: AtlasView, sides: tuple[_Side, _Side]) -> None:
    """The images that are among the strongest of both units."""
    answers = [
        {example.image: example.value for example in side.layer.examples(side.record.unit)}
        for side in sides
    ]
    paper.heading("Among the strongest of both")
    shown: list[Captioned] = []
    for index, value in answers[0].items():
        image = view.image(index) if index in answers[1] else None
        if image is not None:
            name, other = view.names.of_image(image), number(answers[1][index])
            told = f"class {name}: " if name is not None else ""
            words = f"{told}{number(value)} and {other}"
            shown.append((picture_to_image(image.picture), words))
    gallery(paper, shown)
    if not shown:
        paper.top += paper.write("No image is.", color=SOFT)
