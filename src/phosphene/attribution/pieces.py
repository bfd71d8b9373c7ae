"""Maps of single positions, worked out on the pieces of the pictures that they see."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.network import Network, Pieces
from phosphene.objectives import Neuron, Term


@dataclass(frozen=True)
class Cut:
    """Pieces of n pictures of `size` (h, w), where they lie in them, and the same objective there.

    What each piece answers, and its gradient, are those of the whole picture.
    """

    size: tuple[int, int]
    pictures: Float[Tensor, "n c ph pw"]
    boxes: tuple[tuple[slice, slice], ...]
    objective: Term

    def parts(self, pixels: int) -> Iterator["Cut"]:
        """The same in parts of at most so many pixels, or of one piece."""
        height, width = self.pictures.shape[2:]
        images = range(len(self.boxes))
        at_once = max(1, pixels // (height * width))
        for start in images[::at_once]:
            few = images[start : start + at_once]
            boxes = self.boxes[few.start : few.stop]
            pictures = self.pictures[few.start : few.stop]
            yield replace(self, pictures=pictures, boxes=boxes, objective=self.objective.take(few))

    def paste(self, maps: Float[Tensor, "n c ph pw"]) -> Float[Tensor, "n c h w"]:
        """Maps of the pieces as maps of the pictures, zero where the position does not look."""
        whole = maps.new_zeros(*maps.shape[:2], *self.size)
        for there, here, (rows, columns) in zip(whole, maps, self.boxes, strict=True):
            there[:, rows, columns] = here
        return whole


_WORTH_MEASURING = 128
"""So many maps take as long as measuring the receptive fields, which pieces are made from."""


def pieces_for(
    network: Network, pictures: Float[Tensor, "n c h w"], objective: Term, maps: int
) -> Pieces | None:
    """How to cut pictures for so many maps of an objective; None where whole ones are better."""
    if not isinstance(objective, Neuron) or tuple(pictures.shape[2:]) != network.input.size:
        return None
    known = network.measured or maps >= _WORTH_MEASURING
    return network.pieces(objective.layer) if known else None


def cut_out(pieces: Pieces, pictures: Float[Tensor, "n c h w"], objective: Term) -> Cut | None:
    """The pieces that a `Neuron` of each picture sees; None where there are no such places."""
    assert isinstance(objective, Neuron), "nothing else sees pieces, see `pieces_for`"
    if objective.batch not in {None, len(pictures)}:
        return None  # as the objective itself will say
    y, x = objective.position(len(pieces.rows), len(pieces.columns))
    places = list(zip(_each(y, len(pictures)), _each(x, len(pictures)), strict=True))
    if not all(y in range(len(pieces.rows)) and x in range(len(pieces.columns)) for y, x in places):
        return None
    boxes = tuple(pieces.box(y, x) for y, x in places)
    cut = [picture[:, *box] for picture, box in zip(pictures, boxes, strict=True)]
    rows = tuple(pieces.rows[y][1] for y, _ in places)
    columns = tuple(pieces.columns[x][1] for _, x in places)
    index = tuple(_each(objective.index, len(pictures)))
    size = (pictures.shape[2], pictures.shape[3])
    return Cut(size, torch.stack(cut), boxes, Neuron(objective.layer, index, rows, columns))


def _each(value: int | tuple[int, ...], count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else value
