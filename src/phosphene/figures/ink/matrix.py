"""Tables of numbers on colour: ruled cells, with names around them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxtyping import Float, UInt8
from numpy import ndarray

from phosphene.figures.ink.layout import SMALL
from phosphene.figures.ink.palette import on_paper, signed_to_rgba
from phosphene.figures.ink.paper import INK, LINE, SOFT, Paper

if TYPE_CHECKING:
    import matplotlib.axes

LINE_HEIGHT = 0.14
"""Inches that a line of small letters takes."""

NARROW = 0.2
"""Inches of a cell in which no number fits."""

DEEP = 0.75
"""From this depth on, letters on a cell are white."""


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


def matrix(
    paper: Paper,
    shares: Float[ndarray, "n n"],
    words: Sequence[Sequence[str]],
    names: Sequence[str],
    *,
    left: float,
    room: float,
    side: float,
) -> "matplotlib.axes.Axes":
    """Cells as deep as their shares, each with its words, the same names beside and above.

    `room` inches are kept for the names on the left. Where cells are too narrow names above stand
    on end, only as many are told as have a line of their own, and no words. `paper.top` is moved
    to where it ends.
    """
    corner = left + room
    told = range(0, len(names), math.ceil(LINE_HEIGHT / side))
    _heads(paper, [(names[j], corner + (j + 0.5) * side) for j in told], side)
    top = paper.top
    axes = cells(paper, depths(shares), corner, top, side)
    for i in told:
        middle = top + (i + 0.5) * side - paper.height(names[i], room - 0.08, SMALL) / 2
        paper.write(names[i], corner - 0.08, middle, room - 0.08, SMALL, color=SOFT, ha="right")
    for i, row in enumerate(words if side > NARROW else ()):
        for j, said in enumerate(row):
            colour = "white" if shares[i, j] > DEEP else INK
            axes.text(j, i, said, ha="center", va="center", size=SMALL, color=colour)
    paper.top = top + side * len(names)
    return axes


def _heads(paper: Paper, names: Sequence[tuple[str, float]], side: float) -> None:
    """Names over the middles of cells of `side` inches; on end if one of their words is wider."""
    wide = max((0.06 * len(word) for name, _ in names for word in name.split()), default=0.0)
    style: dict[str, Any] = {"size": SMALL, "color": SOFT}
    if wide <= 0.9 * side:
        heights = [paper.write(n, x, width=0.9 * side, ha="center", **style) for n, x in names]
        paper.top += max(heights, default=0.0) + 0.04
        return
    paper.top += 0.06 * max(len(name) for name, _ in names) + 0.04
    for name, middle in names:
        place = middle + 0.04, paper.top - LINE_HEIGHT
        paper.write(name, *place, width=9.0, rotation=90, rotation_mode="anchor", **style)
