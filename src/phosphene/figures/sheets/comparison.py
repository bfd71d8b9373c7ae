"""Networks side by side."""

from PIL import Image

from phosphene.figures.ink.bars import bars
from phosphene.figures.ink.compositions import captioned
from phosphene.figures.ink.layout import SIDE, WIDTH, gallery, titled
from phosphene.figures.ink.paper import MARGIN, SOFT
from phosphene.probes import Comparison, Side
from phosphene.results import sheet
from phosphene.words import class_name, percent, plural

COLUMNS = 20
"""The most classes whose pictures stand side by side; of more, the first are shown."""


@sheet.register
def comparison_sheet(found: Comparison) -> Image.Image:
    """A block for each network: its figures, its layers' idle units, and its class pictures."""
    paper = titled(
        "Networks side by side",
        f"Accuracy on {found.data}. Under it the pictures that each network's classes look for.",
    )
    paper.top += 0.1
    items = [(side.name, side.accuracy, percent(side.accuracy, 2)) for side in found.sides]
    paper.top = bars(paper, items, left=MARGIN, width=WIDTH - 2 * MARGIN)
    for side in found.sides:
        paper.heading(side.name)
        words = f"{plural(side.parameters, 'parameter')}. {_idle(side)}"
        paper.top += paper.write(words, color=SOFT) + 0.1
        gallery(
            paper,
            [
                captioned(picture, class_name(found.classes, i))
                for i, picture in enumerate(side.pictures[:COLUMNS])
            ],
            SIDE - 0.12,
        )
    return paper.image()


def _idle(side: Side) -> str:
    return " ".join(
        f"{found.layer}: {len(found.silent)} silent and {found.redundant} redundant of "
        f"{found.units}."
        for found in side.censuses
    )
