"""Units of two layers matched one to one, beside what the same matching finds by chance."""

from PIL import Image

from phosphene.figures.ink.bar_charts import bars_in_halves
from phosphene.figures.ink.layout import BLUE, GREY, SMALL, titled
from phosphene.figures.ink.paper import MARGIN, SOFT
from phosphene.results import sheet
from phosphene.survey import UnitMatch
from phosphene.survey.matching import CHANCE
from phosphene.words import number, percent


@sheet.register
def match_sheet(match: UnitMatch, most: int = 24) -> Image.Image:
    """All pairs by rank, each draw of the null in grey; then the `most` strongest by name."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - slow to import

    (one, two), (layer, other) = match.networks, match.layers
    paper = titled(f"{layer} of {one} · {other} of {two}", match.summary)
    if match.bound is None:
        return paper.image()
    values, ranks = match.correlation.tolist(), range(1, len(match.pairs) + 1)
    paper.heading("Correlation, the strongest pair first")
    axes = paper.chart(MARGIN + 0.5, paper.top, paper.width - 2 * MARGIN - 0.5, 1.6)
    for draw in match.null.tolist():
        axes.plot(ranks, draw, color=GREY, linewidth=0.8)
    axes.axhline(match.bound, color=GREY, linewidth=0.8, linestyle="--")
    axes.plot(ranks, values, color=BLUE, linewidth=1.6, marker="o", markersize=2.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    paper.top += 1.6 + 0.3
    words = (
        f"Grey: the same matching with the pictures of {two} permuted. Dashed: what "
        f"{percent(1 - CHANCE)} of those pairs stay below."
    )
    paper.top += paper.write(words, MARGIN + 0.5, size=SMALL, color=SOFT)
    paper.heading("The strongest" if len(values) > most else "Each by name")
    shown = zip(match.pairs.tolist(), values, match.above.tolist(), strict=True)
    items = [
        (f"{layer}:{i} · {other}:{j}", value, number(value) + ("" if above else ", as by chance"))
        for (i, j), value, above in list(shown)[:most]
    ]
    bars_in_halves(paper, items, (min(0.0, *values), 1.0))
    return paper.image()
