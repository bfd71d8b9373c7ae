"""One figure for one unit of an atlas, for notebooks, papers and `show`."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from phosphene.atlas import Atlas, UnitRecord, blaming_damage
from phosphene.figures.ink.bars import bars
from phosphene.figures.ink.layout import (
    BLUE,
    COLUMNS,
    GAP,
    GREY,
    LARGE,
    SIDE,
    SMALL,
    Captioned,
    gallery,
    titled,
)
from phosphene.figures.ink.palette import on_paper
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.drawings import Drawing
from phosphene.figures.views.layer import LayerView
from phosphene.figures.views.names import Names
from phosphene.figures.views.responses import fired, firing_counts, strongest_classes
from phosphene.figures.views.sentences import about_real, about_unit
from phosphene.words import number

CLASSES = 12
"""The most classes whose mean response is shown."""


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
    words = " ".join(about_unit(found, record))
    paper = titled(f"{layer} · {found.unit_name(unit)}", words)
    _patches(paper, found, record)
    _pictures(paper, found, record)
    _charts(paper, view.names, record)
    return paper.image()


def _patches(paper: Paper, layer: LayerView, record: UnitRecord) -> None:
    found = layer.seen(record.unit)
    _lost(paper, found.lost)
    if not found.patches:
        return
    made = layer.map_rule(record.unit)
    paper.heading(f"{about_real(record)}, over their {made.maps}s")
    if made.reason:
        words = f"Guided backpropagation cannot explain this layer: {made.reason}."
        paper.top += paper.write(words, size=SMALL, color=SOFT) + 0.08
    for start in range(0, len(found.patches), COLUMNS):
        tallest = 0.0
        for column, patch in enumerate(found.patches[start : start + COLUMNS]):
            left = MARGIN + column * (SIDE + GAP)
            height = paper.picture(patch.solid, left, paper.top, SIDE)
            paper.picture(on_paper(patch.guided), left, paper.top + height + 0.05, SIDE)
            below = paper.top + 2 * height + 0.1
            tallest = max(tallest, 2 * height + paper.write(patch.words, left, below, SIDE, SMALL))
        paper.top += tallest + 0.15


def _lost(paper: Paper, sentences: Sequence[str]) -> None:
    """Say what is damaged where it would have stood."""
    for said in sentences:
        paper.top += 0.05 + paper.write(said, color=SOFT)


def _pictures(paper: Paper, layer: LayerView, record: UnitRecord) -> None:
    """What was drawn for the unit, its weights, and what was tried in vain."""
    drawings = layer.drawings(record.unit)
    _lost(paper, layer.lost(record.unit, "pictures"))
    for drawing in drawings:
        if drawing.image is None:
            paper.heading("No picture")
            words = "Nothing woke the unit. Tried: " + "; ".join(drawing.attempts) + "."
            paper.top += paper.write(words, color=SOFT)
    drawn = [shown for drawing in drawings for shown in drawn_pictures(drawing)]
    weights = layer.weights_image(record)
    weighed: list[Captioned] = []
    if weights is not None:
        words = f"Its weights, range ±{number(layer.limit)} for the whole layer"
        weighed = [(on_paper(weights), words)]
    headings = ["synthetic pictures"] * bool(drawn) + ["weights"] * bool(weighed)
    if headings:
        paper.heading(" and ".join(headings).capitalize())
        gallery(paper, [*drawn, *weighed], LARGE, gap=0.45)


def drawn_pictures(drawing: Drawing) -> list[Captioned]:
    """A synthetic picture, and the same faded where little was asked of it."""
    if drawing.image is None:
        return []
    words = f"{drawing.title}, {drawing.canvas}: {drawing.activation}"
    compared = f", {drawing.compared}" if drawing.compared else ""
    shown: list[Captioned] = [(drawing.image, words + compared)]
    if drawing.faded is not None:
        shown.append((on_paper(drawing.faded), "The same, faded where little was asked of it"))
    return shown


def _charts(paper: Paper, names: Names, record: UnitRecord) -> None:
    top, middle = paper.top, paper.width / 2
    paper.heading("Responses")
    left_end = _histogram(paper, record, middle - 2 * MARGIN)
    right_end = top
    if any(record.class_means):
        paper.top = top
        paper.heading("Mean response per class", middle)
        right_end = class_bars(paper, names, record, left=middle)
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
    return below + paper.write(words, top=below, width=width, size=SMALL, color=SOFT)


def class_bars(
    paper: Paper, names: Names, record: UnitRecord, *, left: float, width: float | None = None
) -> float:
    """The strongest classes, the preferred one in blue; returns where they end."""
    strongest = strongest_classes(record.class_means, CLASSES)
    means = [mean for _, mean in strongest]
    return bars(
        paper,
        [(names.label(i), mean, number(mean)) for i, mean in strongest],
        left=left,
        width=paper.width - MARGIN - left if width is None else width,
        scale=(min(0.0, *means), max(0.0, *means)),
        colours=[BLUE if i == record.preferred_class else GREY for i, _ in strongest],
    )
