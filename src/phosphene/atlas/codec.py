"""Arrays to the bytes an atlas stores, and back.

Pictures and signed maps become PNG files that any viewer opens: grey for one channel, RGB for
three, otherwise the channels one below the other in grey. What a PNG cannot say, the number of
channels and a signed map's scale, stands in its text chunks, so a blob explains itself.
"""

import io
import json
import zlib
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from phosphene.errors import AtlasError

MOST_BYTES = 2**30
"""More than any array that is stored has; a damaged one may claim anything."""

_PNG = b"\x89PNG\r\n\x1a\n"


def quantise(picture: Float[ndarray, "c h w"]) -> Float[ndarray, "c h w"]:
    """The picture a reader will get back: float32 in [0, 1], rounded to steps of 1/255.

    >>> quantise(np.array([[[0.0, 0.501, 1.2]]])).tolist()
    [[[0.0, 0.501960813999176, 1.0]]]
    """
    return _to_bytes(picture).astype(np.float32) / 255


def encode_picture(picture: Float[ndarray, "c h w"]) -> bytes:
    """A picture in [0, 1] as an 8-bit PNG; raises `AtlasError` when it holds NaN or infinity."""
    return _encode(_to_bytes(picture))


def decode_picture(blob: bytes) -> Float[ndarray, "c h w"]:
    """The inverse of `encode_picture`: exactly `quantise` of what went in."""
    values, _ = _decode(blob)
    return values.astype(np.float32) / 255


def encode_signed(values: Float[ndarray, "c h w"]) -> bytes:
    """A signed map as a PNG, byte = 128 + round(127 v / max|v|), so that zero stays exactly zero.

    Raises `AtlasError` when it holds NaN or infinity.
    """
    _require_finite(values)
    scale = float(np.abs(values).max())
    # Divided first: 127 * v would overflow for the largest floats.
    share = values / scale if scale > 0 else np.zeros_like(values)
    return _encode((128 + np.rint(127 * share)).astype(np.uint8), scale)


def decode_signed(blob: bytes) -> Float[ndarray, "c h w"]:
    """The inverse of `encode_signed`, to within max|v| / 254."""
    values, scale = _decode(blob)
    return ((values.astype(np.float64) - 128) / 127 * scale).astype(np.float32)


def encode_exact(values: Float[ndarray, "..."]) -> bytes:
    """Any array, exact to float32: the bytes of a `.npy` file, zlib-compressed."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values, dtype=np.float32, order="C"), allow_pickle=False)
    return zlib.compress(buffer.getvalue())


def decode_exact(blob: bytes) -> Float[ndarray, "..."]:
    """The inverse of `encode_exact`."""
    unpacker = zlib.decompressobj()
    file = io.BytesIO(unpacker.decompress(blob, MOST_BYTES))
    if not unpacker.eof:
        raise AtlasError(f"an array that is cut short, or of more than {MOST_BYTES:,} bytes")
    np.lib.format.read_magic(file)
    shape, transposed, dtype = np.lib.format.read_array_header_1_0(file)
    if transposed or dtype != np.float32:
        raise AtlasError(f"an array of {dtype}; expected float32, row by row")
    # Not np.load, which makes room for any shape that a header claims before it reads.
    return np.frombuffer(bytearray(file.read()), dtype).reshape(shape)


def sound_png(blob: bytes) -> bool:
    """Whether the chunks of a PNG file follow one another to its end, each with its own CRC-32.

    Pillow leaves out that of the pixels.
    """
    at, view = len(_PNG), memoryview(blob)
    while blob.startswith(_PNG) and at + 12 <= len(blob):
        length = int.from_bytes(view[at : at + 4], "big")
        name, end = bytes(view[at + 4 : at + 8]), at + 8 + length
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return False
        at = end + 4
        if name == b"IEND":
            return at == len(blob)
    return False


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces, so that equal values have equal text.

    Raises `AtlasError` for what JSON cannot say, NaN and infinity among it.

    >>> canonical_json({"b": (1, 2), "a": None})
    '{"a":null,"b":[1,2]}'
    """
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise AtlasError(
            f"{value!r:.200} cannot be written as JSON ({error}); "
            "use numbers, text, lists, dicts, and None for what has no value"
        ) from error
    # A file's name may hold bytes that are no characters: \udce9 is how JSON itself writes one.
    return text.encode("utf-8", "backslashreplace").decode()


def _to_bytes(picture: Float[ndarray, "c h w"]) -> UInt8[ndarray, "c h w"]:
    _require_finite(picture)
    levels: ndarray = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    return levels


def _require_finite(values: Float[ndarray, "..."]) -> None:
    if not np.isfinite(values).all():
        raise AtlasError(
            f"an array of shape {values.shape} holds NaN or infinity and cannot be stored as a "
            "picture; look for the computation that diverged"
        )


def _encode(values: UInt8[ndarray, "c h w"], scale: float | None = None) -> bytes:
    channels, _, width = values.shape
    stacked = values.transpose(1, 2, 0) if channels == 3 else values.reshape(-1, width)
    notes = PngInfo()
    notes.add_text("channels", str(channels))
    if scale is not None:
        notes.add_text("scale", repr(scale))
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(stacked)).save(buffer, format="PNG", pnginfo=notes)
    return buffer.getvalue()


def _decode(blob: bytes) -> tuple[UInt8[ndarray, "c h w"], float]:
    with Image.open(io.BytesIO(blob), formats=["PNG"]) as image:
        values: UInt8[ndarray, "..."] = np.asarray(image)
        channels = int(image.info["channels"])
        scale = float(image.info.get("scale", 1))
    if values.dtype != np.uint8 or values.ndim != (3 if channels == 3 else 2):
        raise AtlasError(f"a picture of {channels} channels stored as {values.shape}")
    if channels == 3:
        return values.transpose(2, 0, 1), scale
    return values.reshape(channels, -1, values.shape[1]), scale
