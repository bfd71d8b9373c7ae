"""Sheets that are pictures in rows under a title, each with its caption."""

from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from phosphene.figures.ink.layout import (
    COLUMNS,
    LARGE,
    SIDE,
    WIDTH,
    Captioned,
    breadth,
    gallery,
    rows,
    titled,
)
from phosphene.figures.ink.palette import (
    map_to_image,
    on_paper,
    picture_to_image,
    signed_to_rgba,
)

FEW = 5
"""Large pictures in a row."""


def captioned(picture: Tensor, words: str) -> Captioned:
    """A picture `c h w` in [0, 1] with what is written under it."""
    return picture_to_image(picture.cpu().numpy()), words


def mapped(values: Tensor, words: str, limit: float | None = None) -> Captioned:
    """Signed values `h w` or `c h w` in colour, from -limit to limit or as strong as they are."""
    shown = values.cpu().numpy()
    if limit is None:
        return map_to_image(shown), words
    return on_paper(signed_to_rgba(shown, limit)), words


def composed(
    title: str,
    words: str,
    items: Sequence[Captioned],
    side: float | None = None,
    *,
    columns: int | None = None,
    most: int = FEW,
) -> Image.Image:
    """A sheet of captioned pictures in rows of `columns`, by default as even as they come.

    Then at most `most` stand in a row. Pictures are large where few do, and one by itself is larger
    still, unless they are to be of `side` inches.
    """
    parts = rows(items, most)
    if columns is not None:
        parts = [items[i : i + columns] for i in range(0, len(items), columns)]
    widest = max(map(len, parts), default=1)
    alone = 2 * LARGE if len(items) == 1 else LARGE
    side = side or (alone if widest <= FEW else SIDE)
    paper = titled(title, words, max(breadth(widest, side), 0.55 * WIDTH))
    paper.top += 0.15
    for part in parts:
        gallery(paper, part, side)
    return paper.image()


def by_number(count: int) -> int:
    """How many of so many pictures may stand in a row: few are shown large.

    >>> by_number(10), by_number(11)
    (5, 9)
    """
    return FEW if count <= 2 * FEW else COLUMNS
