"""From numbers to colours: one palette for signed maps, one way to show a picture.

Blue is positive (evidence for), red is negative (evidence against), and zero is no colour at all:
it is transparent, so the paper shows through, whether the page is light or dark. The two ends
are equally light, so that magnitude alone decides how strongly a pixel stands out.
"""

import numpy as np
from numpy import ndarray
from PIL import Image

from phosphene.figures.ink.png import mosaic
from phosphene.shapes import Float, UInt8

BILINEAR = Image.Resampling.BILINEAR

POSITIVE = (45, 120, 214)
NEGATIVE = (214, 63, 47)


def signed_to_rgba(
    values: Float[ndarray, "h w"] | Float[ndarray, "c h w"], limit: float | None = None
) -> UInt8[ndarray, "h2 w2 4"]:
    """Colour a signed map so that zero is neutral; the range is symmetric, -limit to limit.

    `limit` defaults to the map's largest magnitude. Three channels are shown as colour on grey,
    grey being zero, as gradients of colour images are in the literature; any other number of
    channels side by side, each in the diverging palette: their sum would hide where signs differ.

    >>> signed_to_rgba(np.array([[-2.0, 0.0, 2.0]]))[0].tolist()
    [[214, 63, 47, 255], [45, 120, 214, 0], [45, 120, 214, 255]]
    """
    if values.ndim == 3 and values.shape[0] == 3:
        grey = np.rint(127.5 + 127.5 * _scaled(values, limit))
        return np.dstack([*grey, np.full(values.shape[1:], 255)]).astype(np.uint8)
    if values.ndim == 3 and values.shape[0] > 1:
        largest = float(np.abs(values).max()) if limit is None else limit
        return mosaic([signed_to_rgba(band, largest) for band in values])
    scaled = _scaled(values.reshape(values.shape[-2:]), limit)
    colour = np.where(scaled[..., None] < 0, NEGATIVE, POSITIVE)
    return np.dstack([colour, np.rint(255 * np.abs(scaled))]).astype(np.uint8)


def full_strength(values: Float[ndarray, "*shape"]) -> float | None:
    """The magnitude from which on values are shown at full strength; None for a map of zeros.

    A few pixels far above the others would leave these too faint to see, so the strongest in 200
    are shown alike, and in colour, which is fainter on its grey than ink is on paper, the strongest
    in 30; but nothing weaker than an eighth of the strongest is.

    >>> full_strength(np.array([0.0] * 999 + [-8.0])), full_strength(np.array([0.0, 2.0, 2.0]))
    (1.0, 2.0)
    """
    strength = np.abs(values)
    alike = 30 if values.ndim == 3 and len(values) == 3 else 200
    limit = max(float(np.quantile(strength, 1 - 1 / alike)), float(strength.max()) / 8)
    return limit or None


def map_to_image(
    values: Float[ndarray, "h w"] | Float[ndarray, "c h w"],
) -> UInt8[ndarray, "h2 w2 3"]:
    """A signed map on paper, as strong as it is; in colour unless it says the same of all colours.

    >>> map_to_image(np.array([[[-2.0, 0.0, 2.0]]] * 3))[0].tolist()
    [[214, 63, 47], [255, 255, 255], [45, 120, 214]]
    """
    alike = values.ndim == 3 and bool((values == values[:1]).all())
    shown = values[:1] if alike else values
    return on_paper(signed_to_rgba(shown, full_strength(shown)))


def picture_to_image(
    picture: Float[ndarray, "c h w"],
) -> UInt8[ndarray, "h2 w2"] | UInt8[ndarray, "h w 3"]:
    """Bytes of a picture in [0, 1]: grey for one channel, colour for three.

    Any other number of channels lie side by side, in rows, each grey by itself, with white lines
    between: what differs between bands is lost in their mean.

    >>> picture_to_image(np.array([[[0.0, 0.5, 1.0]]])).tolist()
    [[0, 128, 255]]
    >>> picture_to_image(np.zeros((4, 2, 2))).tolist()[1:3]
    [[0, 0, 255, 0, 0], [255, 255, 255, 255, 255]]
    """
    image: ndarray = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    if len(image) in {1, 3}:
        plain: ndarray = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        return plain
    bands = mosaic([np.dstack([band] * 3 + [np.full_like(band, 255)]) for band in image])
    grid: ndarray = np.where(bands[..., 3] > 0, bands[..., 0], 255).astype(np.uint8)
    return grid


def on_paper(
    rgba: UInt8[ndarray, "h w 4"], paper: tuple[int, int, int] = (255, 255, 255)
) -> UInt8[ndarray, "h w 3"]:
    """Lay a translucent image on paper, for figures that stand alone.

    >>> on_paper(np.array([[[10, 20, 30, 0]]], dtype=np.uint8)).tolist()
    [[[255, 255, 255]]]
    """
    alpha = rgba[..., 3:] / 255
    return np.rint(rgba[..., :3] * alpha + np.array(paper) * (1 - alpha)).astype(np.uint8)


def faded(
    image: UInt8[ndarray, "h w"] | UInt8[ndarray, "h w 3"], alpha: Float[ndarray, "h2 w2"]
) -> UInt8[ndarray, "h w 4"]:
    """An image as opaque as `alpha` in [0, 1] says, which is enlarged smoothly to its size.

    >>> faded(np.array([[10, 20]], dtype=np.uint8), np.array([[0.0, 1.0]])).tolist()
    [[[10, 10, 10, 0], [20, 20, 20, 255]]]
    """
    height, width = image.shape[:2]
    shares = Image.fromarray(picture_to_image(alpha[None])).resize((width, height), BILINEAR)
    colour = image if image.ndim == 3 else np.dstack([image] * 3)
    return np.dstack([colour, np.asarray(shares)])


def _scaled(values: Float[ndarray, "..."], limit: float | None) -> Float[ndarray, "..."]:
    largest = float(np.abs(values).max()) if limit is None else limit
    scaled: Float[ndarray, "..."] = np.zeros_like(values)
    return np.clip(values / largest, -1, 1, out=scaled) if largest > 0 else scaled
