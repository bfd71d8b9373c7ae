"""The folder of a static site: files appear whole or not at all, and only ours ever disappear."""

import contextlib
import hashlib
import re
from pathlib import Path

from phosphene.errors import StorageError

GENERATOR = '<meta name="generator" content="phosphene'

SCRIPT, INDEX = "site.js", "search.js"
"""The script of all pages and what it searches in; every export writes both."""

MADE_BY = "/* made by phosphene */"
"""The first line of scripts and styles that stand beside a page."""

_OUR_PAGE = re.compile(r"(layer|unit|probe)-.+\.html|bench\.html")
_OUR_SCRIPT = re.compile(r"bench(-[a-z]+)?\.(js|css)")
_OUR_NUMBERS = re.compile(r"probe-.+\.json")
_OUR_IMAGE = re.compile(r"([0-9a-f]{16}){1,2}\.(png|webp|avif)")


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

    def image(self, file: bytes, suffix: str = "png") -> str:
        """Put an image into `img/`, each once, under a name made of its content."""
        name = f"img/{hashlib.blake2b(file, digest_size=8).hexdigest()}.{suffix}"
        if self.folder / name not in self.written:
            self.write(name, file)
        return name

    def remove_stale(self) -> None:
        """Remove what an earlier export wrote and this one did not: pages, and what they show."""
        pages = [p for p in self.folder.glob("*.html") if _OUR_PAGE.fullmatch(p.name)]
        numbers = [p for p in self.folder.glob("*.json") if _OUR_NUMBERS.fullmatch(p.name)]
        images = [p for p in self.folder.glob("img/*") if _OUR_IMAGE.fullmatch(p.name)]
        scripts = [p for p in self.folder.glob("bench*") if _OUR_SCRIPT.fullmatch(p.name)]
        for path in {*pages, *numbers, *images, *scripts} - self.written:
            if path.suffix not in {".html", ".js", ".css"} or _is_ours(path):
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
    if name in {SCRIPT, INDEX}:
        return name != path.name or _is_our_script(path)
    if name in {"img", "style.css", "index.html"} or _OUR_NUMBERS.fullmatch(name):
        return True
    ours = _OUR_PAGE.fullmatch(name) or _OUR_SCRIPT.fullmatch(name)
    return ours is not None and (name != path.name or _is_ours(path))


def _is_ours(path: Path) -> bool:
    """Whether a page, a script or a style says that we made it."""
    if path.suffix == ".html":
        return _is_our_page(path)
    return path.read_bytes().startswith(MADE_BY.encode())


def _is_our_page(path: Path) -> bool:
    return GENERATOR in path.read_text(encoding="utf-8", errors="replace")[:1024]


def _is_our_script(path: Path) -> bool:
    return "phosphene" in path.read_text(encoding="utf-8", errors="replace")[:200]


def _unwritable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"cannot write the site to {folder}: {error.strerror or error}; "
        "expected a folder with room that you may write to. Choose another one"
    )
