"""The IDX format of the MNIST files: a magic number, the size of each axis, then the bytes.

*Source:* Y. LeCun, C. Cortes, C. Burges, *The MNIST database*: magic is `0 0 type axes`, where
type 8 means unsigned bytes, followed by one big-endian 32-bit size for each axis.
"""

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from phosphene.errors import DataError
from phosphene.words import printable

UNSIGNED_BYTES = 8

MOST_PACKED = 256
"""How many times its own size a gzipped file may hold. Handwriting has 5, empty pages 1,000."""

LEAST_DOUBTED = 2**28
"""Bytes up to which any claim is believed."""

_CHUNK = 2**20
_GZIP = b"\x1f\x8b"


def read_idx(path: Path, axes: int) -> UInt8[Tensor, "..."]:
    """The array of unsigned bytes in an IDX file, plain or gzipped.

    No more memory is taken than the file fills, whatever its header claims. Raises `DataError`,
    naming the file, when it cannot be opened, has another magic number than `axes` axes of bytes
    would, is shorter or longer than its header says, or claims what no such file holds.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(2)
            packed = begin == _GZIP or (path.suffix == ".gz" and begin != b"\0\0")
            file.seek(0)
            size = path.stat().st_size
            if not packed:
                return _array(path, file, axes, size)
            with gzip.GzipFile(fileobj=file) as unpacked:
                most = max(LEAST_DOUBTED, MOST_PACKED * size)
                return _array(path, unpacked, axes, None, most)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{printable(path)} is damaged ({error}); fetch the file again") from error
    except OSError as error:
        raise DataError(f"cannot read {printable(path)}: {error.strerror or error}") from error


def _array(
    path: Path, file: io.BufferedIOBase, axes: int, size: int | None, most: int | None = None
) -> UInt8[Tensor, "..."]:
    """What a file of `size` bytes holds, or one that is packed and believed up to `most`."""
    shape, wanted = _shape(path, file, axes)
    if most is not None and wanted > most:
        raise DataError(
            f"{printable(path)} claims {wanted:,} bytes, {' x '.join(map(str, shape))}, which no "
            "gzipped file of its size holds unless nearly all are alike; unpack it first if so"
        )
    if size is not None and size < wanted:
        raise _cut_short(path, size, wanted)
    header = 4 + 4 * axes
    content = bytearray()
    while len(content) < wanted - header:
        some = file.read(min(_CHUNK, wanted - header - len(content)))
        if not some:
            raise _cut_short(path, header + len(content), wanted)
        content += some
    # One byte beyond the end, where gzip compares its checksum too.
    if file.read(1):
        longer = f"{size:,} bytes" if size is not None else "more bytes"
        raise DataError(f"{printable(path)} has {longer} where its header says {wanted:,}")
    return torch.from_numpy(np.frombuffer(content, np.uint8).reshape(shape))


def _shape(path: Path, file: io.BufferedIOBase, axes: int) -> tuple[list[int], int]:
    """The size of each axis, and how many bytes the file is to have."""
    content = file.read(4 + 4 * axes)
    while isinstance(file, gzip.GzipFile) and content[:2] != b"\0\0" and file.read(_CHUNK):
        pass  # to the end, where gzip tells a damaged file from another
    expected = bytes([0, 0, UNSIGNED_BYTES, axes])
    if content[:4] != expected:
        raise DataError(
            f"{printable(path)} starts with {content[:4].hex(' ') or 'nothing'}, expected "
            f"{expected.hex(' ')}: it is no IDX file of unsigned bytes with {axes} axes"
        )
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, len(content), 4)]
    wanted = 4 + 4 * axes + math.prod(shape)
    if len(content) < 4 + 4 * axes:
        raise _cut_short(path, len(content), 4 + 4 * axes)
    if not all(shape):
        raise DataError(
            f"{printable(path)} says that it holds {' x '.join(map(str, shape))} values: nothing; "
            "fetch the file again"
        )
    return shape, wanted


def _cut_short(path: Path, size: int, wanted: int) -> DataError:
    return DataError(
        f"{printable(path)} is cut short: {size:,} bytes of {wanted:,}; fetch the file again"
    )
