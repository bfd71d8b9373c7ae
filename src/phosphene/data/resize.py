"""How a picture of any size comes to a network's: cropped, squashed, padded, or not at all."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from PIL import Image

from phosphene.errors import SettingError, UnreadableImageError

Way = Literal["squash", "pad", "none"]

Resize = int | Way
"""The short side's length before a centre crop; or one of three other ways.

`squash` stretches both sides to the input's; `pad` keeps the proportions and fills up with the mean
colour of the picture's border; `none` takes pictures of exactly the input's size alone.
"""

WAYS: tuple[Way, ...] = get_args(Way)


def resize_of(text: str | None) -> Resize | None:
    """A way to resize from its text; None stays None, which is the default.

    >>> resize_of("256"), resize_of("pad"), resize_of(None)
    (256, 'pad', None)
    """
    if text is None:
        return None
    way = next((way for way in WAYS if way == text), None)
    if way is not None:
        return way
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise SettingError(
        f"--resize {text!r} is neither the length of the short side before a centre crop, "
        f"such as 256, nor one of {', '.join(WAYS)}"
    )


def told(resize: Resize | None, size: tuple[int, int]) -> str:
    """What becomes of pictures, in words.

    >>> told(None, (28, 28)), told("pad", (28, 28))
    ('resized and centre-cropped to 28x28', 'padded to 28x28')
    """
    to = f"{size[0]}x{size[1]}"
    match resize:
        case "squash":
            return f"squashed to {to}"
        case "pad":
            return f"padded to {to}"
        case "none":
            return f"of {to} as they are"
        case None:
            return f"resized and centre-cropped to {to}"
        case _:
            return f"resized to a short side of {resize} and centre-cropped to {to}"


def fit(
    image: Image.Image,
    size: tuple[int, int],
    resize: Resize | None,
    crop: Callable[[Image.Image, tuple[int, int], int | None], Image.Image],
) -> Image.Image:
    """`image` at `size` (height, width); one that has it already is untouched by any default.

    `crop` is what cuts the centre out. Raises `UnreadableImageError` where `none` was asked for and
    the size is another.
    """
    height, width = size
    exact = image.size == (width, height)
    if exact and not isinstance(resize, int):
        return image
    match resize:
        case "squash":
            return image.resize((width, height), Image.Resampling.BILINEAR)
        case "pad":
            return _padded(image, size)
        case "none":
            raise UnreadableImageError(
                f"{image.height} x {image.width} pixels where {height} x {width} were asked for; "
                "resize 'none' changes nothing"
            )
        case _:
            return crop(image, size, resize)


def _padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    height, width = size
    scale = min(height / image.height, width / image.width)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.resize(inner, Image.Resampling.BILINEAR)
    values = np.asarray(small).reshape(inner[1], inner[0], -1)
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    ground = tuple(int(level) for level in border.mean(0).round())
    paper = Image.new(image.mode, (width, height), ground if len(ground) > 1 else ground[0])
    paper.paste(small, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return paper
