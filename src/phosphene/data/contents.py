"""What image files hold, in few bytes, so that copies of a folder are one data set anywhere.

Times of change would tell a file that is written over, but a copy, a checkout and an unpacked
archive have other times. They only say whether what was found before may be kept.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from phosphene.data.cache import keep, kept
from phosphene.data.dataset import digest
from phosphene.data.strings import Strings
from phosphene.progress import tell, telling

READ_WHOLE = 10_000
"""Files up to which all are read; of more, `SAMPLED` are."""

SAMPLED = 1_000
"""Files of a larger folder that are read, spread evenly."""

_THREADS = 8
_TOLD_EVERY = 64
_BYTES = 16


def fingerprint_of_files(
    as_read: tuple[Any, ...],
    names: Strings,
    sizes: Int[ndarray, "files"],
    labels: Sequence[int | None],
    seal: bytes,
) -> str:
    """BLAKE2 of what files are called and hold, of their labels, and of how they are read."""
    parts = [repr(as_read)]
    parts += map(repr, zip(names, sizes.tolist(), labels, strict=True))
    return digest("\n".join(parts).encode(), seal)


def sealed(
    about: str, mark: str, count: int, hashes: Callable[[Sequence[int]], Iterable[bytes]]
) -> bytes:
    """BLAKE2 of what `count` files hold, by the `hashes` of those of given numbers.

    It is kept as that of `about` until the mark is another; an empty mark keeps nothing.
    """
    known = kept(about, mark) if mark else None
    if known is not None:
        return bytes(known["seal"].data)
    seal = _begun()
    with telling("looking at what the files of the data hold"):
        chosen = _chosen(count)
        for done, found in enumerate(hashes(chosen)):
            seal.update(found)
            if done % _TOLD_EVERY == 0:
                tell(done, len(chosen), "")
    found = bytes(seal.digest())
    if mark:
        keep(about, mark, {"seal": np.frombuffer(found, np.uint8)})
    return found


def _chosen(count: int) -> list[int]:
    """The files that are read, by number."""
    some = count if count <= READ_WHOLE else SAMPLED
    return [int(number) for number in np.linspace(0, count - 1, some).round()]


def hashes_of_files(files: Iterable[Path]) -> Iterator[bytes]:
    """BLAKE2 of each file's content; of one that cannot be read, zeros."""
    with ThreadPoolExecutor(_THREADS) as threads:
        yield from threads.map(_hash_of, files)


def _hash_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, _begun).digest()
    except OSError:
        return bytes(_BYTES)


def hash_of(content: bytes) -> bytes:
    """BLAKE2 of the content of one file."""
    return bytes(_begun(content).digest())


def _begun(content: bytes = b"") -> Any:
    return hashlib.blake2b(content, digest_size=_BYTES)
