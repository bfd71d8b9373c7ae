"""One figure for one unit, and a contact sheet for a layer: for notebooks, papers and `show`."""

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from phosphene.atlas import Atlas, UnitRecord, blaming_damage
from phosphene.figures.ink.charts import firing_counts, strongest_classes
from phosphene.figures.ink.crops import OUTSIDE
from phosphene.figures.ink.layout import BLUE, COLUMNS, GAP, GREY, LARGE, SIDE, WIDTH
from phosphene.figures.ink.palette import on_paper
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.figures.ink.png import AnyImage
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.layer import LayerView
from phosphene.figures.views.names import Names
from phosphene.figures.views.patches import seen
from phosphene.figures.views.sentences import about_unit, fired, not_shown
from phosphene.words import number

T = TypeVar("T")

CLASSES = 12


def unit_sheet(atlas: Atlas, layer: str, unit: int) -> Image.Image:
    """Everything about one unit on one white sheet.

    From top to bottom: what is known in words; the strongest real patches over their guided (or
    plain) gradients; synthetic pictures and weights; the responses to all images and to each class.

    Raises:
        UnfinishedAtlasError: the study has not come as far as its units.
        UnknownLayerError, UnknownUnitError: the atlas has no such layer or unit.
        DamagedError, TruncatedAtlasError: what is known of it is damaged; of pictures the sheet
            says so.
    """
    with blaming_damage(atlas):
        return _unit_sheet(atlas, layer, unit)


def _unit_sheet(atlas: Atlas, layer: str, unit: int) -> Image.Image:
    view, record = AtlasView(atlas), atlas.unit(layer, unit)
    found = LayerView(view, atlas.layer(layer))
    paper = Paper(WIDTH)
    paper.top += paper.write(f"{layer} · {found.unit_name(unit)}", size=17.0, weight="bold")
    paper.top += 0.05 + paper.write(" ".join(about_unit(found, record)), color=SOFT)
    _patches(paper, found, unit)
    _pictures(paper, found, record)
    _charts(paper, view.names, record)
    return paper.image()


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
    columns = _even(len(found.shown))
    paper = Paper(2 * MARGIN + max(6, columns) * (SIDE + GAP) - GAP)
    paper.top += paper.write(f"{layer} · {found.record.kind}", size=17.0, weight="bold")
    words = "Above: a picture made to excite the unit. Below: the real patch that excites it most."
    words = f"{words} {not_shown(found)}".strip()
    paper.top += 0.15 + paper.write(words, color=SOFT)
    for row in _rows(found.shown, columns):
        tallest = 0.0
        for record, left in row:
            drawing, example = drawings.get(record.unit), strongest.get(record.unit)
            if drawing is not None and drawing.image is not None:
                paper.picture(drawing.image, left, paper.top, SIDE)
            elif drawing is None and found.lost(record.unit, "pictures"):
                paper.write("damaged", left, paper.top, SIDE, size=7.5, color=SOFT)
            elif record.firing_rate == 0:
                paper.write("never fires", left, paper.top, SIDE, size=7.5, color=SOFT)
            real = seen(found.view, [] if example is None else [example])
            if real.patches:
                paper.picture(_solid(real.patches[0].crop), left, paper.top + SIDE + 0.05, SIDE)
            elif real.lost or found.lost(record.unit, "examples"):
                paper.write("damaged", left, paper.top + SIDE + 0.05, SIDE, size=7.5, color=SOFT)
            below = paper.top + 2 * SIDE + 0.1
            name = found.unit_name(record.unit)
            tallest = max(tallest, paper.write(name, left, below, SIDE, size=7.5))
        paper.top += 2 * SIDE + 0.3 + tallest
    return paper.image()


def _patches(paper: Paper, layer: LayerView, unit: int) -> None:
    found = layer.seen(unit)
    _lost(paper, found.lost)
    if not found.patches:
        return
    made = layer.map_rule(unit)
    paper.heading(f"Strongest real images, over their {made.maps}s")
    if made.reason:
        words = f"Guided backpropagation cannot explain this layer: {made.reason}."
        paper.top += paper.write(words, size=7.5, color=SOFT) + 0.08
    for row in _rows(found.patches):
        tallest = 0.0
        for patch, left in row:
            height = paper.picture(_solid(patch.crop), left, paper.top, SIDE)
            paper.picture(on_paper(patch.guided), left, paper.top + height + 0.05, SIDE)
            words = patch.value if patch.name is None else f"class {patch.name}: {patch.value}"
            below = paper.top + 2 * height + 0.1
            tallest = max(tallest, 2 * height + paper.write(words, left, below, SIDE, size=7.5))
        paper.top += tallest + 0.15


def _lost(paper: Paper, sentences: Sequence[str]) -> None:
    """Say what is damaged where it would have stood."""
    for said in sentences:
        paper.top += 0.05 + paper.write(said, color=SOFT)


def _pictures(paper: Paper, layer: LayerView, record: UnitRecord) -> None:
    drawings = layer.drawings(record.unit)
    _lost(paper, layer.lost(record.unit, "pictures"))
    for drawing in drawings:
        if drawing.image is None:
            paper.heading("No picture")
            words = "Nothing woke the unit. Tried: " + "; ".join(drawing.attempts) + "."
            paper.top += paper.write(words, color=SOFT)
    shown: list[tuple[AnyImage, str]] = []
    for drawing in drawings:
        if drawing.image is not None:
            words = f"{drawing.title}, {drawing.canvas}: {drawing.activation}"
            compared = f", {drawing.compared}" if drawing.compared else ""
            shown.append((drawing.image, words + compared))
        if drawing.faded is not None:
            shown.append((on_paper(drawing.faded), "The same, faded where little was asked of it"))
    headings = ["synthetic pictures"] if shown else []
    weights = layer.weights_image(record)
    if weights is not None:
        limit = number(layer.limit)
        shown.append((on_paper(weights), f"Its weights, range ±{limit} for the whole layer"))
        headings.append("weights")
    if shown:
        paper.heading(" and ".join(headings).capitalize())
    for row in _rows(shown, int((WIDTH - 2 * MARGIN) / (LARGE + 0.45)), LARGE + 0.45):
        tallest = 0.0
        for (image, words), left in row:
            height = paper.picture(image, left, paper.top, LARGE)
            below = paper.top + height + 0.06
            tallest = max(tallest, height + paper.write(words, left, below, LARGE + 0.35, size=7.5))
        paper.top += tallest + 0.15


def _charts(paper: Paper, names: Names, record: UnitRecord) -> None:
    top, middle = paper.top, paper.width / 2
    paper.heading("Responses")
    left_end = _histogram(paper, record, middle - 2 * MARGIN)
    right_end = top
    if any(record.class_means):
        paper.top = top
        right_end = _profile(paper, names, record, middle)
    paper.top = max(left_end, right_end)


def _histogram(paper: Paper, record: UnitRecord, width: float) -> float:
    counts = np.array(record.histogram_counts)
    firing = np.array(firing_counts(record.histogram_counts, fired(record)))
    edges = record.histogram_low + record.histogram_width * np.arange(len(counts))
    axes = paper.chart(MARGIN, paper.top, width, 1.3)
    for heights, colour in ((counts, GREY), (firing, BLUE)):
        axes.bar(edges, heights**0.5, record.histogram_width, align="edge", color=colour)
    if edges[0] <= 0 <= edges[-1] + record.histogram_width:
        axes.axvline(0, color=SOFT, linewidth=0.7, linestyle=":")
    axes.set_yticks([])
    words = "The largest response to each image, blue where the unit fires. Heights: √count."
    below = paper.top + 1.6
    return below + paper.write(words, top=below, width=width, size=7.5, color=SOFT)


def _profile(paper: Paper, called: Names, record: UnitRecord, left: float) -> float:
    """Bars on a scale of inches, so that each stands beside its name however long that is."""
    paper.heading("Mean response per class", left)
    names, numbers = 1.5, 0.7
    axes = paper.chart(left + names, paper.top, paper.width - MARGIN - left - names - numbers, 1.0)
    top = paper.top
    for i, mean in strongest_classes(record.class_means, CLASSES):
        colour = BLUE if i == record.preferred_class else GREY
        height = paper.write(called.label(i), left, top, names - 0.1, size=7.5)
        paper.write(number(mean), paper.width - MARGIN - numbers + 0.12, top, size=7.5, color=SOFT)
        axes.barh(top + height / 2, mean, 0.1, color=colour)
        top += height + 0.05
    axes.set_ylim(top, paper.top)
    axes.set_axis_off()
    paper.stretch(axes, top - paper.top)
    return top


def _even(count: int, most: int = COLUMNS + 1) -> int:
    """Columns for `count` pictures, at most `most`, so that no last row is left with a lone one.

    >>> _even(10), _even(16), _even(128), _even(3)
    (10, 8, 10, 3)
    """
    return math.ceil(count / math.ceil(count / most)) if count else 1


def _rows(
    items: Sequence[T], columns: int = COLUMNS, pitch: float = SIDE + GAP
) -> Iterator[list[tuple[T, float]]]:
    """Items in rows of `columns`, each with its left edge in inches."""
    for start in range(0, len(items), columns):
        row = items[start : start + columns]
        yield [(item, MARGIN + column * pitch) for column, item in enumerate(row)]


def _solid(crop: UInt8[ndarray, "h w 4"]) -> UInt8[ndarray, "h w 3"]:
    return on_paper(crop, OUTSIDE)
