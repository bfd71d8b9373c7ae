"""How a sheet is laid out: captioned pictures in rows, ruled cells, bars beside names, rulers."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from phosphene.figures.ink.palette import NEGATIVE, POSITIVE, on_paper, signed_to_rgba
from phosphene.figures.ink.paper import INK, LINE, MARGIN, SOFT, Paper
from phosphene.figures.ink.png import AnyImage
from phosphene.words import signed

if TYPE_CHECKING:
    import matplotlib.axes

T = TypeVar("T")

COLUMNS = 9
SIDE, GAP = 0.875, 0.21
LARGE = 1.4
WIDTH = 2 * MARGIN + COLUMNS * SIDE + (COLUMNS - 1) * GAP
"""Inches of a sheet: pictures in a row, a side of theirs and what is between, larger ones, all."""

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


def gallery(paper: Paper, items: Sequence[Captioned], side: float = SIDE) -> None:
    """Captioned pictures in rows from `paper.top` downwards; words alone where there is none."""
    pitch = side + GAP
    columns = max(1, int((paper.width - 2 * MARGIN + GAP) / pitch + 1e-6))
    for start in range(0, len(items), columns):
        lowest = 0.0
        for column, (image, words) in enumerate(items[start : start + columns]):
            left = MARGIN + column * pitch
            height = 0.0 if image is None else paper.picture(image, left, paper.top, side)
            below = height + 0.06
            written = paper.write(words, left, paper.top + below, side + 0.6 * GAP, SMALL)
            lowest = max(lowest, below + written)
        paper.top += lowest + 0.12


def cells(
    paper: Paper, colours: UInt8[ndarray, "n m 3"], left: float, top: float, side: float
) -> "matplotlib.axes.Axes":
    """Cells of `side` inches in their colours; the chart's units are rows and columns."""
    height, width = colours.shape[:2]
    axes = paper.chart(left, top, width * side, height * side)
    axes.imshow(colours, interpolation="nearest", aspect="auto")
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(LINE)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def framed(axes: "matplotlib.axes.Axes", row: int, column: int) -> None:
    """Put a frame around one of the cells."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - slow to import

    corner = column - 0.5, row - 0.5
    axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=INK, linewidth=1.1))


def depths(shares: Float[ndarray, "n m"]) -> UInt8[ndarray, "n m 3"]:
    """Shares in [0, 1] as depths of one colour; zero is paper."""
    return on_paper(signed_to_rgba(shares, 1.0))


def magnitude(pictures: Sequence[Float[ndarray, "..."]]) -> float:
    """The largest magnitude in all of `pictures`, the limit of their common range."""
    return max((float(np.abs(values).max()) for values in pictures), default=0.0)


def ruler(paper: Paper, limit: float, words: str, channels: int = 1) -> None:
    """A colour bar from -limit to limit as signed pictures of that many channels are coloured."""
    ramp = np.linspace(-1.0, 1.0, 201)[None]
    shown = np.stack([ramp] * 3) if channels == 3 else ramp
    axes = paper.chart(MARGIN + 0.15, paper.top, 2.2, 0.12)
    axes.imshow(on_paper(signed_to_rgba(shown, 1.0)), extent=(-1, 1, 0, 1), aspect="auto")
    axes.set_yticks([])
    axes.set_xticks([-1, 0, 1], [signed(-limit), "0", signed(limit)])
    left = MARGIN + 0.15 + 2.2 + 0.35
    written = paper.write(words, left, paper.top - 0.02, size=SMALL, color=SOFT)
    paper.top += max(0.4, written + 0.1)


def bars(
    paper: Paper,
    items: Sequence[tuple[str, float, str]],
    *,
    left: float,
    width: float,
    names: float,
    scale: tuple[float, float] = (0.0, 1.0),
) -> float:
    """Names, bars from zero, and what the bars amount to in words; returns where they end.

    `names` inches are kept for the names; `scale` holds zero, and negative bars are red.
    """
    numbers = 0.62
    low, high = scale
    axes = paper.chart(left + names, paper.top, width - names - numbers, 1.0)
    top = paper.top
    for name, value, words in items:
        height = paper.write(name, left, top, names - 0.06, size=SMALL)
        paper.write(words, left + width - numbers + 0.08, top, numbers, SMALL, color=SOFT)
        axes.barh(top + height / 2, value, 0.09, color=RED if value < 0 else BLUE)
        top += height + 0.03
    axes.set_xlim(low, high if high > low else low + 1)
    axes.set_ylim(top, paper.top)
    axes.set_axis_off()
    paper.stretch(axes, top - paper.top)
    return top


def spaced(
    places: Sequence[float], gap: float, low: float = -math.inf, high: float = math.inf
) -> list[float]:
    """Rising `places`, moved as little as can be until they are `gap` apart and inside the range.

    *Source:* isotonic regression by pooling adjacent violators, Barlow et al. 1972.

    >>> spaced([0.0, 5.0, 5.0, 5.0], 1.0), spaced([0.1, 9.0], 1.0, 0.5, 8.0)
    ([0.0, 4.0, 5.0, 6.0], [0.5, 8.0])
    """
    blocks: list[list[float]] = []
    for i, place in enumerate(places):
        blocks.append([place - i * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    starts = [fmean(block) for block in blocks for _ in block]
    highest = high - gap * (len(places) - 1)
    return [max(low, min(highest, start)) + i * gap for i, start in enumerate(starts)]
