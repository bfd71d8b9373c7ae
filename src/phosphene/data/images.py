"""One image file -> one picture: decode, turn upright, choose channels, resize, crop."""

import warnings
from io import BytesIO
from pathlib import Path

from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from phosphene.data.example import Unreadable, picture
from phosphene.data.image_formats import formats
from phosphene.data.modes import plain
from phosphene.data.resize import Resize, fit
from phosphene.errors import DataError, UnreadableImageError
from phosphene.words import printable

MODES = {1: "L", 3: "RGB"}
"""The mode any file is brought to, for the channel counts every file can be brought to."""


MOST_BESIDE = 16
"""How many times what is asked for a scaled picture may be as a whole."""


def default_resize(size: tuple[int, int]) -> int:
    """How long the short side becomes before a centre crop of `size`.

    256 / 224 of the crop's short side from 64 pixels up, as ImageNet's networks are usually
    tested; below that, where nothing can be spared, the crop's short side itself.

    >>> default_resize((224, 224)), default_resize((28, 28))
    (256, 28)
    """
    short = min(size)
    return round(short * 256 / 224) if short >= 64 else short


def read_image(
    path: str | Path | BytesIO,
    channels: int = 3,
    size: tuple[int, int] | None = None,
    resize: Resize | None = None,
) -> Float[Tensor, "c h w"]:
    """The picture in an image file, or in the bytes of one, in [0, 1].

    The file is turned upright as its EXIF says. `channels` 1 makes it grey and 3 RGB (transparency
    is dropped); any other number must be the file's own. With `size` (height, width) it is scaled
    evenly until it just covers `size * resize / min(size)`, for a square the usual "short side
    becomes `resize`", and the centre is cut out; `resize` defaults to `default_resize(size)`, but
    a picture of exactly `size` is then left as it is. `resize` may also be "squash", "pad" or
    "none", see `phosphene.data.resize`.

    Raises `UnreadableImageError` for a file that cannot be decoded, `DataError` for a channel
    count the file does not have or a `resize` smaller than the crop.
    """
    result = decode(path, channels, size, resize)
    if isinstance(result, Unreadable):
        raise UnreadableImageError(f"cannot read {result.path}: {result.reason}")
    return result


def decode(
    path: str | Path | BytesIO,
    channels: int,
    size: tuple[int, int] | None = None,
    resize: Resize | None = None,
    name: str = "the image",
) -> Float[Tensor, "c h w"] | Unreadable:
    """`read_image` for a pass over many files: one that cannot be decoded is an answer.

    `name` is what to call bytes.
    """
    name = printable(name if isinstance(path, BytesIO) else path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats()) as file:
                image = plain(ImageOps.exif_transpose(file))
    except UnidentifiedImageError:
        return Unreadable(name, "not in an image format that Pillow reads by itself")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Unreadable(name, _too_large())
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unreadable(name, printable(reason))
    try:
        return in_size(image, channels, size, resize, name)
    except UnreadableImageError as error:
        return Unreadable(name, str(error))


def in_size(
    image: Image.Image,
    channels: int,
    size: tuple[int, int] | None = None,
    resize: Resize | None = None,
    name: str = "the image",
) -> Float[Tensor, "c h w"]:
    """The picture of an opened image, as `read_image` makes it of a file called `name`.

    Raises `UnreadableImageError` and `DataError` as it does.
    """
    if channels in MODES:
        image = image.convert(MODES[channels])
    elif len(image.getbands()) != channels:
        found = len(image.getbands())
        raise DataError(
            f"{name} has {found} channels ({image.mode}), not {channels}; "
            "any can be read with 1 (grey) or 3 (RGB)"
        )
    return picture(image if size is None else fit(image, size, resize, _cropped))


def _cropped(image: Image.Image, size: tuple[int, int], resize: int | None) -> Image.Image:
    height, width = size
    short = default_resize(size) if resize is None else resize
    if short < min(size):
        raise DataError(f"resize {short} is smaller than the crop {height} x {width}")
    cover_y, cover_x = (round(side * short / min(size)) for side in size)
    # Whole numbers throughout: the binding side comes out exact, the other never too short.
    if cover_y * image.width >= cover_x * image.height:
        scaled = (cover_y * image.width // image.height, cover_y)
    else:
        scaled = (cover_x, cover_x * image.height // image.width)
    left, top = round((scaled[0] - width) / 2), round((scaled[1] - height) / 2)
    return scaled_part(image, scaled, (left, top, left + width, top + height))


def scaled_part(
    image: Image.Image, scaled: tuple[int, int], box: tuple[int, int, int, int]
) -> Image.Image:
    """`image.resize(scaled).crop(box)`, bilinearly, without making more than is asked for.

    `scaled` is (width, height), `box` (left, top, right, bottom) in pixels of the scaled picture.
    A line of 1 x 30,000 pixels whose short side is to be 256 would take 6 GB as a whole. Where the
    whole is larger than 16 times the box, only the part that the box rests on is scaled, which
    may differ from the whole by rounding, one level of 255.
    """
    left, top, right, bottom = box
    if scaled[0] * scaled[1] <= MOST_BESIDE * (right - left) * (bottom - top):
        return image.resize(scaled, Image.Resampling.BILINEAR).crop(box)
    spans = (
        _needed(image.width, scaled[0], left, right),
        _needed(image.height, scaled[1], top, bottom),
    )
    (west, east), (north, south) = spans
    scale_x, scale_y = image.width / scaled[0], image.height / scaled[1]
    part = image.resize(
        (east - west, south - north),
        Image.Resampling.BILINEAR,
        box=(west * scale_x, north * scale_y, east * scale_x, south * scale_y),
    )
    return part.crop((left - west, top - north, right - west, bottom - north))


def _needed(size: int, scaled: int, start: int, stop: int) -> tuple[int, int]:
    """Which scaled pixels to make so that those from start to stop come out as in the whole.

    Each is a mean over two of the file's pixels, or, where the picture is made smaller, over as
    many as it covers and as many on either side.
    """
    beside = 2 * max(1, -(-scaled // size))
    return max(0, start - beside), min(scaled, stop + beside)


def _too_large() -> str:
    most = Image.MAX_IMAGE_PIXELS or 0
    return (
        f"more than {most:,} pixels, which may be meant to fill the memory: make it smaller, or "
        "raise PIL.Image.MAX_IMAGE_PIXELS"
    )
