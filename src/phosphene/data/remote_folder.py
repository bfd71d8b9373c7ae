"""A folder of image files that is elsewhere, such as `s3://bucket/photos`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import PurePosixPath

import numpy as np

from phosphene.data.contents import fingerprint_of_files, hash_of, sealed
from phosphene.data.dataset import digest
from phosphene.data.folder import by_class, passed_over_told
from phosphene.data.image_formats import extensions
from phosphene.data.remote import mark_of, reached, system
from phosphene.data.resize import Resize, told
from phosphene.data.stored import File, Stored
from phosphene.data.strings import Strings
from phosphene.words import printable

READ_TOGETHER = 64
"""Files that are asked for at once when the contents of all are compared."""


class RemoteFolder(Stored):
    """Image files below an address, as `ImageFolder` has those of a folder.

    A store has no times of folders by which a kept list could be told to hold still, so all files
    are listed at each start, a thousand a request: many images are better packed into tar files.

    Raises:
        DataError: it cannot be read, or holds no image; see `ImageFolder`.
    """

    def __init__(
        self, folder: str, channels: int, size: tuple[int, int], resize: Resize | None = None
    ) -> None:
        self.folder = folder.rstrip("/")
        self.channels, self.size, self.resize = channels, size, resize
        files, path = system(self.folder)
        with reached(self.folder):
            found = files.find(path, detail=True)
        root, others = f"{path.rstrip('/')}/", Counter[str]()
        kept: list[tuple[str, int, str]] = []
        for place, about in found.items():
            name = PurePosixPath(str(place).removeprefix(root))
            if name.parts[0].startswith(".") or name.name.startswith("."):
                continue
            ending = name.suffix.lower()
            if ending in extensions():
                kept.append((str(name), int(about["size"] or 0), mark_of(about)))
            else:
                others[ending] += 1
        kept.sort(key=lambda file: file[0].split("/"))
        self._names = Strings.of(name for name, _, _ in kept)
        self._sizes = np.array([length for _, length, _ in kept], np.int64)
        marks = [mark for _, _, mark in kept]
        self._mark = digest(repr(kept).encode()) if all(marks) else ""
        self.passed_over = passed_over_told(others)
        where = printable(self.folder)
        self.targets, self.classes = by_class(self._names, (), where, self.passed_over)
        self.name = printable(self.folder.rpartition("/")[2])
        self.note = f"{len(self):,} image files, {told(resize, size)}"

    def called(self, index: int) -> str:
        """The address of a file."""
        return f"{self.folder}/{self._names[index]}"

    def file(self, index: int) -> str:
        """The name of a file below the folder."""
        return printable(self._names[index])

    def _files(self, indices: Sequence[int]) -> list[File]:
        return [BytesIO(content) for content in self._contents(indices)]

    def _contents(self, indices: Sequence[int]) -> list[bytes]:
        files, path = system(self.folder)
        paths = [f"{path.rstrip('/')}/{self._names[index]}" for index in indices]
        with reached(self.called(indices[0]) if len(indices) == 1 else self.folder):
            found = files.cat(paths)
        return [found[path] for path in paths]

    def fingerprint(self) -> str:
        """As that of `ImageFolder`: a copy of the folder elsewhere is the same data."""
        about = f"contents of {self.folder}"
        seal = sealed(about, self._mark, len(self), self._hashes)
        return fingerprint_of_files(self.as_read, self._names, self._sizes, self.labels, seal)

    def _hashes(self, indices: Sequence[int]) -> Iterator[bytes]:
        for start in range(0, len(indices), READ_TOGETHER):
            for content in self._contents(indices[start : start + READ_TOGETHER]):
                yield hash_of(content)
