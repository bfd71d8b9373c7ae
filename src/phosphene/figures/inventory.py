"""Taking stock of networks, as one figure each: what units are for; networks side by side."""

from PIL import Image

from phosphene.figures.layout import BLUE, RED, SMALL, bars, gallery, titled
from phosphene.figures.palette import picture_to_image
from phosphene.figures.paper import LINE, MARGIN, SOFT, Paper
from phosphene.figures.sheet import SIDE, WIDTH
from phosphene.probes import Comparison, LayerUnits, Side, Units
from phosphene.results import sheet
from phosphene.words import class_name, percent, plural


@sheet.register
def units_sheet(found: Units) -> Image.Image:
    """For each layer, what accuracy its units are worth, and what it costs to switch groups off."""
    paper = titled(
        f"What the units of {found.network} are for",
        "Units are switched off, one or a group at a time, and all pictures are read without them. "
        "Blue: accuracy lost. Red: accuracy won.",
    )
    for layer in found.layers:
        paper.heading(layer.census.layer)
        words = layer.summary.removeprefix(f"{layer.census.layer}: ")
        paper.top += paper.write(words, color=SOFT) + 0.12
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
        (f"without {name}", value, percent(value) if value >= 0 else f"−{percent(-value)}")
        for name, value in zip(layer.names, lost, strict=True)
    ]
    scale = min(0.0, *lost), max(0.01, *lost)
    paper.top = bars(
        paper, items, left=MARGIN + 0.5, width=WIDTH - 2 * MARGIN - 0.5, names=3.0, scale=scale
    )


@sheet.register
def comparison_sheet(found: Comparison) -> Image.Image:
    """A block for each network: its figures, its layers' idle units, and its class pictures."""
    paper = titled(
        "Networks side by side",
        f"Accuracy on {found.data}. Under it the pictures that each network's classes look for.",
    )
    paper.top += 0.1
    scale = (0.0, 1.0)
    items = [(side.name, side.accuracy, f"{side.accuracy:.2%}") for side in found.sides]
    paper.top = bars(paper, items, left=MARGIN, width=WIDTH - 2 * MARGIN, names=2.4, scale=scale)
    for side in found.sides:
        paper.heading(side.name)
        words = f"{plural(side.parameters, 'parameter')}. {_idle(side)}"
        paper.top += paper.write(words, color=SOFT) + 0.1
        gallery(
            paper,
            [
                (picture_to_image(picture.numpy()), class_name(found.classes, i))
                for i, picture in enumerate(side.pictures[:COLUMNS])
            ],
            SIDE - 0.12,
        )
    return paper.image()


COLUMNS = 20
"""The most classes whose pictures stand side by side; of more, the first are shown."""


def _idle(side: Side) -> str:
    return " ".join(
        f"{found.layer}: {len(found.silent)} silent and {found.redundant} redundant of "
        f"{found.units}."
        for found in side.censuses
    )
