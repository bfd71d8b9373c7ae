"""A unit's weights as pictures, where they are such."""

from collections.abc import Mapping

import numpy as np
from numpy import ndarray

from phosphene.figures.ink.palette import signed_to_rgba
from phosphene.figures.ink.png import mosaic
from phosphene.shapes import Float, UInt8

MOST_KERNELS = 64


def as_picture(
    weights: Float[ndarray, "..."] | None, size: Mapping[str, int]
) -> Float[ndarray, "c h w"] | None:
    """Weights that look at the input itself: a kernel over one or three channels, or all of it.

    `size` holds the input's `channels`, `height` and `width`.
    """
    if weights is None:
        return None
    shape = (size["channels"], size["height"], size["width"])
    if weights.ndim == 3 and weights.shape[0] in {1, shape[0]} & {1, 3}:
        return weights if max(weights.shape[1:]) > 1 else None
    if weights.ndim == 1 and weights.size == np.prod(shape):
        return weights.reshape(shape)
    return None


def kernels(weights: Float[ndarray, "..."] | None) -> UInt8[ndarray, "h w 4"] | None:
    """Kernels side by side in one range, one for each channel of the layer below."""
    if weights is None or weights.ndim != 3:
        return None
    if max(weights.shape[1:]) == 1 or len(weights) > MOST_KERNELS:
        return None
    limit = float(np.abs(weights).max())
    return mosaic([signed_to_rgba(kernel, limit) for kernel in weights])
