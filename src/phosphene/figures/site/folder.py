"""The folder of a static site: files appear whole or not at all, and only ours ever disappear."""

import contextlib
import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from phosphene.errors import StorageError
from phosphene.figures.ink.png import AnyImage, data_uri, png_bytes

GENERATOR = '<meta name="generator" content="phosphene'
INLINE_BYTES = 4096
PHOTO_PIXELS = 64

_OUR_PAGE = re.compile(r"(layer|unit|probe)-.+\.html")
_OUR_NUMBERS = re.compile(r"probe-.+\.json")
_OUR_IMAGE = re.compile(r"[0-9a-f]{32}\.png")


@dataclass(frozen=True)
class Tile:
    """An image as a page shows it: where its bytes are and how many pixels it has."""

    src: str
    width: int
    height: int

    @property
    def photo(self) -> bool:
        """Large enough to be scaled smoothly; below that every pixel is kept crisp."""
        return max(self.width, self.height) >= PHOTO_PIXELS

    @property
    def file(self) -> bool:
        """Whether the image is a file of its own, which a browser may fetch late."""
        return not self.src.startswith("data:")

    def fit(self, target: int) -> tuple[int, int]:
        """Width and height on the page, at most `target` unless a pixel would be lost.

        Small images grow by whole multiples so that all their pixels are equally large.

        >>> Tile("", 28, 28).fit(100), Tile("", 5, 3).fit(84), Tile("", 448, 224).fit(112)
        ((84, 84), (80, 48), (112, 56))
        """
        longest = max(self.width, self.height)
        scale = target / longest if self.photo else max(1, target // longest)
        return round(self.width * scale), round(self.height * scale)


class SiteFolder:
    """Writes pages and images, each image once, and clears away what an earlier export left.

    Raises:
        StorageError: the folder cannot be written, or holds what no export left there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: set[Path] = set()
        try:
            _refuse_foreign(folder)
            (folder / "img").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def write(self, name: str, content: str | bytes) -> Path:
        """Put a file in place in one move, unless it is there already, byte for byte."""
        path = self.folder / name
        self.written.add(path)
        data = content.encode() if isinstance(content, str) else content
        try:
            if path.exists() and path.read_bytes() == data:
                return path
            partial = path.with_name(path.name + ".partial")
            partial.write_bytes(data)
            partial.replace(path)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return path

    def sheet(self, png: bytes) -> Tile:
        """A finished figure, a file of its own: half as wide as it has pixels, for sharp print."""
        (width, height) = struct.unpack_from(">II", png, 16)  # the first chunk of every PNG
        return Tile(self._image(png), width // 2, height // 2)

    def tile(self, image: AnyImage) -> Tile:
        """An image for a page: a few kilobytes inline, anything larger in `img/`."""
        png = png_bytes(image)
        height, width = image.shape[:2]
        if len(png) <= INLINE_BYTES:
            return Tile(data_uri(png), width, height)
        return Tile(self._image(png), width, height)

    def mask(self, image: AnyImage) -> Tile:
        """What fades an image. Always inline: from disk, browsers take no mask out of a file."""
        height, width = image.shape[:2]
        return Tile(data_uri(png_bytes(image)), width, height)

    def _image(self, png: bytes) -> str:
        name = f"img/{hashlib.blake2b(png, digest_size=16).hexdigest()}.png"
        if self.folder / name not in self.written:
            self.write(name, png)
        return name

    def remove_stale(self) -> None:
        """Remove pages, numbers and images of an earlier export that this one did not write."""
        pages = [p for p in self.folder.glob("*.html") if _OUR_PAGE.fullmatch(p.name)]
        numbers = [p for p in self.folder.glob("*.json") if _OUR_NUMBERS.fullmatch(p.name)]
        images = [p for p in self.folder.glob("img/*.png") if _OUR_IMAGE.fullmatch(p.name)]
        for path in {*pages, *numbers, *images} - self.written:
            if path.suffix != ".html" or _is_our_page(path):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()


def slug(name: str) -> str:
    """A file name for a layer: itself where that is safe everywhere, else with a hash of it.

    >>> slug("features.3.squeeze"), slug("Conv/1")
    ('features.3.squeeze', 'conv-1-6fd373')
    """
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,59}", name):
        return name
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower())[:48].strip("-")
    digest = hashlib.blake2b(name.encode(), digest_size=3).hexdigest()
    return f"{readable}-{digest}".lstrip("-")


def _refuse_foreign(folder: Path) -> None:
    """Raise `StorageError` unless the folder is new, empty (but for hidden files) or an export.

    The index of an export is written last; one that was cut short is known by holding nothing
    that we do not write.
    """
    if not folder.exists():
        return
    index = folder / "index.html"
    if index.exists():
        if _is_our_page(index):
            return
        found = f"{index} was not written by phosphene and would be lost"
    else:
        foreign = sorted(
            path.name
            for path in folder.iterdir()
            if not path.name.startswith(".") and not _may_be_ours(path)
        )
        if not foreign:
            return
        found = f"{folder} holds files that phosphene did not write ({', '.join(foreign[:3])})"
    raise StorageError(
        f"{found}; expected an empty folder or an earlier export. "
        f"Give the site a folder of its own, such as {folder / 'site'}"
    )


def _may_be_ours(path: Path) -> bool:
    name = path.name.removesuffix(".partial")
    if name in {"img", "style.css", "index.html"} or _OUR_NUMBERS.fullmatch(name):
        return True
    return _OUR_PAGE.fullmatch(name) is not None and (name != path.name or _is_our_page(path))


def _is_our_page(path: Path) -> bool:
    return GENERATOR in path.read_text(encoding="utf-8", errors="replace")[:1024]


def _unwritable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"cannot write the site to {folder}: {error.strerror or error}; "
        "expected a folder with room that you may write to. Choose another one"
    )
