"""An image as a page or a sheet shows it: its file, and how large it is to be."""

import io
import struct
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from phosphene.figures.ink.png import AnyImage, data_uri, png_bytes
from phosphene.units import Box

PHOTO_PIXELS = 64


@dataclass(frozen=True)
class Tile:
    """A file of an image, and how many of its pixels a page shows.

    `part` is the box that is shown where it is not all of the file, which has `whole` rows and
    columns; what lies beyond them stays empty. `contrast` is by how much a page spreads its values
    from the middle grey.
    """

    file: bytes
    width: int
    height: int
    media: str = "image/png"
    part: Box | None = None
    whole: tuple[int, int] = (0, 0)
    contrast: float = 1.0

    @classmethod
    def of(cls, image: AnyImage) -> "Tile":
        """An image, every pixel of it."""
        height, width = image.shape[:2]
        return cls(png_bytes(image), width, height)

    @classmethod
    def sheet(cls, png: bytes) -> "Tile":
        """A finished figure, its letters as large as those of a page."""
        (width, height) = struct.unpack_from(">II", png, 16)  # the first chunk of every PNG
        return cls(png, width * 3 // 4, height * 3 // 4)

    @classmethod
    def stored(
        cls, file: bytes, part: Box | None = None, size: tuple[int, int] | None = None
    ) -> "Tile | None":
        """A picture as an atlas keeps it, or a part of it, without unpacking it.

        It has `size` rows and columns where the file has fewer. None where its channels lie one
        below the other: such a file is no picture to look at.
        """
        with Image.open(io.BytesIO(file), formats=("PNG", "WEBP", "AVIF")) as image:
            (width, height), media = image.size, Image.MIME[str(image.format)]
            if int(image.info.get("channels", 3)) not in {1, 3}:
                return None
        height, width = size or (height, width)
        if part is None:
            return cls(file, width, height, media)
        top, left, bottom, right = part
        return cls(file, right - left, bottom - top, media, part, (height, width))

    def alone(self) -> "Tile":
        """A part as a file of its own, transparent beyond the image it is of."""
        if self.part is None:
            return self
        top, left, bottom, right = self.part
        with Image.open(io.BytesIO(self.file)) as image:  # as `stored` found it
            full = image.convert("RGBA").resize(
                (self.whole[1], self.whole[0]), Image.Resampling.BOX
            )
            cut = full.crop((left, top, right, bottom))
        return replace(Tile.of(np.asarray(cut)), contrast=self.contrast)

    @property
    def suffix(self) -> str:
        """That of the file's name."""
        return self.media.removeprefix("image/")

    @property
    def uri(self) -> str:
        """The image as the text of a `src`."""
        return data_uri(self.file, self.media)

    @property
    def photo(self) -> bool:
        """Large enough to be scaled smoothly; below that every pixel is kept crisp."""
        return max(self.width, self.height) >= PHOTO_PIXELS

    @property
    def placed(self) -> dict[str, float]:
        """Of a part: how wide the whole is and where it begins, in percent of what is shown."""
        assert self.part is not None, "asked of parts alone"
        top, left, _, _ = self.part
        return {
            "width": 100 * self.whole[1] / self.width,
            "left": -100 * left / self.width,
            "top": -100 * top / self.height,
        }

    def fit(self, target: int) -> tuple[int, int]:
        """Width and height on the page, at most `target` unless a pixel would be lost.

        Small images grow by whole multiples so that all their pixels are equally large.

        >>> Tile(b"", 28, 28).fit(100), Tile(b"", 5, 3).fit(84), Tile(b"", 448, 224).fit(112)
        ((84, 84), (80, 48), (112, 56))
        """
        longest = max(self.width, self.height)
        scale = target / longest if self.photo else max(1, target // longest)
        return round(self.width * scale), round(self.height * scale)
