"""What the commands print: lines and small pictures made of characters."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from shutil import which
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from phosphene.errors import SettingError
from phosphene.results import SUFFIXES

console = Console()
errors = Console(stderr=True)

_WIDE = 10_000


def say(text: str) -> None:
    """A line for the person at the terminal; `[b]…[/]` is bold."""
    console.print(text, highlight=False, soft_wrap=True)


def command() -> str:
    """What a person types for this command: as they did where their path does not find it."""
    typed = Path(sys.argv[0])
    found = typed.stem != "phosphene" or which("phosphene")
    return "phosphene" if found else quote(str(typed))


def print_whole(table: Table) -> None:
    """A table as wide as it is; a terminal's width cuts it only where there is a terminal."""
    if console.is_terminal:
        console.print(table)
        return
    Console(file=console.file, width=_WIDE).print(table)


def warn(text: str) -> None:
    """A line that should not be passed over, beside what is printed."""
    errors.print(f"[bold yellow]warning:[/] {escape(text)}", highlight=False, soft_wrap=True)


@contextmanager
def warned() -> Iterator[None]:
    """Say warnings of the library as `warn` does, without the place in the code."""

    def show(message: Warning | str, *where: Any, **more: Any) -> None:
        warn(str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def write_new(path: Path, content: bytes, *, replace: bool = False) -> Path:
    """Write `content` to `path`, or under the next free name where something else is there.

    What is there already with this content stays. Returns where it was written.
    """
    free = path
    number = 1
    while not replace and free.exists() and free.read_bytes() != content:
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    free.write_bytes(content)
    return free


def check_picture(path: Path | None) -> None:
    """Refuse a name that is no picture's, and make its folder; None is fine."""
    if path is None:
        return
    if path.suffix.lower() not in SUFFIXES:
        raise SettingError(f"--out {path} is no picture file; end it in .png")
    path.parent.mkdir(parents=True, exist_ok=True)


def in_characters(image: Image.Image, width: int = 56) -> Text:
    """A picture as coloured half blocks, two pixels to a character, at most `width` wide."""
    scale = min(1.0, width / image.width)
    size = (round(image.width * scale), 2 * round(image.height * scale / 2))
    pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX))
    text = Text()
    for upper, lower in zip(pixels[0::2], pixels[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", style=f"rgb({_rgb(above)}) on rgb({_rgb(below)})")
        text.append("\n")
    return text


def _rgb(pixel: "np.ndarray[tuple[int], np.dtype[np.uint8]]") -> str:
    return ",".join(str(int(v)) for v in pixel)
