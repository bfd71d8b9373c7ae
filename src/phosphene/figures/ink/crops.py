"""Cutting the patch a unit saw out of the image it saw it in."""

import numpy as np
from numpy import ndarray

from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.png import mosaic
from phosphene.shapes import Float, UInt8
from phosphene.units import Box

OUTSIDE = (233, 230, 223)
"""The colour of what a patch shows beyond its image."""


def crop(picture: Float[ndarray, "c h w"], box: Box) -> UInt8[ndarray, "h2 w2 4"]:
    """The pixels of `picture` inside `box`, transparent where the box leaves the picture.

    Bands of a picture of neither one nor three channels lie side by side.

    Transparent rather than black or grey: no pixel that the image never had can be mistaken
    for one of its own.

    >>> crop(np.ones((1, 4, 4)), (-1, 2, 2, 5))[..., 3].tolist()
    [[0, 0, 0], [255, 255, 0], [255, 255, 0]]
    """
    if len(picture) not in {1, 3}:
        return mosaic([crop(band[None], box) for band in picture])
    top, left, bottom, right = box
    _, height, width = picture.shape
    cut = np.zeros((bottom - top, right - left, 4), dtype=np.uint8)
    rows = slice(max(top, 0), min(bottom, height))
    columns = slice(max(left, 0), min(right, width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return cut
    inside = picture_to_image(picture[:, rows, columns])
    place = cut[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    place[..., :3] = inside if inside.ndim == 3 else inside[..., None]
    place[..., 3] = 255
    return cut


def covers(box: Box, height: int, width: int) -> bool:
    """Whether the box takes in the whole image, so that a crop adds nothing to it.

    >>> covers((-3, 0, 28, 30), 28, 28), covers((0, 0, 14, 14), 28, 28)
    (True, False)
    """
    top, left, bottom, right = box
    return top <= 0 and left <= 0 and bottom >= height and right >= width
