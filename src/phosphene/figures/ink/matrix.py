"""Tables of numbers on colour: ruled cells, with names around them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxtyping import Float, UInt8
from numpy import ndarray

from phosphene.figures.ink.layout import SMALL
from phosphene.figures.ink.palette import on_paper, signed_to_rgba
from phosphene.figures.ink.paper import INK, LINE, SOFT, Paper

if TYPE_CHECKING:
    import matplotlib.axes

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

    `room` inches are kept for the names on the left. `paper.top` is moved to where it ends.
    """
    corner = left + room
    heads = [
        paper.write(
            name,
            corner + (j + 0.5) * side,
            width=0.95 * side,
            size=SMALL,
            color=SOFT,
            ha="center",
        )
        for j, name in enumerate(names)
    ]
    top = paper.top + max(heads) + 0.04
    axes = cells(paper, depths(shares), corner, top, side)
    for i, name in enumerate(names):
        middle = top + (i + 0.5) * side - paper.height(name, room - 0.08, SMALL) / 2
        paper.write(name, corner - 0.08, middle, room - 0.08, SMALL, color=SOFT, ha="right")
        for j, said in enumerate(words[i]):
            colour = "white" if shares[i, j] > DEEP else INK
            axes.text(j, i, said, ha="center", va="center", size=SMALL, color=colour)
    paper.top = top + side * len(names)
    return axes
