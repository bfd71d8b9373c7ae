"""A white sheet that grows downwards: text and charts by matplotlib, pictures to the pixel.

Things are placed in inches from the top left corner. Pictures are pasted after the rest has been
drawn, small ones enlarged by whole multiples, so that every pixel of theirs stays square.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from phosphene.allocator import uncollected
from phosphene.figures.ink.png import AnyImage, enlarge
from phosphene.figures.ink.tile import Tile

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure
    import matplotlib.text
    from matplotlib.backends.backend_agg import RendererAgg

DPI = 160
MARGIN = 0.45
INK, SOFT, LINE = "#22242a", "#62656d", "#d9d6cf"

_NARROW = 2.5
"""Inches of the narrowest sheet."""

_POINT = 1 / 72
_ASCENT, _LEADING = 0.95, 1.35  # of the size: from the top to the first baseline, and between lines
_OTHER_SCRIPTS = (
    "Noto Sans CJK SC",
    "Noto Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Arial Unicode MS",
)
"""Tried for letters that DejaVu Sans lacks, where one of them is installed."""


def _blank() -> "matplotlib.figure.Figure":
    with uncollected():
        from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    return Figure(dpi=DPI, facecolor="white")


def _wrapped(words: str, width: float, size: float) -> list[str]:
    # DejaVu Sans, which comes with matplotlib, needs 0.57 of its size for a letter of prose.
    return textwrap.wrap(words, max(4, int(width / (0.57 * size * _POINT))))


@dataclass
class Paper:
    """A sheet at most `width` inches wide; `top` is where the next thing goes.

    It is made as wide as what is on it needs, so that none of it is left blank.
    """

    width: float
    top: float = MARGIN
    _figure: "matplotlib.figure.Figure" = field(default_factory=_blank)
    _texts: list[tuple[float, float, str, dict[str, Any]]] = field(default_factory=list)
    _charts: dict["matplotlib.axes.Axes", tuple[float, float, float, float]] = field(
        default_factory=dict
    )
    _pictures: list[tuple[Image.Image, int, int]] = field(default_factory=list)

    def write(
        self,
        words: str,
        left: float = MARGIN,
        top: float | None = None,
        width: float | None = None,
        size: float = 9.0,
        **style: Any,
    ) -> float:
        """Write words, wrapped to `width` inches; returns the height they take."""
        lines = _wrapped(words, self.width - MARGIN - left if width is None else width, size)
        place = self.top if top is None else top
        self._texts.append((left, place, "\n".join(lines), {"size": size, "color": INK} | style))
        return len(lines) * _LEADING * size * _POINT

    def height(self, words: str, width: float, size: float) -> float:
        """The height that words take, wrapped to `width` inches."""
        return len(_wrapped(words, width, size)) * _LEADING * size * _POINT

    def heading(self, words: str, left: float = MARGIN) -> None:
        """A heading, with air above it."""
        self.top += 0.22
        self.top += self.write(words, left, size=10.5, weight="bold") + 0.1

    def picture(self, image: AnyImage, left: float, top: float, side: float) -> float:
        """Put a picture into the corner of a square of `side` inches; the height it takes."""
        height, width = image.shape[:2]
        tile = Tile(b"", width, height)
        size = tile.fit(round(side * DPI))
        if tile.photo:
            shown = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
        else:
            shown = Image.fromarray(enlarge(image, size[0] // width))
        self._pictures.append((shown.convert("RGB"), round(left * DPI), round(top * DPI)))
        return shown.height / DPI

    def paste(self, image: Image.Image, left: float, top: float) -> None:
        """Put a picture in place pixel by pixel, however large it is."""
        self._pictures.append((image, round(left * DPI), round(top * DPI)))

    def chart(self, left: float, top: float, width: float, height: float) -> "matplotlib.axes.Axes":
        """Bare axes to draw a chart in."""
        axes = self._figure.add_axes((0, 0, 1, 1), label=str(len(self._charts)))
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(LINE)
        axes.tick_params(labelsize=7.5, colors=SOFT, length=0)
        self._charts[axes] = (left, top, width, height)
        return axes

    def stretch(self, axes: "matplotlib.axes.Axes", height: float) -> None:
        """Give a chart another height, once it is known what it must hold."""
        left, top, width, _ = self._charts[axes]
        self._charts[axes] = (left, top, width, height)

    def image(self) -> Image.Image:
        """The finished sheet."""
        with uncollected():
            sheet = self._drawn()
        for picture, x, y in self._pictures:
            sheet.paste(ImageOps.expand(picture, 1, LINE), (x - 1, y - 1))
        return sheet

    def _drawn(self) -> Image.Image:
        """The texts and charts.

        Drawn as wide as the sheet may be, and cut: what measures texts then draws them as well,
        and knows how they are laid out.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow

        width, height = self.width, self.top + MARGIN
        self._figure.set_size_inches(width, height)
        texts = self._written()
        for axes, (left, top, w, h) in self._charts.items():
            axes.set_position((left / width, 1 - (top + h) / height, w / width, h / height))
        for text, left, baseline in texts:
            text.set_position((left / width, 1 - baseline / height))
        canvas = FigureCanvasAgg(self._figure)
        end = self._end(texts, canvas.get_renderer())  # type: ignore[no-untyped-call]
        self.width = min(self.width, max(_NARROW, end + MARGIN))
        canvas.draw()  # type: ignore[no-untyped-call]
        drawn = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        columns = int(round(self.width * DPI, 3))
        return Image.fromarray(drawn[:, :columns]).convert("RGB")

    def _written(self) -> list[tuple["matplotlib.text.Text", float, float]]:
        """All lines of text, with the inches at which each begins and has its baseline."""
        from matplotlib import font_manager  # noqa: PLC0415 - slow to import

        installed = font_manager.get_font_names()
        fonts = ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in installed)]
        found = []
        for left, top, words, style in self._texts:
            for i, line in enumerate(words.split("\n")):
                # By the baseline: the top of a line is that of its tallest letter.
                baseline = top + (_ASCENT + _LEADING * i) * style["size"] * _POINT
                text = self._figure.text(0, 0, line, va="baseline", family=fonts, **style)
                found.append((text, left, baseline))
        return found

    def _end(
        self, texts: Sequence[tuple["matplotlib.text.Text", float, float]], measure: "RendererAgg"
    ) -> float:
        """Inches from the left to where the last of what is on the sheet ends.

        One renderer measures all texts; each would make another, the size of the sheet.
        """
        ends = [(x + picture.width) / DPI for picture, x, _ in self._pictures]
        ends += [left + width for left, _, width, _ in self._charts.values()]
        ends += [text.get_window_extent(measure).x1 / DPI for text, _, _ in texts]
        return float(max(ends, default=0.0))
