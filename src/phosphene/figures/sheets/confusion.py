"""What is taken for what: the confusion matrix as numbers on colour, with a colour bar."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from phosphene.errors import InputError
from phosphene.figures.ink import bars
from phosphene.figures.ink.layout import WIDTH, titled
from phosphene.figures.ink.matrix import depths, matrix
from phosphene.figures.ink.paper import MARGIN, Paper
from phosphene.words import class_name, percent, plural

CELL = 0.42
SHARES = (0.01, 0.05, 0.25, 0.5, 1.0)


def confusion_sheet(confusion: Int[Tensor, "k k"], classes: Sequence[str] = ()) -> Image.Image:
    """Rows are the true class, columns what it was read as; each number counts pictures.

    Colour is the share of the true class, its depth the square root of it, so that one error in a
    hundred can be seen.

    Raises:
        InputError: no pictures were counted.
    """
    counts = confusion.cpu().numpy()
    total, right = int(counts.sum()), int(np.trace(counts))
    if total == 0:
        raise InputError("a confusion matrix of no pictures was to be shown; expected some")
    names = [class_name(classes, i) for i in range(len(counts))]
    room = bars.room(names)
    side = min(CELL, (WIDTH - 2 * MARGIN - room) / len(counts))
    words = (
        f"{plural(total, 'picture')}, {percent(right / total)} read right. Rows: the true class. "
        "Columns: what it was read as. Colour: the share of the true class."
    )
    paper = titled("What is taken for what", words, max(2 * MARGIN + room + side * len(counts), 5))
    paper.top += 0.15
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    told = [[f"{count:,}" if count else "" for count in row] for row in counts.tolist()]
    matrix(paper, np.sqrt(shares), told, names, left=MARGIN, room=room, side=side)
    paper.top += 0.2
    _bar(paper, MARGIN + room)
    return paper.image()


def _bar(paper: Paper, left: float) -> None:
    """The colours of a few shares, each with its number."""
    axes = paper.chart(left, paper.top, 0.6 * len(SHARES), 0.14)
    axes.imshow(depths(np.sqrt(np.array([SHARES]))), aspect="auto")
    axes.set_xticks(range(len(SHARES)), [percent(share) for share in SHARES])
    axes.set_yticks([])
    paper.top += 0.35
