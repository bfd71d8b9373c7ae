"""How many pictures flip, by how far they are moved: a line for all, one for each class."""

from collections.abc import Sequence
from colorsys import hls_to_rgb
from typing import TYPE_CHECKING

from PIL import Image

from phosphene.figures.ink.layout import BLUE, GREY, SMALL, titled
from phosphene.figures.ink.line_names import name_lines, room, short
from phosphene.figures.ink.paper import LINE, MARGIN, SOFT, Paper
from phosphene.probes import FlipRates, Flips
from phosphene.results import sheet
from phosphene.words import class_name, number, percent, plural

if TYPE_CHECKING:
    import matplotlib.axes

MOST_NAMED = 12
"""Lines with a name; there is room for so many, one above the other."""

HEIGHT = 1.7
"""Inches that a chart is high."""

TICK = 0.35
"""Inches that a number under a chart takes."""

_SHARES = 0.4  # inches for the numbers beside a chart


@sheet.register
def flips_sheet(first: Flips, *others: Flips) -> Image.Image:
    """The share of pictures that flip, by how far they are moved: one panel per pass.

    Blue is all pictures, thin lines are single classes, named at the end in their colour; of many
    classes the `MOST_NAMED` that end farthest from blue are, and the others grey. Panels have the
    same scale.
    """
    runs = (first, *others)
    many = any(int((found.class_count > 0).sum()) > MOST_NAMED for found in runs)
    paper = titled(
        "How many pictures flip",
        "The share of pictures that some move within each extent makes the network read otherwise. "
        "Blue: all pictures. Thin lines: the pictures of one class each"
        + (f"; the {MOST_NAMED} that end farthest from blue are named." if many else "."),
    )
    highest = max(_highest(found) for found in runs)
    columns = min(3, len(runs))
    pitch = (paper.width - 2 * MARGIN + 0.3) / columns
    for start in range(0, len(runs), columns):
        paper.top += 0.2
        ends = [
            _panel(paper, found, left=MARGIN + i * pitch, width=pitch - 0.3, highest=highest)
            for i, found in enumerate(runs[start : start + columns])
        ]
        paper.top = max(ends)
    return paper.image()


@sheet.register
def _(rates: FlipRates) -> Image.Image:
    return flips_sheet(*rates.runs)


def _highest(found: Flips) -> float:
    return max(float(found.share.max()), float(found.share_by_class.max()), 0.01)


def _panel(paper: Paper, found: Flips, *, left: float, width: float, highest: float) -> float:
    top = paper.top + paper.write(found.network, left, width=width, size=9.5, weight="bold") + 0.12
    named = _named(found)
    names = [short(class_name(found.classes, i)) for _, i, _ in named]
    place, across = left + _SHARES, width - _SHARES - room(names)
    axes = paper.chart(place, top, across, HEIGHT)
    _lines(axes, found, highest, across)
    ends = [(end, name, colour) for (end, _, colour), name in zip(named, names, strict=True)]
    name_lines(paper, axes, ends, right=place + across, top=top, height=HEIGHT)
    below = top + HEIGHT + 0.28
    words = f"{found.family.name}, in {found.family.unit}"
    below += paper.write(words, place, below, width - _SHARES, SMALL, color=SOFT) + 0.05
    words = (
        f"{percent(float(found.share[-1]))} of {plural(found.count, 'picture')} flip within "
        f"{number(found.levels[-1])}."
    )
    return below + paper.write(words, left, below, width, SMALL) + 0.05


def _lines(axes: "matplotlib.axes.Axes", found: Flips, highest: float, across: float) -> None:
    """The lines, on a chart that is `across` inches wide."""
    colours = {index: colour for _, index, colour in _named(found)}
    for i, (share, seen) in enumerate(zip(found.share_by_class, found.class_count, strict=True)):
        if seen:
            colour, wide = colours.get(i, GREY), 1.1 if i in colours else 0.7
            axes.plot(found.levels, share.numpy(), color=colour, linewidth=wide)
    axes.plot(
        found.levels,
        found.share.numpy(),
        color=BLUE,
        linewidth=2,
        marker="o",
        markersize=3,
        clip_on=False,
    )
    axes.set_ylim(-0.02 * highest, 1.05 * highest)
    span = found.levels[-1] - found.levels[0]
    axes.set_xlim(found.levels[0] - (0.03 * span or 1.0), found.levels[-1])
    ticks = _apart(found.levels, span * TICK / across)
    axes.set_xticks(ticks, [number(level) for level in ticks])
    axes.yaxis.set_major_formatter(lambda share, _: percent(share))
    axes.grid(axis="y", color=LINE, linewidth=0.6)


def _named(found: Flips) -> list[tuple[float, int, str]]:
    """Where lines of classes end, which they are and their colours, from the lowest up."""
    ends = found.share_by_class[:, -1].tolist()
    overall = float(found.share[-1])
    seen = [i for i, count in enumerate(found.class_count.tolist()) if count]
    far = sorted(seen, key=lambda i: -abs(ends[i] - overall))[:MOST_NAMED]
    places = sorted((ends[i], i) for i in far)
    return [(end, i, _colour(rank)) for rank, (end, i) in enumerate(places)]


def _colour(rank: int) -> str:
    """Colours round the wheel but for blue, golden steps apart, in turn light and dark."""
    hue = (0.72 + 0.8 * (rank * 0.618 % 1)) % 1.0
    rgb = hls_to_rgb(hue, 0.34 if rank % 2 else 0.5, 0.6)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def _apart(levels: Sequence[float], gap: float) -> list[float]:
    """Those of rising `levels` that are at least `gap` from the one chosen before.

    >>> _apart([0.0, 1.0, 1.1, 2.0, 2.9], 1.0)
    [0.0, 1.0, 2.0]
    """
    chosen = [levels[0]]
    for level in levels[1:]:
        if level - chosen[-1] >= gap:
            chosen.append(level)
    return chosen
