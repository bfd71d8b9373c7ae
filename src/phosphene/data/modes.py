"""Any Pillow image as one of four plain 8-bit modes: L, LA, RGB or RGBA."""

import numpy as np
from PIL import Image

from phosphene.errors import UnreadableImageError

PLAIN = ("L", "LA", "RGB", "RGBA")


def plain(image: Image.Image) -> Image.Image:
    """The image in the nearest of the modes L, LA, RGB and RGBA.

    Bilevel becomes L, 16-bit grey is scaled to L, a palette is looked up, and other colour spaces
    (CMYK, YCbCr, LAB, HSV) become RGB. Raises `UnreadableImageError` for floating-point images,
    whose range no file states.

    >>> plain(Image.new("CMYK", (2, 2))).mode
    'RGB'
    """
    if image.mode in PLAIN:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I"):  # Pillow calls 16-bit grey "I" or "I;16", by version and format
        levels = np.asarray(image, dtype=np.float64) / 257
        return Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))
    if image.mode == "F":
        raise UnreadableImageError(
            "floating-point pixels (Pillow mode F) have no stated range; "
            "save the image with 8 or 16 bits a channel"
        )
    transparent = image.mode in ("PA", "RGBa", "La") or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")
