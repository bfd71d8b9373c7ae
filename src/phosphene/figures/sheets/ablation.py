"""What accuracy each unit is worth."""

from collections.abc import Sequence

from PIL import Image

from phosphene.figures.ink.bars import bars_in_halves
from phosphene.figures.ink.captions import points
from phosphene.figures.ink.layout import BLUE, RED, SMALL, titled
from phosphene.figures.ink.paper import LINE, MARGIN, SOFT
from phosphene.probes import Ablation
from phosphene.results import sheet
from phosphene.words import percent, plural


@sheet.register
def ablation_sheet(ablation: Ablation, most: int = 24) -> Image.Image:
    """What accuracy each unit is worth: all of them by rank, then the `most` dearest by name."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - slow to import

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
    axes.yaxis.set_major_formatter(lambda lost, _: points(lost))
    paper.top += 1.3 + 0.3
    paper.top += paper.write("rank", MARGIN + 0.5, size=SMALL, color=SOFT)
    shown = ranked[:most]
    paper.heading("The dearest" if len(ranked) > most else "Each by name")
    items = [(", ".join(map(str, g)), v, points(v)) for g, v in shown]
    bars_in_halves(paper, items, (min(0.0, *lost), max(0.0, *lost)))
    if len(ranked) > most:
        words = f"{len(ranked) - most} more, down to {points(lost[-1])}."
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
