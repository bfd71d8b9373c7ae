"""Why a picture is read as it is: ways from its pixels to the class, and what flips the answer."""

from PIL import Image

from phosphene.circuits import Flip, Way, Why
from phosphene.figures.ink.compositions import captioned, mapped
from phosphene.figures.ink.layout import BLUE, RED, SMALL, titled
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import MARGIN, Paper
from phosphene.results import sheet
from phosphene.words import first_name, number, percent, plural, signed

SIDE, BETWEEN, WORDS = 1.0, 0.08, 5.2
"""Inches of a patch and of a map, between them, and of the words beside them."""


@sheet.register
def why_sheet(why: Why) -> Image.Image:
    """A row for each way, those that speak for the answer first; below it what would change it."""
    words = (
        f"{'Its lead' if why.instead else 'Its score'} is {number(why.value)}. Each way leads from "
        "pixels through one unit of each stage; beside it what the way adds by its score, and what "
        "is lost when its last unit is removed and only the way is told of it. A unit that is not "
        f"there has its {why.baseline}."
    )
    width = 2 * MARGIN + 2 * (SIDE + BETWEEN) + WORDS
    paper = titled(why.question, words, width)
    paper.top += 0.1
    shown = picture_to_image(why.picture.numpy())
    paper.top += 0.1 + paper.picture(shown, MARGIN, paper.top, 1.5 * SIDE)
    for heading, ways in (("Speaks for it", why.adding), ("Speaks against it", why.taking)):
        if ways:
            paper.heading(heading)
            for way in ways:
                _row(paper, way)
    paper.heading("What would change the answer")
    for words in _flips(why):
        paper.top += 0.04 + paper.write(words, size=9.0)
    return paper.image()


def _row(paper: Paper, way: Way) -> None:
    top = paper.top
    lowest = 0.0
    for i, (image, _) in enumerate((captioned(way.patch, ""), mapped(way.map, ""))):
        if image is not None:
            place = MARGIN + i * (SIDE + BETWEEN)
            lowest = max(lowest, paper.picture(image, place, top, SIDE))
    beside = MARGIN + 2 * (SIDE + BETWEEN) + 0.05
    top += 0.1
    lines = [
        (" → ".join(reversed(way.names)), {"weight": "bold"}),
        (
            f"{'adds' if way.score > 0 else 'takes'} {signed(way.score)}",
            {"color": BLUE if way.score > 0 else RED},
        ),
        (f"without it {signed(-way.removed)}{' (!)' if way.contradicted else ''}", {}),
    ]
    for words, style in lines:
        top += paper.write(words, beside, top, WORDS, size=SMALL + 1, **style)
    paper.top += max(lowest, top - paper.top) + 0.12


def _flips(why: Why) -> list[str]:
    if not why.flips:
        return [
            f"Nothing that was tried: up to {why.tried} units of {', '.join(why.layers)} were "
            "removed, alone and together, and the answer stayed."
        ]
    return [_flip(flip) for flip in why.flips]


def _flip(flip: Flip) -> str:
    names = ", ".join(flip.names[:6]) + (", …" if len(flip.names) > 6 else "")
    return (
        f"Without {plural(len(flip.units), 'unit')} of {flip.layer} ({names}) it is read as "
        f"{first_name(flip.becomes)}, {percent(flip.probability)}; of {percent(flip.before)} "
        f"for what it was {percent(flip.left)} are left."
    )
