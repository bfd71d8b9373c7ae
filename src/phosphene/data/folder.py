"""A folder of image files, one folder per class or flat."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from phosphene.data.contents import fingerprint_of_files, hashes_of_files, sealed
from phosphene.data.image_formats import extensions
from phosphene.data.listing import listed
from phosphene.data.resize import Resize, told
from phosphene.data.stored import File, Stored, unlabelled
from phosphene.data.strings import Strings
from phosphene.errors import DataError
from phosphene.words import plural, printable

MOST_ENDINGS = 5
"""Of files passed over that are named each."""


class ImageFolder(Stored):
    """Image files below `folder`, each read, resized and cropped as `read_image` does.

    Where subfolders hold images each is a class, named by the folder, in sorted order, with the
    images at any depth below it; otherwise the images lie flat and have no labels. `labels` maps
    file names (without folders) to classes and then counts instead; a file it leaves out has no
    label. Names starting with a dot are passed over, and so are files whose names do not end as
    those of the images do that Pillow reads; `passed_over` says how many of which. A file that
    cannot be decoded is an `Unreadable` item. Names that are no UTF-8 are told with the bytes
    written out, as in `caf\\xe9`. The listing of a large folder is kept, see
    `phosphene.data.listing`; `remark` says so where one was used.

    Raises `DataError` when the folder is missing or holds no image, when images lie both in it and
    in its subfolders, and when `labels` names none of the files.
    """

    def __init__(
        self,
        folder: str | Path,
        channels: int,
        size: tuple[int, int],
        resize: Resize | None = None,
        labels: Mapping[str, int] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.channels = channels
        self.size = size
        self.resize = resize
        where = printable(self.folder)
        if not self.folder.is_dir():
            raise DataError(f"no folder {where}; pass a folder of image files")
        self._listing = listing = listed(self.folder)
        self.passed_over = passed_over_told(listing.others)
        tops = (name for name in listing.folders if name and "/" not in name)
        self.targets, self.classes = by_class(listing.files, tops, where, self.passed_over)
        if labels is not None:
            names = (name.rpartition("/")[2] for name in listing.files)
            self.targets = np.array([labels.get(name, -1) for name in names], np.int64)
            self.classes = ()
            if (self.targets < 0).all():
                raise DataError(
                    f"labels names none of the files in {where}; its keys must be "
                    f"file names such as {self.paths[0].name!r}"
                )
        self.name = printable(self.folder.resolve().name)
        self.note = f"{len(self.paths):,} image files, {told(resize, size)}"
        self.remark = listing.remark

    @property
    def paths(self) -> Sequence[Path]:
        """The files, in their order."""
        return _Paths(self.folder, self._listing.files)

    def called(self, index: int) -> str:
        """The path of a file."""
        return str(self.paths[index])

    def _files(self, indices: Sequence[int]) -> list[File]:
        return [self.paths[index] for index in indices]

    def file(self, index: int) -> str:
        """The name of a file below the folder."""
        return printable(self.paths[index].relative_to(self.folder))

    def fingerprint(self) -> str:
        """BLAKE2 of what each file is called and holds, of its label, and of how it is read."""
        found, about = self._listing, f"contents of {self.folder.resolve()}"
        seal = sealed(about, found.mark, len(self), self._hashes)
        return fingerprint_of_files(self.as_read, found.files, found.sizes, self.labels, seal)

    def _hashes(self, indices: Sequence[int]) -> Iterator[bytes]:
        return hashes_of_files(self.paths[index] for index in indices)


def passed_over_told(passed_over: Counter[str]) -> str:
    """How many files were passed over, by their endings, in a sentence; empty where none were.

    >>> passed_over_told(Counter({".heic": 2, ".txt": 1}))
    '3 files were passed over: 2 .heic, 1 .txt.'
    >>> passed_over_told(Counter({"": 1}))
    '1 file was passed over: 1 without an ending.'
    """
    if not passed_over:
        return ""
    count = passed_over.total()
    named = sorted(passed_over.items(), key=lambda item: (-item[1], item[0]))[:MOST_ENDINGS]
    kinds = [f"{many:,} {printable(ending) or 'without an ending'}" for ending, many in named]
    rest = count - sum(many for _, many in named)
    kinds += [f"{rest:,} others"] * bool(rest)
    was = "was" if count == 1 else "were"
    return f"{plural(count, 'file')} {was} passed over: {', '.join(kinds)}."


class _Paths(Sequence[Path]):
    """The files of a listing as paths, each made when it is asked for."""

    def __init__(self, folder: Path, files: Strings) -> None:
        self.folder, self.files = folder, files

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> list[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | list[Path]:
        if isinstance(index, slice):
            return [self.folder / name for name in self.files[index]]
        return self.folder / self.files[index]


def by_class(
    names: Sequence[str], folders: Iterable[str], where: str, passed_over: str
) -> tuple[Int[ndarray, "n"], tuple[str, ...]]:
    """The label of each of the files called so, and the names of the classes.

    `folders` are those at the top, which are classes even where they hold no image.

    Raises:
        DataError: images lie both at the top and below, or there are none; `where` is the folder.
    """
    tops = [name.partition("/") for name in names]
    flat = next((name for name, deeper, _ in tops if not deeper), None)
    below = next((name for name, deeper, _ in tops if deeper), None)
    if flat is not None and below is not None:
        raise DataError(
            f"images both in {where} ({printable(flat)}) and below it (in {printable(below)}); put "
            "every image into the folder of its class, or none"
        )
    if flat is None and below is None:
        raise DataError(
            f"no image in {where} or below; looked for files ending in "
            f"{', '.join(sorted(extensions()))}. {passed_over}".rstrip()
        )
    if flat is not None:
        return unlabelled(len(names)), ()
    # A class without images stays a class: the others keep the labels a network learned.
    classes = sorted({*folders, *(name for name, _, _ in tops)})
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers[name] for name, _, _ in tops], np.int64)
    return labels, tuple(printable(name) for name in classes)
