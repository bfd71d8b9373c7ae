"""An image as a page or a sheet shows it: its file, and how large it is to be."""

import struct
from dataclasses import dataclass

from phosphene.figures.ink.png import AnyImage, data_uri, png_bytes

PHOTO_PIXELS = 64


@dataclass(frozen=True)
class Tile:
    """A PNG file and how many pixels it has on a page."""

    png: bytes
    width: int
    height: int

    @classmethod
    def of(cls, image: AnyImage) -> "Tile":
        """An image, every pixel of it."""
        height, width = image.shape[:2]
        return cls(png_bytes(image), width, height)

    @classmethod
    def sheet(cls, png: bytes) -> "Tile":
        """A finished figure: half as wide as it has pixels, for sharp print."""
        (width, height) = struct.unpack_from(">II", png, 16)  # the first chunk of every PNG
        return cls(png, width // 2, height // 2)

    @property
    def uri(self) -> str:
        """The image as the text of a `src`."""
        return data_uri(self.png)

    @property
    def photo(self) -> bool:
        """Large enough to be scaled smoothly; below that every pixel is kept crisp."""
        return max(self.width, self.height) >= PHOTO_PIXELS

    def fit(self, target: int) -> tuple[int, int]:
        """Width and height on the page, at most `target` unless a pixel would be lost.

        Small images grow by whole multiples so that all their pixels are equally large.

        >>> Tile(b"", 28, 28).fit(100), Tile(b"", 5, 3).fit(84), Tile(b"", 448, 224).fit(112)
        ((84, 84), (80, 48), (112, 56))
        """
        longest = max(self.width, self.height)
        scale = target / longest if self.photo else max(1, target // longest)
        return round(self.width * scale), round(self.height * scale)
