"""Names beside the ends of lines, apart from each other."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from phosphene.figures.ink.paper import Paper

if TYPE_CHECKING:
    import matplotlib.axes

LEADER = 0.22
"""Inches from a line's end to its name."""

_SIZE = 6.5
_LETTER, _LINE = 0.57 * _SIZE / 72, 1.35 * _SIZE / 72
_LETTERS = 16

End = tuple[float, str, str]
"""Where a line ends, its name and its colour."""


def short(name: str) -> str:
    """A name with no more letters than there is room for."""
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1].rstrip()}…"


def room(names: Sequence[str]) -> float:
    """Inches that names take beside a chart, their leaders among them."""
    return LEADER + _LETTER * max(map(len, names), default=0)


def name_lines(
    paper: Paper,
    axes: "matplotlib.axes.Axes",
    ends: Sequence[End],
    *,
    right: float,
    top: float,
    height: float,
) -> None:
    """Write the names of lines, from the lowest up, beside a chart, with leaders to their ends.

    The chart ends at `right`, begins at `top` and is `height` high, in inches.
    """
    low, high = axes.get_ylim()
    inch = (high - low) / height
    centres = spaced([end for end, _, _ in ends], _LINE * inch, low, high)
    for (end, name, colour), centre in zip(ends, centres, strict=True):
        axes.annotate(
            "",
            (1, end),
            (0.85 * LEADER * 72, (centre - end) / inch * 72),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
        place = top + (high - centre) / inch - _LINE / 2
        paper.write(name, right + LEADER, place, 2.0, _SIZE, color=colour)


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
