"""A folder of image files, one folder per class or flat."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from phosphene.data.dataset import ImageDataset, digest
from phosphene.data.example import Example, Unreadable
from phosphene.data.images import decode, default_resize
from phosphene.data.resize import Resize, told
from phosphene.errors import DataError

EXTENSIONS = (
    ".bmp",
    ".gif",
    ".jpeg",
    ".jpg",
    ".pbm",
    ".pgm",
    ".png",
    ".pnm",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)


class ImageFolder(ImageDataset):
    """Image files below `folder`, each read, resized and cropped as `read_image` does.

    Where subfolders hold images each is a class, named by the folder, in sorted order, with the
    images at any depth below it; otherwise the images lie flat and have no labels. `labels` maps
    file names (without folders) to classes and then counts instead; a file it leaves out has no
    label. Names starting with a dot are passed over. A file that cannot be decoded is an
    `Unreadable` item.

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
        self.paths, self.labels, self.classes = _listed(self.folder)
        if labels is not None:
            self.labels = [labels.get(path.name) for path in self.paths]
            self.classes = ()
            if set(self.labels) == {None}:
                raise DataError(
                    f"labels names none of the files in {self.folder}; its keys must be file "
                    f"names such as {self.paths[0].name!r}"
                )
        self.name = self.folder.resolve().name
        self.note = f"{len(self.paths):,} image files, {told(resize, size)}"

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Example | Unreadable:
        answer = decode(self.paths[index], self.channels, self.size, self.resize)
        return answer if isinstance(answer, Unreadable) else Example(answer, self.labels[index])

    def fingerprint(self) -> str:
        """BLAKE2 of each file's name, size, time of change and label, and of how it is read."""
        resize = default_resize(self.size) if self.resize is None else self.resize
        parts = [repr((self.channels, self.size, resize, self.classes))]
        for path, label in zip(self.paths, self.labels, strict=True):
            status = path.stat()
            name = path.relative_to(self.folder).as_posix()
            parts.append(repr((name, status.st_size, status.st_mtime_ns, label)))
        return digest("\n".join(parts).encode())


def _listed(folder: Path) -> tuple[list[Path], list[int | None], tuple[str, ...]]:
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; pass a folder of image files")
    flat = _images(folder.iterdir())
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and _visible(path))
    by_class = {path.name: _images(path.rglob("*")) for path in subfolders}
    if flat and any(by_class.values()):
        deeper = next(name for name, paths in by_class.items() if paths)
        raise DataError(
            f"images both in {folder} ({flat[0].name}) and below it (in {deeper}); put every image "
            "into the folder of its class, or none"
        )
    if flat:
        return flat, [None] * len(flat), ()
    if not any(by_class.values()):
        raise DataError(
            f"no image in {folder} or below; looked for files ending in " + ", ".join(EXTENSIONS)
        )
    # A class without images stays a class: the others keep the labels a network learned.
    labels: list[int | None] = [
        label for label, paths in enumerate(by_class.values()) for _ in paths
    ]
    return [path for paths in by_class.values() for path in paths], labels, tuple(by_class)


def _images(paths: Iterable[Path]) -> list[Path]:
    return sorted(
        path
        for path in paths
        if path.suffix.lower() in EXTENSIONS and _visible(path) and path.is_file()
    )


def _visible(path: Path) -> bool:
    return not path.name.startswith(".")
