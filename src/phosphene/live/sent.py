"""Pictures that are sent: bounded, decoded, brought to the network's size."""

import base64
import binascii
import io
import re
from collections.abc import Callable

from jaxtyping import Float
from PIL import Image
from pydantic import BaseModel, Field
from torch import Tensor

from phosphene.data import read_image
from phosphene.data.image_formats import formats
from phosphene.errors import UnreadableImageError
from phosphene.network import Network

MOST_PIXELS = 2**24
"""Of a picture that is sent."""

MOST_TEXT = 6_000_000
"""Characters of a picture as the text of a link."""

_BEGINNING = ";base64,"
_IMAGE = re.compile(r"image:(\d{1,18})")

Kept = Callable[[int], Float[Tensor, "c h w"]]
"""A picture that the atlas keeps, by its number."""


class Sent(BaseModel):
    """A picture, and who sends it."""

    picture: str = Field(
        max_length=MOST_TEXT,
        description="a PNG or JPEG as a data: link, or image:17 for one that the atlas keeps",
    )
    client: str = Field("script", max_length=64, description="who asks; its newest alone is done")


def picture_sent(network: Network, sent: Sent, kept: Kept) -> Float[Tensor, "c h w"]:
    """The picture that was sent, where the network is.

    Raises:
        UnreadableImageError, DataError: it is no picture.
    """
    if number := _IMAGE.fullmatch(sent.picture):
        return kept(int(number[1])).to(network.device)
    return picture_of_link(network, sent.picture).to(network.device)


def picture_of_link(network: Network, link: str) -> Float[Tensor, "c h w"]:
    """The picture of a `data:` link, brought to the network's size.

    Raises:
        UnreadableImageError: it is none, or larger than a picture may be.
    """
    kind, found, text = link.partition(_BEGINNING)
    if not found or not kind.startswith("data:image/"):
        raise UnreadableImageError("a picture is sent as data:image/png;base64,… and nothing else")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableImageError("the picture that was sent is no base64 text") from None
    try:
        width, height = Image.open(io.BytesIO(content), formats=formats()).size  # the head alone
    except Exception:
        raise UnreadableImageError("what was sent could not be read as an image") from None
    if width * height > MOST_PIXELS:
        raise UnreadableImageError(
            f"the picture has {width:,} x {height:,} pixels; send one of at most {MOST_PIXELS:,}"
        )
    return read_image(io.BytesIO(content), network.input.channels, network.input.size)
