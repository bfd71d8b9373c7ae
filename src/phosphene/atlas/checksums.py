"""What tells a row that is as it was written from one that is not.

A row is one artefact: its words, numbers, picture or array have one checksum together, so that a
picture under another unit's name is told as well as a flipped bit in it.
"""

import zlib
from collections.abc import Mapping
from typing import Any

CHECKSUM = "checksum"
"""The column that holds it; empty in rows from before atlas format 3."""


def checksum(table: str, cells: Mapping[str, Any]) -> int:
    """CRC-32 of a table's name and of its columns and their values.

    Columns that hold nothing do not count, so that one which came later changes no checksum. A
    whole number has one form, as an integer and as a float, since SQLite keeps either as it likes.

    >>> checksum("units", {"unit": 3, "mean": 2.0}) == checksum("units", {"mean": 2, "unit": 3})
    True
    >>> checksum("units", {"unit": 3, "twin": None}) == checksum("units", {"unit": 3})
    True
    """
    found = zlib.crc32(table.encode())
    for column in sorted(cells):
        value = cells[column]
        if value is not None:
            kind, content = _content(value)
            # Lengths keep what ends one value from passing for the beginning of the next.
            found = zlib.crc32(f"\0{column}\0{kind}{len(content)}\0".encode(), found)
            found = zlib.crc32(content, found)
    return found


def _content(value: str | int | float | bytes) -> tuple[str, bytes]:
    """What kind of value it is, and its bytes."""
    if isinstance(value, bytes):
        return "blob", value
    if isinstance(value, str):
        return "text", value.encode("utf-8", "surrogateescape")
    whole = isinstance(value, int) or value.is_integer()
    return "number", (str(int(value)) if whole else repr(float(value))).encode()
