"""What pictures made for one network say to others."""

from collections.abc import Callable, Sequence

from PIL import Image
from torch import Tensor

from phosphene.figures.ink.layout import WIDTH, titled
from phosphene.figures.ink.matrix import framed, matrix
from phosphene.figures.ink.paper import MARGIN
from phosphene.probes import Transfer
from phosphene.results import sheet
from phosphene.words import number, percent

SIDE, ROOM, BETWEEN = 0.75, 1.3, 0.4
"""Inches of a cell, of the names beside them, and between the matrices."""


@sheet.register
def transfer_sheet(transfer: Transfer, names: Sequence[str] | None = None) -> Image.Image:
    """Two matrices of numbers on colour: the share convinced, and the mean probability.

    Rows are the network the pictures were made for, columns the one they were shown to; the
    diagonal is framed. `names` are names to use in place of the networks' own.
    """
    called = transfer.names if names is None else names
    wide = ROOM + SIDE * len(called)
    paper = titled(
        "Transfer",
        f"{transfer.summary} Rows: the network they were made for. "
        "Columns: the network they were shown to.",
        max(WIDTH, 2 * MARGIN + 2 * wide + BETWEEN),
    )
    top = paper.top
    panels: tuple[tuple[str, Tensor, Callable[[float], str]], ...] = (
        ("Share read as their target", transfer.convinced, percent),
        ("Mean probability of the target", transfer.probability, number),
    )
    for i, (title, values, say) in enumerate(panels):
        paper.top, left = top, MARGIN + i * (wide + BETWEEN)
        paper.heading(title, left)
        told = [[say(value) for value in row] for row in values.tolist()]
        axes = matrix(paper, values.numpy(), told, called, left=left, room=ROOM, side=SIDE)
        for j in range(len(called)):
            framed(axes, j, j)
    return paper.image()
