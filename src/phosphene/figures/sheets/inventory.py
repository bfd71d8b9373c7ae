"""What the units of a network are for."""

from PIL import Image

from phosphene.figures.ink.bars import bars
from phosphene.figures.ink.captions import points
from phosphene.figures.ink.layout import BLUE, RED, SMALL, WIDTH, titled
from phosphene.figures.ink.paper import LINE, MARGIN, SOFT, Paper
from phosphene.probes import LayerUnits, Units
from phosphene.results import sheet
from phosphene.words import number


@sheet.register
def units_sheet(found: Units) -> Image.Image:
    """For each layer, what accuracy its units are worth, and what it costs to switch groups off."""
    paper = titled(
        f"What the units of {found.network} are for",
        "Units are switched off, one or a group at a time, and all pictures are read without them. "
        f"Blue: accuracy lost. Red: won. One picture is {number(100 / found.count)} points.",
    )
    for layer in found.layers:
        paper.heading(layer.census.layer)
        words = layer.summary.removeprefix(f"{layer.census.layer}: ")
        paper.top += paper.write(f"{words[:1].upper()}{words[1:]}", color=SOFT) + 0.12
        _ranks(paper, layer)
        _groups(paper, layer)
    return paper.image()


def _ranks(paper: Paper, layer: LayerUnits) -> None:
    lost = [100 * value for _, value in layer.each.ranked()]
    axes = paper.chart(MARGIN + 0.5, paper.top, WIDTH - 2 * MARGIN - 0.5, 0.9)
    axes.bar(range(len(lost)), lost, color=[RED if v < 0 else BLUE for v in lost])
    axes.axhline(0, color=LINE, linewidth=0.8)
    axes.set_xlim(-0.6, len(lost) - 0.4)
    axes.set_xticks([])
    paper.top += 1.0
    words = "Accuracy lost in percentage points, the dearest unit first: "
    words += ", ".join(str(group[0]) for group, _ in layer.each.ranked()[:12])
    words += ", …" if len(lost) > 12 else "."
    paper.top += paper.write(words, MARGIN + 0.5, size=SMALL, color=SOFT) + 0.08


def _groups(paper: Paper, layer: LayerUnits) -> None:
    if not layer.names:
        return
    lost = layer.groups.lost.tolist()
    items = [
        (f"without {name}", value, points(value))
        for name, value in zip(layer.names, lost, strict=True)
    ]
    scale = min(0.0, *lost), max(0.01, *lost)
    width = WIDTH - 2 * MARGIN - 0.5
    paper.top = bars(paper, items, left=MARGIN + 0.5, width=width, scale=scale)
