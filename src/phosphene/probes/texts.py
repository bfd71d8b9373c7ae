"""What a person writes for classes, places and files, as values."""

import hashlib
import re
from pathlib import Path

from phosphene.errors import DataError, SettingError


def span(text: str | None, count: int) -> range:
    """Places in data of `count` pictures: all of them, or from:to as in Python.

    >>> span("0:200", 1000), span(None, 3)
    (range(0, 200), range(0, 3))
    """
    if text is None:
        return range(count)
    match = re.fullmatch(r"(\d*):(\d*)", text) if isinstance(text, str) else None
    if match is None:
        raise SettingError(f"slice {text!r} is not from:to, such as 0:200")
    return range(int(match[1] or 0), min(count, int(match[2] or count)))


def file_hash(path: str | Path) -> str:
    """What a file holds, as a short text; raises `DataError` where there is none."""
    if not Path(path).is_file():
        raise DataError(f"there is no file {path}")
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()


def numbers(text: str, option: str, example: str = "0.485,0.456") -> tuple[float, ...]:
    """Numbers separated by commas; `example` is what such a list looks like."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            f"{option} {text!r} is not a list of numbers such as {example}"
        ) from None
