"""What is made of a picture wherever it is moved."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from phosphene.figures.ink.layout import BLUE, GREY, SMALL, titled
from phosphene.figures.ink.matrix import cells, depths, framed
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import LINE, MARGIN, SOFT, Paper
from phosphene.probes import Move, MoveMap
from phosphene.results import sheet
from phosphene.words import class_name, percent

if TYPE_CHECKING:
    import matplotlib.axes


MOST_COLOURS = 8
"""Classes with a colour of their own in a map; the rest share a grey."""


@sheet.register
def move_sheet(moves: MoveMap) -> Image.Image:
    """A picture, and what is made of it wherever it is moved.

    Shifts give two maps, the probability of the true class and the class read, rows being shifts
    down and columns shifts to the right; any other family gives a curve with the class read as the
    colour of its points.
    """
    true = class_name(moves.classes, moves.label)
    paper = titled(f"Moved: {moves.family.name}", moves.summary)
    paper.top += 0.15
    top, side = paper.top, 1.4
    below = top + paper.picture(picture_to_image(moves.picture.numpy()), MARGIN, top, side) + 0.06
    below += paper.write(f"the picture, class {true}", MARGIN, below, side, SMALL)
    colours = _colours(moves)
    draw = _maps if moves.probability.ndim == 2 else _curve
    paper.top = max(
        below, draw(paper, moves, true, colours=colours, left=MARGIN + side + 0.5, top=top)
    )
    paper.top += 0.15
    _legend(paper, moves, colours, moves.classes)
    return paper.image()


def _maps(
    paper: Paper, moves: MoveMap, true: str, *, colours: dict[int, str], left: float, top: float
) -> float:
    count, between = moves.probability.shape[1], 0.55
    side = min(0.5, (paper.width - MARGIN - left - between) / 2 / count)
    shown = [
        (depths(moves.probability.numpy()), f"p({true}): deepest at 1, none at 0"),
        (_painted(moves, colours), "the class read, coloured as below"),
    ]
    ends = []
    for i, (image, words) in enumerate(shown):
        place = left + i * (count * side + between)
        axes = cells(paper, image, place, top, side)
        framed(axes, count // 2, count // 2)
        _ticks(axes, count)
        below = top + len(image) * side + 0.24
        width = max(1.2, count * side)
        ends.append(below + paper.write(words, place, below, width, SMALL, color=SOFT))
    words = "Shifts in pixels, down and to the right; the frame is the picture unmoved."
    return max(ends) + 0.05 + paper.write(words, left, max(ends) + 0.05, size=SMALL, color=SOFT)


def _ticks(axes: "matplotlib.axes.Axes", count: int) -> None:
    radius = count // 2
    places, names = [0, radius, count - 1], [f"−{radius}", "0", f"+{radius}"]
    if radius:
        axes.set_xticks(places, names)
        axes.set_yticks(places, names)


def _painted(moves: MoveMap, colours: dict[int, str]) -> UInt8[ndarray, "n m 3"]:
    read = [[colours.get(c, GREY) for c in row] for row in moves.predicted.tolist()]
    return np.array([[list(bytes.fromhex(c[1:])) for c in row] for row in read], dtype=np.uint8)


def _curve(
    paper: Paper, moves: MoveMap, true: str, *, colours: dict[int, str], left: float, top: float
) -> float:
    places = {f.name: [getattr(m, f.name) for m in moves.family.moves] for f in fields(Move)}
    axis = max(places, key=lambda name: len(set(places[name])))
    read = sorted(
        zip(places[axis], moves.probability.tolist(), moves.predicted.tolist(), strict=True)
    )
    axes = paper.chart(left, top + 0.2, paper.width - MARGIN - left, 2.0)
    axes.plot([x for x, _, _ in read], [p for _, p, _ in read], color=GREY, linewidth=1)
    points = [colours.get(c, GREY) for _, _, c in read]
    axes.scatter([x for x, _, _ in read], [p for _, p, _ in read], 22, points, zorder=3)
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    paper.write(f"p({true}) by {axis} ({moves.family.unit})", left, top - 0.04, size=SMALL)
    return top + 2.5


def _colours(moves: MoveMap) -> dict[int, str]:
    """Blue for the true class, other colours for those read most often."""
    from matplotlib import colormaps  # noqa: PLC0415 - slow to import

    read = Counter(moves.predicted.flatten().tolist())
    others = [c for c, _ in read.most_common() if c != moves.label][: MOST_COLOURS - 1]
    palette = [
        "#{:02x}{:02x}{:02x}".format(*c) for c in colormaps["Dark2"](range(8), bytes=True)[:, :3]
    ]
    return {moves.label: BLUE} | dict(zip(others, palette, strict=False))


def _legend(paper: Paper, moves: MoveMap, colours: dict[int, str], names: Sequence[str]) -> None:
    """Each class read, with its colour and how often."""
    read, total = Counter(moves.predicted.flatten().tolist()), moves.predicted.numel()
    items = [(colours[c], class_name(names, c), read[c]) for c in colours]
    rest = total - sum(count for _, _, count in items)
    if rest:
        items.append((GREY, "any other", rest))
    pitch = (paper.width - 2 * MARGIN) / 3
    for start in range(0, len(items), 3):
        tallest = 0.0
        for column, (colour, name, count) in enumerate(items[start : start + 3]):
            left = MARGIN + column * pitch
            swatch = np.array([[list(bytes.fromhex(colour[1:]))]], dtype=np.uint8)
            paper.picture(swatch, left, paper.top, 0.12)
            words = f"{name}: {percent(count / total)} of the moves"
            tallest = max(tallest, paper.write(words, left + 0.2, width=pitch - 0.4, size=SMALL))
        paper.top += tallest + 0.06
