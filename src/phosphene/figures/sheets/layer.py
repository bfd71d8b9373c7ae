"""A contact sheet of a layer's units, for notebooks, papers and `show`."""

from PIL import Image

from phosphene.atlas import Atlas, ExampleRecord, UnitRecord, blaming_damage
from phosphene.figures.ink.layout import COLUMNS, SIDE, SMALL, breadth, rows, titled
from phosphene.figures.ink.palette import on_paper
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.drawings import Drawing
from phosphene.figures.views.layer import LayerView
from phosphene.figures.views.patches import seen
from phosphene.figures.views.sentences import not_shown

BETWEEN = 0.05
"""Inches between a unit's two pictures."""

PITCH = breadth(2) - breadth(1)
"""Inches from one unit to the next."""


def layer_sheet(atlas: Atlas, layer: str) -> Image.Image:
    """All units of a layer: the picture made for each above its strongest real patch.

    Raises:
        UnfinishedAtlasError: the study has not come as far as its units.
        UnknownLayerError: the atlas has no such layer.
        DamagedError, TruncatedAtlasError: what is known of it is damaged.
    """
    with blaming_damage(atlas):
        return _layer_sheet(atlas, layer)


def _layer_sheet(atlas: Atlas, layer: str) -> Image.Image:
    found = LayerView(AtlasView(atlas), atlas.layer(layer))
    drawings, strongest = found.main_drawings(), atlas.strongest(layer)
    bands = rows(found.shown, COLUMNS + 1)
    words = "Above: a picture made to excite the unit. Below: the real patch that excites it most."
    paper = titled(
        f"{layer} · {found.record.kind}",
        f"{words} {not_shown(found)}".strip(),
        breadth(max(6, *map(len, bands), 0)),
    )
    paper.top += 0.15
    for band in bands:
        tallest = 0.0
        for column, record in enumerate(band):
            drawing, example = drawings.get(record.unit), strongest.get(record.unit)
            left, below = MARGIN + column * PITCH, paper.top + SIDE + BETWEEN
            _made(paper, found, record, drawing, left)
            _real(paper, found, record, example, left=left, top=below)
            name = found.unit_name(record.unit)
            written = paper.write(name, left, below + SIDE + BETWEEN, SIDE, SMALL)
            tallest = max(tallest, written)
        paper.top += 2 * (SIDE + BETWEEN) + 0.2 + tallest
    return paper.image()


def _made(
    paper: Paper, layer: LayerView, record: UnitRecord, drawing: Drawing | None, left: float
) -> None:
    """The picture made for a unit, or why there is none."""
    if drawing is not None and drawing.image is not None:
        paper.picture(drawing.image, left, paper.top, SIDE)
    elif drawing is not None:
        paper.write("not woken", left, paper.top, SIDE, SMALL, color=SOFT)
    elif layer.lost(record.unit, "pictures"):
        paper.write("damaged", left, paper.top, SIDE, SMALL, color=SOFT)


def _real(
    paper: Paper,
    layer: LayerView,
    record: UnitRecord,
    example: ExampleRecord | None,
    *,
    left: float,
    top: float,
) -> None:
    """The real patch that excites a unit most, or why there is none."""
    real = seen(layer.view, [] if example is None else [example])
    if record.firing_rate == 0:
        paper.write("never fires", left, top, SIDE, SMALL, color=SOFT)
    elif real.patches:
        paper.picture(on_paper(real.patches[0].inside), left, top, SIDE)
    elif real.lost or layer.lost(record.unit, "examples"):
        paper.write("damaged", left, top, SIDE, SMALL, color=SOFT)
