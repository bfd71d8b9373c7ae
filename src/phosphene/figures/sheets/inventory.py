"""Taking stock of networks, as one figure each: what units are for; networks side by side."""

from collections.abc import Sequence

from matplotlib.ticker import MaxNLocator
from PIL import Image

from phosphene.figures.ink.layout import BLUE, RED, SMALL, bars, gallery, titled
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import LINE, MARGIN, SOFT, Paper
from phosphene.figures.sheets.study import SIDE, WIDTH
from phosphene.probes import Ablation, Comparison, LayerUnits, Side, Units
from phosphene.results import sheet
from phosphene.words import class_name, number, percent, plural


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
        (f"without {name}", value, _points(value))
        for name, value in zip(layer.names, lost, strict=True)
    ]
    scale = min(0.0, *lost), max(0.01, *lost)
    paper.top = bars(
        paper, items, left=MARGIN + 0.5, width=WIDTH - 2 * MARGIN - 0.5, names=3.0, scale=scale
    )


@sheet.register
def ablation_sheet(ablation: Ablation, most: int = 24) -> Image.Image:
    """What accuracy each unit is worth: all of them by rank, then the `most` dearest by name."""
    ranked = ablation.ranked()
    lost = [value for _, value in ranked]
    paper = titled(
        f"{ablation.layer} · units switched off",
        f"{percent(ablation.accuracy)} of {plural(ablation.count, 'picture')} are read right with "
        f"all units at work. {plural(len(ranked), 'group')} switched off one at a time"
        f"{_verdicts(lost)}.",
    )
    if not ranked:
        return paper.image()
    paper.heading("Accuracy lost, dearest first")
    axes = paper.chart(MARGIN + 0.5, paper.top, paper.width - 2 * MARGIN - 0.5, 1.3)
    axes.bar(range(1, len(lost) + 1), lost, color=[RED if v < 0 else BLUE for v in lost])
    axes.set_xlim(0.4, len(lost) + 0.6)
    axes.axhline(0, color=LINE, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(lambda lost, _: _points(lost))
    paper.top += 1.3 + 0.3
    paper.top += paper.write("rank", MARGIN + 0.5, size=SMALL, color=SOFT)
    shown = ranked[:most]
    paper.heading("The dearest" if len(ranked) > most else "Each by name")
    items = [(", ".join(map(str, g)), v, _points(v)) for g, v in shown]
    half, width = -(-len(items) // 2), (paper.width - 2 * MARGIN - 0.4) / 2
    scale = min(0.0, *lost), max(0.0, *lost)
    ends = [
        bars(paper, part, left=MARGIN + i * (width + 0.4), width=width, names=0.9, scale=scale)
        for i, part in enumerate((items[:half], items[half:]))
        if part
    ]
    paper.top = max(ends)
    if len(ranked) > most:
        words = f"{len(ranked) - most} more, down to {_points(lost[-1])}."
        paper.top += 0.08 + paper.write(words, top=paper.top + 0.08, size=SMALL, color=SOFT)
    return paper.image()


def _verdicts(lost: Sequence[float]) -> str:
    """How many groups are missed, make no difference, do harm.

    >>> _verdicts([0.1, 0.0, -0.1, -0.2]), _verdicts([])
    (': 1 is missed, 1 makes no difference, 2 do harm', '')
    """
    counted = (
        (sum(v > 0 for v in lost), "is missed", "are missed"),
        (sum(v == 0 for v in lost), "makes no difference", "make no difference"),
        (sum(v < 0 for v in lost), "does harm", "do harm"),
    )
    said = [f"{count} {one if count == 1 else many}" for count, one, many in counted if count]
    return f": {', '.join(said)}" if said else ""


def _points(lost: float) -> str:
    """Accuracy lost, in percentage points of all pictures."""
    return f"{number(100 * lost)} points"


@sheet.register
def comparison_sheet(found: Comparison) -> Image.Image:
    """A block for each network: its figures, its layers' idle units, and its class pictures."""
    paper = titled(
        "Networks side by side",
        f"Accuracy on {found.data}. Under it the pictures that each network's classes look for.",
    )
    paper.top += 0.1
    scale = (0.0, 1.0)
    items = [(side.name, side.accuracy, percent(side.accuracy, 2)) for side in found.sides]
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
