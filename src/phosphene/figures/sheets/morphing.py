"""How far pictures are from being read as something else, as one figure."""

import numpy as np
import torch
from PIL import Image

from phosphene.figures.ink.layout import BLUE, SMALL, WIDTH, titled
from phosphene.figures.ink.matrix import matrix
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.probes import MorphDistances
from phosphene.results import sheet
from phosphene.words import class_name, number, plural

MOST_CLASSES = 20
"""With more classes than this the table of pairs would be unreadable."""


@sheet.register
def distances_sheet(found: MorphDistances) -> Image.Image:
    """The distribution of the distance to the flip, and its median for each pair of classes."""
    paper = titled("How far to another class", found.summary)
    paper.heading("L2 distance at the flip")
    flipped = found.l2[found.flipped].numpy()
    axes = paper.chart(MARGIN, paper.top, WIDTH - 2 * MARGIN, 1.5)
    if len(flipped):
        # One bar for each step: distances between two steps do not occur.
        step = float(np.median(flipped / found.steps[found.flipped].clamp_min(1).numpy()))
        axes.hist(
            flipped, bins=(np.arange(0.5, flipped.max() / step + 1.5) * step).tolist(), color=BLUE
        )
    axes.set_yticks([])
    paper.top += 1.5 + 0.3
    left_out = len(found.images) - len(flipped)
    words = f"All {plural(len(flipped), 'morph')} that flipped"
    words += f"; {left_out:,} did not within the steps." if left_out else "."
    paper.top += paper.write(words, size=SMALL, color=SOFT)
    if len(found.classes) <= MOST_CLASSES:
        _pairs(paper, found)
    return paper.image()


def _pairs(paper: Paper, found: MorphDistances) -> None:
    """The median distance from each class (rows) to each (columns)."""
    count = len(found.classes)
    medians = np.full((count, count), np.nan)
    for (source, target), value in found.medians.items():
        medians[source, target] = value
    finite = torch.from_numpy(medians[np.isfinite(medians)])
    if not len(finite):
        return
    paper.heading("Median L2 from each class (rows) to each (columns)")
    paper.top += paper.write("The deeper, the nearer. Blank: none went there.", color=SOFT) + 0.06
    # The nearer, the deeper: a short way to another class is what should strike the eye.
    shown = np.nan_to_num(1 - 0.9 * medians / float(finite.max()), nan=0.0, neginf=0.0)
    told = [["" if np.isnan(v) else _told(v) for v in row] for row in medians.tolist()]
    room = 1.1
    matrix(
        paper,
        shown,
        told,
        [class_name(found.classes, i) for i in range(count)],
        left=MARGIN,
        room=room,
        side=min(0.55, (WIDTH - 2 * MARGIN - room) / count),
    )


def _told(distance: float) -> str:
    return number(distance) if np.isfinite(distance) else "far"
