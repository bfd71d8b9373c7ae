"""How a sheet is laid out: its title, and captioned pictures in rows."""

import math
from collections.abc import Sequence
from typing import TypeVar

from phosphene.figures.ink.palette import NEGATIVE, POSITIVE
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.figures.ink.png import AnyImage

T = TypeVar("T")

COLUMNS = 9
SIDE, GAP = 0.875, 0.21
LARGE = 1.4
"""Pictures in a row; inches of a side of theirs, of what is between, and of a larger one."""


def breadth(columns: int, side: float = SIDE) -> float:
    """Inches of a sheet with so many pictures of `side` inches in a row."""
    return 2 * MARGIN + columns * (side + GAP) - GAP


WIDTH = breadth(COLUMNS)
"""Inches of a sheet, unless it is made for fewer pictures or more."""

SMALL = 7.5
BLUE, RED = ("#{:02x}{:02x}{:02x}".format(*colour) for colour in (POSITIVE, NEGATIVE))
GREY = "#b9bbbf"

Captioned = tuple[AnyImage | None, str]
"""A picture, and what it is with its figure in words."""


def titled(title: str, words: str, width: float = WIDTH) -> Paper:
    """A sheet that begins with its title and what is to be known about the rest."""
    paper = Paper(width)
    paper.top += paper.write(title, size=17.0, weight="bold")
    paper.top += 0.05 + paper.write(words, color=SOFT)
    return paper


def rows(items: Sequence[T], columns: int) -> list[Sequence[T]]:
    """Items in rows of at most `columns`, as even as they come.

    >>> rows("abcdefg", 5)
    ['abcd', 'efg']
    """
    count = math.ceil(len(items) / columns)
    each = math.ceil(len(items) / max(1, count))
    return [items[i * each : (i + 1) * each] for i in range(count)]


def filling(count: int, width: float) -> float:
    """How large `count` pictures in a row are to be to fill `width` inches, within reason.

    >>> filling(9, 9.555), filling(2, 9.555), filling(40, 9.555)
    (0.875, 1.75, 0.875)
    """
    return max(SIDE, min(2 * SIDE, round((width + GAP) / count - GAP, 6)))


def gallery(
    paper: Paper,
    items: Sequence[Captioned],
    side: float = SIDE,
    gap: float = GAP,
    *,
    left: float = MARGIN,
    width: float | None = None,
) -> None:
    """Captioned pictures in rows from `paper.top` downwards; words alone where there is none.

    A row is `width` inches, by default all that the sheet has.
    """
    pitch = side + gap
    room = paper.width - MARGIN - left if width is None else width
    columns = max(1, int((room + gap) / pitch + 1e-6))
    for start in range(0, len(items), columns):
        lowest = 0.0
        for column, (image, words) in enumerate(items[start : start + columns]):
            place = left + column * pitch
            height = 0.0 if image is None else paper.picture(image, place, paper.top, side)
            below = height + 0.06
            written = paper.write(words, place, paper.top + below, side + 0.6 * gap, SMALL)
            lowest = max(lowest, below + written)
        paper.top += lowest + 0.12
