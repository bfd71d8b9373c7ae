"""Arrays to the bytes an atlas stores, and back.

Pictures and signed maps become files that any viewer opens: grey for one channel, RGB for three,
otherwise the channels one below the other in grey. What such a file cannot say, the number of
channels and a signed map's scale, levels and size, stands in its notes, so a blob explains itself.

Small ones are PNG files, exact to 8 bits. Of a study of thousands of units nearly all bytes are
large pictures in colour: those are AVIF files with all their colour, at what the eye can tell, and
large maps in colour are lossless WebP files in fewer levels, of no more pixels than are shown.
Older atlases have PNG files alone.
"""

import io
import json
import zlib
from typing import Any

import numpy as np
from numpy import ndarray
from PIL import Image, features
from PIL.PngImagePlugin import PngInfo

from phosphene.errors import AtlasError
from phosphene.shapes import Float, UInt8

MOST_BYTES = 2**30
"""More than any array that is stored has; a damaged one may claim anything."""

SMALL = 4096
"""Bytes of a PNG file up to which it is kept as it is."""

STRONGEST = 127
"""How far from 128, which is zero, the strongest value of a map is kept."""

FEW, APART = 14, 9
"""Levels on either side of zero of a large map in colour, and how far apart they are kept."""

MORE, CLOSER = 20, 6
"""The same of a map of cells, which are few."""

SHOWN = 96
"""Pixels that the longer side of a large map in colour keeps at least; pages show 112."""

QUALITY = 90
"""Of large pictures in colour, 1 to 100."""

_PNG = b"\x89PNG\r\n\x1a\n"
_FORMATS = ("PNG", "WEBP", "AVIF")


def encode_picture(picture: Float[ndarray, "c h w"]) -> bytes:
    """A picture in [0, 1], 8 bits a value: exact where small or not in colour, else as it is seen.

    Raises `AtlasError` when it holds NaN or infinity.
    """
    values = _to_bytes(picture)
    exact = _png(values)
    if len(exact) <= SMALL or len(values) != 3 or not features.check("avif"):
        return exact
    buffer = io.BytesIO()
    Image.fromarray(_stacked(values)).save(
        buffer, "AVIF", quality=QUALITY, subsampling="4:4:4", speed=8, max_threads=1
    )
    return buffer.getvalue()


def decode_picture(blob: bytes) -> Float[ndarray, "c h w"]:
    """The inverse of `encode_picture`: what went in to 8 bits, or what the eye sees."""
    values, _ = _decode(blob)
    return values.astype(np.float32) / 255


def as_kept(picture: Float[ndarray, "c h w"]) -> Float[ndarray, "c h w"]:
    """The picture that a reader will get back."""
    return decode_picture(encode_picture(picture))


def shape_of(blob: bytes) -> tuple[int, int, int]:
    """Channels, height and width of what a file holds, told by its head alone."""
    with Image.open(io.BytesIO(blob), formats=_FORMATS) as image:
        channels = int(_notes(image)["channels"])
        height = image.height if channels == 3 else image.height // channels
        return channels, height, image.width


def encode_signed(values: Float[ndarray, "c h w"]) -> bytes:
    """A signed map, byte = 128 + k round(n v / max|v|), so that zero stays exactly zero.

    n is 127 and k is 1, but of large maps in colour n is 14 and k is 9. Those with a side of twice
    `SHOWN` pixels and more are kept as the means v of cells that still leave so many, n is 20 and
    k is 6. Raises `AtlasError` when it holds NaN or infinity.
    """
    _require_finite(values)
    share, scale = _shares(values)
    exact = _png(_levels(share, STRONGEST), scale=repr(scale))
    if len(exact) <= SMALL or len(values) != 3 or not _webp_holds(values):
        return exact
    levels, apart, told = FEW, APART, dict[str, Any]()
    if (cell := max(values.shape[1:]) // SHOWN) > 1:
        share, most = _shares(_meaned(share, cell))
        scale *= most
        levels, apart, told = MORE, CLOSER, {"cell": cell, "size": values.shape[1:]}
    notes = json.dumps({"scale": scale, "strongest": levels * apart} | told).encode()
    buffer = io.BytesIO()
    Image.fromarray(_stacked(_levels(share, levels, apart))).save(
        buffer, "WEBP", lossless=True, quality=75, method=4, exact=True, xmp=notes
    )
    return buffer.getvalue()


def decode_signed(blob: bytes) -> Float[ndarray, "c h w"]:
    """The inverse of `encode_signed`, to within max|v| / 2n; all of a cell has its mean."""
    values, notes = _decode(blob)
    scale, strongest = float(notes["scale"]), int(notes.get("strongest", STRONGEST))
    found = ((values.astype(np.float64) - 128) / strongest * scale).astype(np.float32)
    if cell := int(notes.get("cell", 0)):
        height, width = notes["size"]
        found = found.repeat(cell, 1).repeat(cell, 2)[:, :height, :width]
    return found


def size_of(blob: bytes) -> tuple[int, int]:
    """Height and width of what a file holds, of which it may have the means of cells."""
    with Image.open(io.BytesIO(blob), formats=_FORMATS) as image:
        height, width = _notes(image).get("size", (image.height, image.width))
        return int(height), int(width)


def farthest(blob: bytes) -> int:
    """How far from 128, which is zero, a map's file has the strongest value."""
    with Image.open(io.BytesIO(blob), formats=_FORMATS) as image:
        return int(_notes(image).get("strongest", STRONGEST))


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


def _shares(values: Float[ndarray, "c h w"]) -> tuple[Float[ndarray, "c h w"], float]:
    """Values as shares of the strongest, and that: n * v would overflow for the largest floats."""
    strongest = float(np.abs(values).max())
    return (values / strongest if strongest > 0 else np.zeros_like(values)), strongest


def _levels(share: Float[ndarray, "c h w"], levels: int, apart: int = 1) -> UInt8[ndarray, "c h w"]:
    found: ndarray = (128 + apart * np.rint(levels * share)).astype(np.uint8)
    return found


def _meaned(values: Float[ndarray, "c h w"], cell: int) -> Float[ndarray, "c h2 w2"]:
    """The means of cells of so many rows and columns; those at the far borders may be smaller."""
    for axis in (1, 2):
        starts = np.arange(0, values.shape[axis], cell)
        counts = np.diff(np.append(starts, values.shape[axis]))
        sums = np.add.reduceat(values, starts, axis=axis)
        values = sums / np.expand_dims(counts, (0, 3 - axis))
    return values


def _stacked(values: UInt8[ndarray, "c h w"]) -> UInt8[ndarray, "h w 3"] | UInt8[ndarray, "h2 w"]:
    """Channels as a file of an image has them: three as colours, others one below the other."""
    if len(values) == 3:
        return np.ascontiguousarray(values.transpose(1, 2, 0))
    return np.ascontiguousarray(values.reshape(-1, values.shape[-1]))


def _png(values: UInt8[ndarray, "c h w"], **notes: str) -> bytes:
    told = PngInfo()
    for name, text in ({"channels": str(len(values))} | notes).items():
        told.add_text(name, text)
    buffer = io.BytesIO()
    Image.fromarray(_stacked(values)).save(buffer, format="PNG", pnginfo=told)
    return buffer.getvalue()


def _notes(image: Image.Image) -> dict[Any, Any]:
    told: dict[Any, Any] = image.info
    return told if image.format == "PNG" else {"channels": 3} | json.loads(told.get("xmp", "{}"))


def _webp_holds(values: Float[ndarray, "c h w"]) -> bool:
    return bool(max(values.shape[1:]) < 2**14)  # the most pixels that a side may have there


def _decode(blob: bytes) -> tuple[UInt8[ndarray, "c h w"], dict[str, Any]]:
    """The values of a file, and its notes."""
    if blob[4:12] == b"ftypavif" and not features.check("avif"):
        raise AtlasError("a picture in AVIF, which this Pillow cannot read: pip install -U pillow")
    with Image.open(io.BytesIO(blob), formats=_FORMATS) as image:
        notes = _notes(image)
        values: UInt8[ndarray, "..."] = np.asarray(image)
        channels = int(notes["channels"])
    if values.dtype != np.uint8 or values.ndim != (3 if channels == 3 else 2):
        raise AtlasError(f"a picture of {channels} channels stored as {values.shape}")
    if channels == 3:
        return values.transpose(2, 0, 1), notes
    return values.reshape(channels, -1, values.shape[1]), notes
