"""What pictures made for one network say to others."""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from numpy import ndarray
from PIL import Image
from torch import Tensor

from phosphene.figures.ink.layout import SMALL, WIDTH, cells, depths, framed
from phosphene.figures.ink.paper import INK, MARGIN, SOFT, Paper
from phosphene.probes import Transfer
from phosphene.results import sheet
from phosphene.words import number, percent


@sheet.register
def transfer_sheet(transfer: Transfer, names: Sequence[str] | None = None) -> Image.Image:
    """Two matrices of numbers on colour: the share convinced, and the mean probability.

    Rows are the network the pictures were made for, columns the one they were shown to; the
    diagonal is framed. `names` are names to use in place of the networks' own.
    """
    called = transfer.names if names is None else names
    side, room = 0.75, 1.3
    wide = room + side * len(called)
    paper = Paper(max(WIDTH, 2 * MARGIN + 2 * wide + 0.4))
    paper.top += paper.write("Transfer", size=17.0, weight="bold")
    words = f"{transfer.summary} Rows: the network they were made for. "
    words += "Columns: the network they were shown to."
    paper.top += 0.05 + paper.write(words, color=SOFT)
    top = paper.top
    panels: tuple[tuple[str, Tensor, Callable[[float], str]], ...] = (
        ("Share read as their target", transfer.convinced, percent),
        ("Mean probability of the target", transfer.probability, number),
    )
    ends = []
    for i, (title, values, say) in enumerate(panels):
        paper.top = top
        left = MARGIN + i * (wide + 0.4)
        paper.heading(title, left)
        ends.append(
            _matrix(paper, values.numpy(), names=called, say=say, left=left, room=room, side=side)
        )
    paper.top = max(ends)
    return paper.image()


def _matrix(
    paper: Paper,
    values: Float[ndarray, "n n"],
    *,
    names: Sequence[str],
    say: Callable[[float], str],
    left: float,
    room: float,
    side: float,
) -> float:
    heads = [
        paper.write(name, left + room + j * side + 0.04, width=side, size=SMALL, color=SOFT)
        for j, name in enumerate(names)
    ]
    top = paper.top + max(heads) + 0.04
    axes = cells(paper, depths(values), left + room, top, side)
    for i, name in enumerate(names):
        paper.write(name, left, top + i * side + 0.06, room - 0.1, SMALL)
        framed(axes, i, i)
        for j, value in enumerate(values[i].tolist()):
            colour = "white" if value > 0.6 else INK
            axes.text(j, i, say(value), ha="center", va="center", size=8.5, color=colour)
    return top + side * len(names)
