"""Files that hold data, here or elsewhere: fsspec finds and reads them."""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene.errors import DataError, nearest
from phosphene.words import printable

MOST_BETWEEN = 2**16
"""Bytes between two pieces of a file that are fetched along rather than asked for apart."""

MOST_AT_ONCE = 2**24
"""Bytes that one request asks for, unless a single image has more."""

THREADS = 16
"""Requests about files at once, where files are elsewhere."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_SPAN = re.compile(r"(\d+)\.\.(\d+)")
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Piece:
    """A file: where it lies, its size in bytes, and a mark that changes when it is written anew.

    The mark is the store's own checksum (ETag) where it has one, else the time of change.
    """

    place: str
    size: int
    mark: str

    @property
    def name(self) -> str:
        """The last part of where it lies."""
        return self.place.rstrip("/").rpartition("/")[2]


def is_url(text: str) -> bool:
    """Whether a text is an address such as `s3://bucket/key`, and no path on this machine.

    >>> is_url("s3://bucket/{000..119}.tar"), is_url("photos/train"), is_url("C:/photos")
    (True, False, False)
    """
    return _URL.match(text) is not None


def braced(pattern: str) -> list[str]:
    """All texts that a pattern with braces stands for, as in a shell.

    >>> braced("{08..10}.tar"), braced("{train,val}/a{0..1}.tar")[1:3], braced("a.tar")
    (['08.tar', '09.tar', '10.tar'], ['train/a1.tar', 'val/a0.tar'], ['a.tar'])
    """
    match = _BRACES.search(pattern)
    if match is None:
        return [pattern]
    span = _SPAN.fullmatch(match[1])
    parts = match[1].split(",")
    if span is not None:
        low, high = int(span[1]), int(span[2])
        step = 1 if high >= low else -1
        parts = [f"{n:0{len(span[1])}}" for n in range(low, high + step, step)]
    elif len(parts) == 1:  # a shell leaves {a} as it is
        head, tail = pattern[: match.end()], pattern[match.end() :]
        return [head + rest for rest in braced(tail)] if tail else [pattern]
    head, tail = pattern[: match.start()], pattern[match.end() :]
    return [head + part + rest for part in parts for rest in braced(tail)]


def is_pattern(text: str) -> bool:
    """Whether a text stands for several files: it has braces, `*`, `?` or brackets."""
    return len(braced(text)) > 1 or _WILD.search(text) is not None


def system(place: str) -> tuple[Any, str]:
    """The file system that `place` lies on and what it is called there.

    Made anew in each process that asks: connections do not survive a fork.

    Raises:
        DataError: nothing that is installed reads it, and what to install.
    """
    from fsspec.core import url_to_fs  # noqa: PLC0415 - only where data are files

    try:
        found, path = url_to_fs(place)
    except ImportError as error:
        raise DataError(_missing(place, error)) from error
    except ValueError as error:
        raise DataError(
            f"{printable(place)}: {printable(error)}; write s3://…, another address that fsspec "
            "knows, or a path"
        ) from error
    return found, str(path)


def _missing(place: str, error: ImportError) -> str:
    protocol = re.split("::|://", place)[0]
    if protocol in {"s3", "s3a"}:
        told = "needs s3fs; install it with pip install 'phosphene[remote]'"
    else:
        told = f"needs a package that is not installed ({error})"
    return f"reading {printable(place)} {told}"


@contextmanager
def reached(place: str) -> Iterator[None]:
    """Say in words what went wrong with a file that is needed, and what to do.

    Raises:
        DataError: it is not there, must not be read, or cannot be reached.
    """
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"there is no {printable(place)}") from error
    except PermissionError as error:
        raise DataError(
            f"{printable(place)} may not be read ({printable(error)}); give this account the right "
            "to, or name another"
        ) from error
    except Exception as error:  # each store has errors of its own
        what = printable(error) or type(error).__name__
        raise DataError(
            f"{printable(place)} cannot be read: {what}. What was finished is kept; start again "
            "when it can"
        ) from error


def pieces(pattern: str) -> list[Piece]:
    """The files that a pattern stands for: braces in their order, wild cards in that of names.

    Raises:
        DataError: one that is named is not there, or nothing fits; see `system` and `reached`.
    """
    found: list[str] = []
    for each in braced(pattern):
        if _WILD.search(each):
            files, path = system(each)
            with reached(each):
                fitting = [files.unstrip_protocol(name) for name in sorted(files.glob(path))]
            found += [name if is_url(each) else _local(name) for name in fitting]
        else:
            found.append(each)
    if not found:
        raise DataError(f"no file fits {printable(pattern)}; {_beside(pattern)}")
    with ThreadPoolExecutor(THREADS if is_url(pattern) else 1) as threads:
        return list(threads.map(piece, found))


def piece(place: str) -> Piece:
    """What is to be known of a file.

    Raises:
        DataError: see `system` and `reached`.
    """
    if not is_url(place):
        with reached(place):
            status = Path(place).stat()
        return Piece(place, status.st_size, str(status.st_mtime_ns))
    files, path = system(place)
    with reached(place):
        about = files.info(path)
    return Piece(place, int(about["size"] or 0), mark_of(about))


def mark_of(about: dict[str, Any]) -> str:
    """What of a store's account of a file changes when that is written anew."""
    named = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "mtime")
    return str(next((about[name] for name in named if about.get(name)), ""))


def read_ranges(place: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Parts of a file, each from one byte to another, in as few requests as make sense.

    Raises:
        DataError: it cannot be read, or has become shorter.
    """
    files, path = system(place)
    spans, where = _together(ranges)
    asked = [span for span in spans if span[0] < span[1]]  # a store refuses to give nothing
    with reached(place):
        starts, ends = [low for low, _ in asked], [high for _, high in asked]
        given = files.cat_ranges([path] * len(asked), starts, ends, on_error="raise")
    held = dict(zip(asked, given, strict=True))
    contents = [held.get(span, b"") for span in spans]
    parts = [
        bytes(contents[at][low - spans[at][0] : high - spans[at][0]])
        for at, (low, high) in zip(where, ranges, strict=True)
    ]
    if any(len(part) != high - low for part, (low, high) in zip(parts, ranges, strict=True)):
        raise DataError(
            f"{printable(place)} is shorter than when it was looked through; start again, so that "
            "it is looked through anew"
        )
    return parts


def _together(ranges: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[int]]:
    """Neighbouring ranges made one, and which each became a part of."""
    spans: list[tuple[int, int]] = []
    where = []
    for low, high in ranges:
        last = spans[-1] if spans else None
        if last and last[0] <= low <= last[1] + MOST_BETWEEN and high - last[0] <= MOST_AT_ONCE:
            spans[-1] = (last[0], max(last[1], high))
        else:
            spans.append((low, high))
        where.append(len(spans) - 1)
    return spans, where


def _local(name: str) -> str:
    return name.removeprefix("file://").removeprefix("local://")


def _beside(pattern: str) -> str:
    if is_url(pattern):
        return "look at what lies there"
    folder = Path(pattern).parent
    return nearest(Path(pattern).name, [path.name for path in folder.glob("[!.]*")])
