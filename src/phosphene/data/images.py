"""One image file -> one picture: decode, turn upright, choose channels, resize, crop."""

from pathlib import Path

from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from phosphene.data.example import Unreadable, picture
from phosphene.data.modes import plain
from phosphene.data.resize import Resize, fit
from phosphene.errors import DataError, UnreadableImageError

MODES = {1: "L", 3: "RGB"}
"""The mode any file is brought to, for the channel counts every file can be brought to."""


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
    path: str | Path,
    channels: int,
    size: tuple[int, int] | None = None,
    resize: Resize | None = None,
) -> Float[Tensor, "c h w"]:
    """The picture in an image file, in [0, 1].

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
    path: str | Path,
    channels: int,
    size: tuple[int, int] | None = None,
    resize: Resize | None = None,
) -> Float[Tensor, "c h w"] | Unreadable:
    """`read_image` for a pass over many files: one that cannot be decoded is an answer."""
    try:
        with Image.open(path) as file:
            image = plain(ImageOps.exif_transpose(file))
    except UnidentifiedImageError:
        return Unreadable(str(path), "not in an image format that Pillow knows")
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unreadable(str(path), reason)
    if channels in MODES:
        image = image.convert(MODES[channels])
    elif len(image.getbands()) != channels:
        raise DataError(
            f"{path} has {len(image.getbands())} channels ({image.mode}), not {channels}; "
            "any file can be read with 1 (grey) or 3 (RGB)"
        )
    try:
        return picture(image if size is None else fit(image, size, resize, _cropped))
    except UnreadableImageError as error:
        return Unreadable(str(path), str(error))


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
    image = image.resize(scaled, Image.Resampling.BILINEAR)
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))
