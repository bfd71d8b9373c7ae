"""Bars beside names, with what they amount to in words."""

from collections.abc import Iterable, Sequence

from phosphene.figures.ink.layout import BLUE, GAP, RED, SMALL
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper

Bar = tuple[str, float, str]
"""A name, how long the bar is, and what that is in words."""


def room(words: Iterable[str]) -> float:
    """Inches that the longest of some words takes in small letters, with air behind it."""
    return 0.12 + 0.06 * max(map(len, words), default=0)


def bars(
    paper: Paper,
    items: Sequence[Bar],
    *,
    left: float,
    width: float,
    names: float | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
    colours: Sequence[str] = (),
) -> float:
    """Bars from zero between their names and words; returns where they end.

    `names` inches are kept for the names, by default what they need within reason; `scale` holds
    zero, and negative bars are red unless `colours` are given.
    """
    colours = colours or [RED if value < 0 else BLUE for _, value, _ in items]
    if names is None:
        names = min(room(name for name, _, _ in items), 0.4 * width)
    numbers = room(words for _, _, words in items)
    low, high = scale
    axes = paper.chart(left + names, paper.top, width - names - numbers, 1.0)
    top, middles = paper.top, []
    for name, _, words in items:
        height = paper.write(name, left, top, names - 0.06, size=SMALL)
        paper.write(words, left + width - numbers + 0.08, top, numbers, SMALL, color=SOFT)
        middles.append(top + height / 2)
        top += height + 0.03
    axes.barh(middles, [value for _, value, _ in items], 0.09, color=list(colours))
    axes.set_xlim(low, high if high > low else low + 1)
    axes.set_ylim(top, paper.top)
    axes.set_axis_off()
    paper.stretch(axes, top - paper.top)
    return top


def bars_in_halves(
    paper: Paper, items: Sequence[Bar], scale: tuple[float, float] = (0.0, 1.0)
) -> None:
    """Bars across the whole sheet: the first half on the left, the second beside it."""
    width, cut = (paper.width - 2 * MARGIN - 2 * GAP) / 2, -(-len(items) // 2)
    names = min(room(name for name, _, _ in items), 0.4 * width)
    places = (MARGIN, items[:cut]), (MARGIN + width + 2 * GAP, items[cut:])
    paper.top = max(
        bars(paper, part, left=left, width=width, names=names, scale=scale)
        for left, part in places
        if part
    )
