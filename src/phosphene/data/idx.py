"""The IDX format of the MNIST files: a magic number, the size of each axis, then the bytes.

*Source:* Y. LeCun, C. Cortes, C. Burges, *The MNIST database*: magic is `0 0 type axes`, where
type 8 means unsigned bytes, followed by one big-endian 32-bit size for each axis.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from phosphene.errors import DataError

UNSIGNED_BYTES = 8


def read_idx(path: Path, axes: int) -> UInt8[Tensor, "..."]:
    """The array of unsigned bytes in an IDX file, plain or ending in `.gz`.

    Raises `DataError`, naming the file, when it cannot be opened, has another magic number than
    `axes` axes of bytes would, or is shorter or longer than its header says.
    """
    content = _content(path)
    expected = bytes([0, 0, UNSIGNED_BYTES, axes])
    if content[:4] != expected:
        raise DataError(
            f"{path} starts with {content[:4].hex(' ') or 'nothing'}, expected "
            f"{expected.hex(' ')}: it is no IDX file of unsigned bytes with {axes} axes"
        )
    header = 4 + 4 * axes
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4)]
    wanted = header + math.prod(shape)
    if len(content) < max(wanted, header):
        raise DataError(
            f"{path} is cut short: {len(content):,} bytes of {wanted:,}; fetch the file again"
        )
    if len(content) > wanted:
        raise DataError(f"{path} has {len(content):,} bytes where its header says {wanted:,}")
    array = np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    return torch.from_numpy(array.copy())


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged ({error}); fetch the file again") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
