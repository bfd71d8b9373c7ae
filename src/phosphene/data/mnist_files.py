"""MNIST from its four IDX files in a folder; fetched there only when asked for."""

import hashlib
import http.client
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from phosphene.data.dataset import ArrayDataset, ImageDataset
from phosphene.data.fitted import Fitted
from phosphene.data.idx import read_idx
from phosphene.data.sources import Wanted, source
from phosphene.errors import DataError, DownloadError, nearest

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""MD5 of the four original files."""

LABELS = {"train": "e86ee40d66677c011a9abda399ec8c4d", "test": "073c3904dfbd3e141ff8aa01cfde6b15"}
"""MD5 of MNIST's labels themselves, however they are packed: other sets have other labels."""

DEFAULT_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def mnist(folder: str | Path, split: str = "train", download: bool = False) -> ArrayDataset:
    """The handwritten digits of `split` ("train" or "test"), white on black, `n 1 28 28`.

    Reads the IDX files in `folder`, gzipped or not, of MNIST or of any set in the same format and
    with the same names, and is called as the folder is; `download` first fetches the gzipped
    originals that are not there. Raises `DataError` for a file that is missing, damaged or does not
    fit the other, `DownloadError` when a download fails.

    *Source:* Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-based learning applied to
    document recognition*, Proc. IEEE 86 (1998).
    """
    if split not in FILES:
        raise DataError(f"no split {split!r} of MNIST; {nearest(split, FILES)}")
    folder = Path(folder)
    if download:
        download_mnist(folder)
    images_path, labels_path = (_find(folder, name) for name in FILES[split])
    pictures = read_idx(images_path, axes=3)
    labels = read_idx(labels_path, axes=1)
    if len(pictures) != len(labels):
        raise DataError(
            f"{images_path} holds {len(pictures):,} pictures but {labels_path} "
            f"{len(labels):,} labels; they belong to different sets"
        )
    count, height, width = pictures.shape
    return ArrayDataset(
        pictures[:, None],
        labels.long(),
        name=f"{folder.resolve().name} {split}",
        classes=[str(digit) for digit in range(10)],
        note=f"{_what(labels, split, count)}, {height}x{width}",
    )


@source("mnist", "mnist:FOLDER")
def _asked(rest: str, wanted: Wanted) -> ImageDataset:
    """Of a folder, or of a folder and a split."""
    folder, _, split = rest.rpartition(":")
    if not folder or split not in FILES:
        folder, split = rest, wanted.split
    return Fitted.of(mnist(folder, split), wanted.channels, wanted.size)


def _what(labels: Tensor, split: str, count: int) -> str:
    """What the pictures are: MNIST's digits where the labels are MNIST's, else what is known."""
    if _md5(labels.numpy().tobytes()) == LABELS[split]:
        return f"{count:,} handwritten digits of MNIST's {split} set"
    return f"{count:,} pictures of the {split} set, from IDX files"


def download_mnist(
    folder: str | Path,
    mirrors: Sequence[str] = DEFAULT_MIRRORS,
    timeout: float = 30.0,
    checksums: Mapping[str, str] = CHECKSUMS,
) -> None:
    """Fetch the files named in `checksums` (name: MD5) into `folder`, unless they are there.

    Each mirror is tried in turn, waiting `timeout` seconds for an answer; a file takes its name
    only once it is complete and its checksum right. Raises `DownloadError`.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, checksum in checksums.items():
            path = folder / name
            if not path.is_file() or _md5(path.read_bytes()) != checksum:
                _write_whole(path, _fetch(name, checksum, mirrors, timeout, folder))
    except OSError as error:
        raise DownloadError(f"cannot write into {folder}: {error.strerror or error}") from error


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(
        f"no {name} or {name}.gz in {folder}; put MNIST's four files there, "
        "or call download_mnist(folder)"
    )


def _fetch(name: str, checksum: str, mirrors: Sequence[str], timeout: float, folder: Path) -> bytes:
    failures = []
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + name
        try:
            with urllib.request.urlopen(url, timeout=timeout) as answer:
                content: bytes = answer.read()
        except (OSError, http.client.HTTPException) as error:
            failures.append(f"{url}: {error}")
            continue
        if _md5(content) == checksum:
            return content
        failures.append(f"{url}: MD5 {_md5(content)}, expected {checksum}")
    raise DownloadError(
        f"cannot download {name}: {'; '.join(failures)}. "
        f"Without a network, put these files into {folder}: {', '.join(CHECKSUMS)}"
    )


def _write_whole(path: Path, content: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as scratch:
        part = Path(scratch) / path.name
        part.write_bytes(content)
        part.replace(path)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
