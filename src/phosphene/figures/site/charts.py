"""Small charts for the page, as SVG and tables that carry their own words.

Every number a chart shows can also be read: bars and heat are tables underneath. Colours are CSS
variables, so that one chart serves light and dark pages. Text from outside is always escaped.
"""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy import ndarray

from phosphene.figures.views.responses import firing_counts, strongest_classes
from phosphene.shapes import Real
from phosphene.words import class_name, number, percent, plural

WIDTH, HEIGHT = 320, 132
_LEFT, _RIGHT, _TOP, _BOTTOM = 6, 314, 10, 106

_HISTOGRAM = Markup(
    '<svg class="histogram" viewBox="0 0 {width} {height}" role="img" aria-label="{words}">'
    "<title>{words}</title>"
    '<path class="rest" d="{rest}"/><path class="fires" d="{fires}"/>'
    '<path class="axis" d="M{left} {bottom}H{right}"/>{zero}{ticks}</svg>'
)


def histogram(counts: Sequence[int], low: float, width: float, firing: int) -> Markup:
    """Responses to the images as bars; the `firing` largest, those above zero, are coloured.

    Bar i counts the responses in [low + i·width, low + (i+1)·width). Heights grow with the
    square root of the count, so that a few strong responses show beside a thousand at zero.
    """
    high = low + width * len(counts)
    span = (high - low) or 1.0
    tallest = math.sqrt(max(max(counts, default=0), 1))

    def across(value: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * (value - low) / span, 2)

    def bars(heights: Sequence[int]) -> str:
        drawn = []
        for i, count in enumerate(heights):
            if count:
                start, end = across(low + i * width), across(low + (i + 1) * width)
                rise = round((_BOTTOM - _TOP) * math.sqrt(count) / tallest, 2)
                drawn.append(f"M{start} {_BOTTOM}v-{rise}H{end}v{rise}z")
        return "".join(drawn)

    inside = low <= 0 <= high
    words = (
        f"Histogram of responses to {sum(counts)} images, {firing} above zero, "
        f"from {number(low)} to {number(high)}; tallest bar {max(counts, default=0)} images"
    )
    return _HISTOGRAM.format(
        width=WIDTH,
        height=HEIGHT,
        words=words,
        rest=bars(counts),
        fires=bars(firing_counts(counts, firing)),
        left=_LEFT,
        right=_RIGHT,
        bottom=_BOTTOM,
        zero=Markup('<path class="zero" d="M{} {}V{}"/>').format(across(0.0), _TOP - 6, _BOTTOM + 4)
        if inside
        else "",
        ticks=_ticks([(low, across(low)), (0.0, across(0.0)), (high, across(high))], inside),
    )


def _ticks(ends: list[tuple[float, float]], zero_inside: bool) -> Markup:
    """Low, zero and high; an end too close to zero gives way to it."""
    (low, left), (_, zero), (high, right) = ends
    apart = 46.0
    shown = [("0", zero)] if zero_inside else []
    shown += [
        (number(value), x)
        for value, x in ((low, left), (high, right))
        if not zero_inside or abs(x - zero) > apart
    ]

    def anchor(x: float) -> str:
        return "start" if x < left + 12 else "end" if x > right - 12 else "middle"

    return Markup("").join(
        Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
            x, _BOTTOM + 19, anchor(x), text
        )
        for text, x in shown
    )


_PROFILE_ROW = Markup(
    '<tr{mark}><th scope="row">{name}</th><td class="track">'
    '<span class="bar" style="left:{left}%;width:{width}%"></span></td><td>{value}</td></tr>'
)


def class_profile(
    means: Sequence[float | None],
    labels: Sequence[str],
    preferred: int | None = None,
    most: int = 12,
) -> Markup:
    """Mean response per class as bars from zero, the preferred class marked.

    With more than `most` classes the strongest are shown and the rest are summed up in a line.
    A class of which no image was seen (None or NaN) has no bar.
    """
    seen = strongest_classes(means, len(means))
    shown = strongest_classes(means, most)
    unseen, rest = len(means) - len(seen), len(seen) - len(shown)
    low = min([0.0, *(mean for _, mean in shown)])
    high = max([0.0, *(mean for _, mean in shown)])
    span = (high - low) or 1.0
    rows = Markup("").join(
        _PROFILE_ROW.format(
            mark=Markup(' class="preferred"') if i == preferred else "",
            name=class_name(labels, i),
            left=round(100 * (min(mean, 0) - low) / span, 2),
            width=round(100 * abs(mean) / span, 2),
            value=number(mean),
        )
        for i, mean in shown
    )
    notes = []
    if rest:
        lowest = min(mean for _, mean in seen)
        notes.append(f"{plural(rest, 'more class', 'more classes')}, down to {number(lowest)}.")
    if unseen:
        notes.append(f"No image of {plural(unseen, 'class', 'classes')}.")
    note = Markup('<p class="note">{}</p>').format(" ".join(notes)) if notes else ""
    return Markup(
        '<table class="profile"><caption class="unseen">Mean response to each class</caption>'
        "<tbody>{}</tbody></table>{}"
    ).format(rows, note)


def confusion_table(confusion: Real[ndarray, "k k"], labels: Sequence[str]) -> Markup:
    """Counts of (true class, predicted class), coloured by the share of the true class.

    Rows are the truth. The colour's depth is the square root of the share, so that one error in
    a hundred is visible; a colour bar says which depth is which share.
    """
    names = [class_name(labels, i) for i in range(len(confusion))]
    heads = Markup("").join(
        Markup('<th scope="col"><span>{}</span></th>').format(name) for name in names
    )
    rows = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(name, _heat_cells(row, i, names))
        for i, (name, row) in enumerate(zip(names, confusion, strict=True))
    )
    kind = " long" if max(map(len, names), default=0) > 3 else ""
    kind += " many" if len(names) > 20 else ""
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">'
        '<table class="confusion{}"><caption class="unseen">Rows: true class. Columns: predicted '
        "class. Each number counts images.</caption>"
        '<thead><tr><td class="corner"><span>true ↓<br>read as →</span></td>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>{}"
    ).format(kind, heads, rows, _heat_legend())


def _heat_cells(row: Real[ndarray, "k"], true: int, names: Sequence[str]) -> Markup:
    total = max(float(row.sum()), 1.0)
    cells = []
    for predicted, count in enumerate(row):
        if not count:
            cells.append(Markup("<td></td>"))
            continue
        depth = round(math.sqrt(float(count) / total), 3)
        cells.append(
            Markup('<td class="heat{}" style="--depth:{}" title="{}">{}</td>').format(
                " deep" if depth > 0.85 else "",
                depth,
                f"{int(count)} of true {names[true]} read as {names[predicted]}",
                int(count),
            )
        )
    return Markup("").join(cells)


def _heat_legend() -> Markup:
    steps = Markup("").join(
        Markup('<li><i class="heat" style="--depth:{}"></i>{}</li>').format(
            round(math.sqrt(share), 3), percent(share)
        )
        for share in np.array([0.01, 0.05, 0.25, 0.5, 1.0]).tolist()
    )
    return Markup(
        '<ul class="legend" aria-label="Colour bar"><li>share of the true class</li>{}</ul>'
    ).format(steps)
