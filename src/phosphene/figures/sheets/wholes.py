"""What a unit is a part of: the later units that it changes most, with what they see."""

from PIL import Image

from phosphene.circuits import Whole, Wholes
from phosphene.figures.ink.compositions import captioned
from phosphene.figures.ink.layout import SMALL, breadth, gallery, titled
from phosphene.figures.ink.paper import SOFT
from phosphene.results import sheet
from phosphene.words import first_name, number, signed

SIDE, ROW = 1.15, 6
"""Inches of a patch, and how many stand in a row."""


@sheet.register
def wholes_sheet(wholes: Wholes) -> Image.Image:
    """A row for each later layer: what its units answer, and how that changes without the part."""
    count = len(wholes.pictures)
    where = (
        "in this picture" if count == 1 else f"over {count} pictures, of which the first is shown"
    )
    words = (
        f"The later units that change most without it, {where}, each with what it sees where it is "
        f"strongest. A part that is not there has its {wholes.baseline}. σ: standard deviations of "
        "the later unit over the data."
    )
    paper = titled(f"What {wholes.name} is a part of", words, breadth(ROW, SIDE))
    paper.top += 0.1
    gallery(paper, [captioned(wholes.pictures[0], "")], SIDE)
    for layer, some in zip(wholes.layers, wholes.wholes, strict=True):
        paper.heading(layer)
        if not some:
            paper.top += paper.write("Nothing changes.", size=SMALL, color=SOFT)
        alike = len({each.box for each in some}) == 1  # dense layers see all of the picture
        shown = [None if alike else captioned(each.patch, "")[0] for each in some]
        told = map(_told, some)
        gallery(paper, list(zip(shown, told, strict=True)), SIDE)
    return paper.image()


def _told(whole: Whole) -> str:
    sigma = "" if whole.deviations is None else f", {number(abs(whole.deviations))} σ"
    name = first_name(whole.name)
    return f"{name}: {number(whole.value)}; without it {signed(-whole.removed)}{sigma}"
