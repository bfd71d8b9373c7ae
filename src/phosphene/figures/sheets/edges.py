"""Edges to a target: what each of the strongest units of an earlier layer adds, and measures."""

from PIL import Image

from phosphene.circuits import Edges
from phosphene.figures.ink.bar_charts import Bar, bars
from phosphene.figures.ink.compositions import captioned
from phosphene.figures.ink.layout import LARGE, SMALL, WIDTH, titled
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.results import sheet
from phosphene.words import number, percent, signed

PICTURES, UNITS = 4, 12
"""How many pictures are shown, and how many units of each."""


@sheet.register
def edges_sheet(edges: Edges, pictures: int = PICTURES, units: int = UNITS) -> Image.Image:
    """The first pictures, each with its strongest units as bars: scores, and what was measured."""
    words = (
        f"What each unit of {edges.source} adds to its target, over the {edges.baseline.name} "
        "baseline: blue adds, red holds down. Beside it what is lost without it, what it gives "
        "alone and what raising it adds, where that was measured; (!) where removing it does not "
        "do what the score says."
    )
    several = len(set(edges.values.tolist())) > 1
    target = str(edges.first).partition("@")[0] if several else edges.first
    paper = titled(f"{edges.source} → {target}", words)
    for row in range(min(pictures, len(edges.values))):
        _picture(paper, edges, row, units)
    left = len(edges.values) - pictures
    if left > 0:
        paper.top += paper.write(f"{left:,} more are not shown.", size=SMALL, color=SOFT)
    return paper.image()


def _picture(paper: Paper, edges: Edges, row: int, units: int) -> None:
    """One picture and the bars of its strongest units."""
    paper.top += 0.2
    top = paper.top
    image, _ = captioned(edges.pictures[row], "")
    height = 0.0 if image is None else paper.picture(image, MARGIN, top, LARGE)
    share = edges.completeness[row]
    told = f"t = {number(float(edges.values[row]))}"
    told += "" if share.isnan() else f"; scores hold {percent(float(share))}"
    height += 0.06 + paper.write(told, MARGIN, top + height + 0.06, LARGE, SMALL)
    items = [_bar(edges, row, unit) for unit in edges.strongest(units)[row].tolist()]
    values = [0.0, *(value for _, value, _ in items)]
    left = MARGIN + LARGE + 0.3
    end = bars(
        paper, items, left=left, width=WIDTH - MARGIN - left, scale=(min(values), max(values))
    )
    paper.top = max(end, top + height)


def _bar(edges: Edges, row: int, unit: int) -> Bar:
    score = float(edges.score[row, unit])
    told = [signed(score)]
    if edges.measured is not None:
        found = (edges.measured[row] == unit).nonzero().flatten().tolist()
        for i in found:
            effects = (
                ("without it", edges.removed, -1),
                ("alone", edges.kept, 1),
                ("raised", edges.raised, 1),
            )
            told += [
                f"{what} {signed(sign * float(values[row, i]))}"
                for what, values, sign in effects
                if values is not None
            ]
            if edges.contradicted is not None and edges.contradicted[row, i]:
                told.append("(!)")
    return f"{edges.source}:{unit}", score, ", ".join(told)
