"""A folder of image files, one folder per class or flat."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from phosphene.data.dataset import ImageDataset, digest
from phosphene.data.example import Example, Unreadable
from phosphene.data.image_formats import extensions
from phosphene.data.images import decode, default_resize
from phosphene.data.resize import Resize, told
from phosphene.errors import DataError
from phosphene.words import plural, printable

MOST_ENDINGS = 5
"""Of files passed over that are named each."""


class ImageFolder(ImageDataset):
    """Image files below `folder`, each read, resized and cropped as `read_image` does.

    Where subfolders hold images each is a class, named by the folder, in sorted order, with the
    images at any depth below it; otherwise the images lie flat and have no labels. `labels` maps
    file names (without folders) to classes and then counts instead; a file it leaves out has no
    label. Names starting with a dot are passed over, and so are files whose names do not end as
    those of the images do that Pillow reads; `passed_over` says how many of which. A file that
    cannot be decoded is an `Unreadable` item. Names that are no UTF-8 are told with the bytes
    written out, as in `caf\\xe9`.

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
        self.paths, self.labels, self.classes, others = _listed(self.folder)
        self.passed_over = passed_over_told(others)
        if labels is not None:
            self.labels = [labels.get(path.name) for path in self.paths]
            self.classes = ()
            if set(self.labels) == {None}:
                raise DataError(
                    f"labels names none of the files in {printable(self.folder)}; its keys must be "
                    f"file names such as {self.paths[0].name!r}"
                )
        self.name = printable(self.folder.resolve().name)
        self.note = f"{len(self.paths):,} image files, {told(resize, size)}"

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Example | Unreadable:
        answer = decode(self.paths[index], self.channels, self.size, self.resize)
        return answer if isinstance(answer, Unreadable) else Example(answer, self.labels[index])

    def called(self, index: int) -> str:
        """The name of a file below the folder."""
        return printable(self.paths[index].relative_to(self.folder))

    def fingerprint(self) -> str:
        """BLAKE2 of each file's name, size, time of change and label, and of how it is read."""
        resize = default_resize(self.size) if self.resize is None else self.resize
        parts = [repr((self.channels, self.size, resize, self.classes))]
        for path, label in zip(self.paths, self.labels, strict=True):
            status = path.stat()
            name = path.relative_to(self.folder).as_posix()
            parts.append(repr((name, status.st_size, status.st_mtime_ns, label)))
        return digest("\n".join(parts).encode())


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


def _listed(
    folder: Path,
) -> tuple[list[Path], list[int | None], tuple[str, ...], Counter[str]]:
    if not folder.is_dir():
        raise DataError(f"no folder {printable(folder)}; pass a folder of image files")
    others: Counter[str] = Counter()
    flat = _images(folder.iterdir(), others)
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and _visible(path))
    by_class = {path.name: _images(path.rglob("*"), others) for path in subfolders}
    if flat and any(by_class.values()):
        deeper = next(name for name, paths in by_class.items() if paths)
        raise DataError(
            f"images both in {printable(folder)} ({printable(flat[0].name)}) and below it (in "
            f"{printable(deeper)}); put every image into the folder of its class, or none"
        )
    if flat:
        return flat, [None] * len(flat), (), others
    if not any(by_class.values()):
        raise DataError(
            f"no image in {printable(folder)} or below; looked for files ending in "
            f"{', '.join(sorted(extensions()))}. {passed_over_told(others)}".rstrip()
        )
    # A class without images stays a class: the others keep the labels a network learned.
    labels: list[int | None] = [
        label for label, paths in enumerate(by_class.values()) for _ in paths
    ]
    names = tuple(printable(name) for name in by_class)
    return [path for paths in by_class.values() for path in paths], labels, names, others


def _images(paths: Iterable[Path], others: Counter[str]) -> list[Path]:
    """The files that end as images do, sorted; how the rest end is counted in `others`."""
    found = []
    for path in paths:
        if not _visible(path) or not path.is_file():
            continue
        ending = path.suffix.lower()
        if ending in extensions():
            found.append(path)
        else:
            others[ending] += 1
    return sorted(found)


def _visible(path: Path) -> bool:
    return not path.name.startswith(".")
