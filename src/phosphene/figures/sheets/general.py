"""Edges in general: the strongest sources of the first units of a layer, as bars."""

from PIL import Image

from phosphene.circuits import GeneralEdges
from phosphene.figures.ink.bar_charts import Bar, bars
from phosphene.figures.ink.layout import SMALL, WIDTH, titled
from phosphene.figures.ink.paper import MARGIN, SOFT
from phosphene.results import sheet
from phosphene.words import signed

UNITS, EDGES = 6, 8
"""How many targets are shown, and how many edges of each."""


@sheet.register
def general_sheet(found: GeneralEdges, units: int = UNITS, edges: int = EDGES) -> Image.Image:
    """The first units of the target layer, each with its strongest sources as bars."""
    words = (
        f"What units of {found.source} add on average to units of {found.target}, on the "
        f"{found.strongest} strongest pictures of each and {found.random} others: blue adds, red "
        "holds down. Beside it, on the strongest pictures, what is lost without it, what it gives "
        "alone and what raising it adds; (!) where removing it does not do what the score says."
    )
    paper = titled(f"{found.source} → {found.target}", words)
    for row in range(min(units, len(found.units))):
        paper.top += 0.2
        paper.top += paper.write(f"{found.target}:{found.units[row]}")
        items = [_bar(found, row, rank) for rank in range(edges) if _there(found, row, rank)]
        values = [0.0, *(value for _, value, _ in items)]
        paper.top = bars(
            paper,
            items,
            left=MARGIN,
            width=WIDTH - 2 * MARGIN,
            scale=(min(values), max(values)),
        )
    left = len(found.units) - units
    if left > 0:
        paper.top += paper.write(f"{left:,} more are not shown.", size=SMALL, color=SOFT)
    return paper.image()


def _there(found: GeneralEdges, row: int, rank: int) -> bool:
    return rank < found.made_of.unit.shape[1] and int(found.made_of.unit[row, rank]) >= 0


def _bar(found: GeneralEdges, row: int, rank: int) -> Bar:
    facts = found.made_of
    score = float(facts.score[row, rank])
    effects = (
        ("without it", -facts.removed), ("alone", facts.kept), ("raised", facts.raised)
    )  # fmt: skip
    told = [signed(score)]
    told += [f"{what} {signed(float(values[row, rank]))}" for what, values in effects]
    told += ["(!)"] * bool(found.contradicted[row, rank])
    return f"{found.source}:{int(facts.unit[row, rank])}", score, ", ".join(told)
