"""What every answer has in common: it says itself in words, in figures and as one picture.

The pictures are drawn by `figures.sheets`, on a floor above those that give the answers. Each of
its modules tells `sheet` how a kind of answer is drawn, and they are read when the first picture is
asked for, so that answers can show themselves in a notebook.
"""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cache, singledispatch
from html import escape
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from PIL import Image

from phosphene.errors import PhospheneError, SettingError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".pdf"})
"""Of files of pictures."""


class Displayed:
    """Shows itself in a notebook as the figure that `sheet` draws of it, and saves that."""

    def save(self, path: str | Path) -> Path:
        """Write the figure; `path` ends in .png, .jpg, .webp or .pdf, else `SettingError`."""
        path = Path(path)
        if path.suffix.lower() not in SUFFIXES:
            raise SettingError(f"{path} is no picture file; end it in .png")
        path.write_bytes(in_format(sheet(self), path.suffix))
        return path

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        image = sheet(self)
        # Sheets have twice as many pixels as a screen shows, so that print and zoom stay sharp.
        return in_format(image, ".png"), {"width": image.width // 2, "height": image.height // 2}


class Result(Displayed, ABC):
    """An answer: `summary` in plain words, its figures as JSON, and a picture in a notebook."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """What was found, in a sentence or two."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The figures as plain values for JSON."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__repr__" not in vars(cls):  # `dataclass` would write one, with every number of it
            cls.__repr__ = Result.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary}>"


def in_format(image: Image.Image, suffix: str) -> bytes:
    """A picture as a file of the kind that `suffix`, such as `.png`, stands for."""
    Image.preinit()  # the common ones; all others take longer to read than a picture to write
    known = Image.EXTENSION if suffix.lower() in Image.EXTENSION else Image.registered_extensions()
    buffer = io.BytesIO()
    image.save(buffer, format=known[suffix.lower()])
    return buffer.getvalue()


def html_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as a notebook shows it.

    >>> html_table("a & b", ["x"], [[1]])
    '<b>a &amp; b</b><table><tr><th>x</th></tr><tr><td>1</td></tr></table>'
    """

    def row(cells: Sequence[object], tag: str) -> str:
        inside = "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells)
        return f"<tr>{inside}</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return f"<b>{escape(title)}</b><table>{row(header, 'th')}{body}</table>"


@singledispatch
def sheet(result: object, **options: Any) -> Image.Image:
    """One figure of what was found, to look at or to save: `sheet(film).save("film.png")`.

    `options` are those of the kind of result, such as `every` for a film: see the functions that
    end in `_sheet` in `phosphene.figures`.

    Raises:
        PhospheneError: there is no figure for this kind of value.
    """
    _learn_to_draw()
    draw = sheet.dispatch(type(result))
    if draw is not sheet.dispatch(object):
        return draw(result, **options)
    raise PhospheneError(
        f"no figure is known for {type(result).__name__}; give the result of a probe, "
        "or use unit_sheet(atlas, layer, unit) for what an atlas holds"
    )


@cache
def _learn_to_draw() -> None:
    """Read every module that tells `sheet` how something is drawn."""
    sheets = import_module("phosphene.figures.sheets")
    for module in iter_modules(sheets.__path__, f"{sheets.__name__}."):
        import_module(module.name)
