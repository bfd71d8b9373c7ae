"""Class names from a file, one on a line."""

from pathlib import Path

from phosphene.errors import DataError
from phosphene.words import printable

MOST_BYTES = 2**24
"""More than the names of any data take; a file of another kind is told before it is read."""


def read_names(path: Path) -> tuple[str, ...]:
    """The lines of a text file in UTF-8 that are not empty, without the spaces around them.

    Raises:
        DataError: it cannot be read, is no text, or is far too large for a list of names.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot read {printable(path)}: {error.strerror or error}") from error
    if len(content) > MOST_BYTES:
        raise DataError(
            f"{printable(path)} has more than {MOST_BYTES:,} bytes; expected class names, one on "
            "a line"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{printable(path)} is no text in UTF-8: line {line} has byte {content[error.start]:#x}"
            "; save it as UTF-8, one class name on a line"
        ) from None
    if "\0" in text:
        raise DataError(f"{printable(path)} holds zero bytes and is no text; expected class names")
    return tuple(line.strip() for line in text.splitlines() if line.strip())
