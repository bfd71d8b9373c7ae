"""Sheets that are pictures in rows under a title, each with its caption."""

import math
from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from phosphene.figures.ink.layout import GAP, LARGE, WIDTH, Captioned, gallery, titled
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import MARGIN

MOST = 5
"""Pictures in a row; larger ones stand two by two."""


def captioned(picture: Tensor, words: str) -> Captioned:
    """A picture `c h w` in [0, 1] with what is written under it."""
    return picture_to_image(picture.numpy()), words


def composed(
    title: str, words: str, items: Sequence[Captioned], side: float = LARGE
) -> Image.Image:
    """A sheet of captioned pictures of `side` inches, in rows as even as they come."""
    most = MOST if side == LARGE else 2
    columns = math.ceil(len(items) / math.ceil(len(items) / most))  # no lone one in the last row
    width = 2 * MARGIN + columns * (side + GAP) - GAP
    paper = titled(title, words, max(width, 0.55 * WIDTH))
    paper.top += 0.15
    gallery(paper, items, side)
    return paper.image()
