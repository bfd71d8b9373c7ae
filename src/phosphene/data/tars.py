"""Images in tar files, as WebDataset packs them: `shards/{000..119}.tar`.

The members of one sample follow one another and are called alike up to the first dot: `ox/7.jpg`
and `ox/7.cls`. A sample's label is what its `.cls` says, a number or a class's name; else `cls`,
`label` or `class` of its `.json`; else its `.txt`, where the texts of a file repeat and so are no
captions.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np

from phosphene.data.cache import Arrays
from phosphene.data.image_formats import extensions
from phosphene.data.remote import Piece, reached, read_ranges, system
from phosphene.data.sharded import LABELS, SEAL, Sharded, texts_numbered
from phosphene.data.stored import File
from phosphene.data.strings import Strings
from phosphene.errors import DataError
from phosphene.words import plural, printable

OF_LABELS = ("cls", "json", "txt")
"""Endings of members that may say a sample's label, the surest first."""

_TXT = OF_LABELS.index("txt")

IN_JSON = ("cls", "label", "class")
"""What a label is called in a sample's JSON."""

MOST_LABEL = 2**20
"""Bytes of a member that may say a label; what is longer says something else."""

MOST_CLASSES = 2**31
"""What is no larger may be a class's number."""

_READ_AHEAD = 2**22
_BLOCK = 512


class TarShards(Sharded):
    """Images of tar files, each read from its place in the file.

    `passed_over` says how many samples had no image, and which file was cut short.
    """

    called_file = "tar file"

    def called(self, index: int) -> str:
        """The file and the member."""
        return f"{self.pieces[int(self._where([index])[0])].place}/{self._names[index]}"

    def file(self, index: int) -> str:
        """The member, as it is named in its tar file."""
        return printable(self._names[index])

    def _look_up(self, piece: Piece) -> Arrays:
        return look_up(piece)

    def _take_in(self, indices: Sequence[Arrays]) -> None:
        self._offsets = np.concatenate([index["offsets"] for index in indices])
        self._lengths = np.concatenate([index["lengths"] for index in indices])
        self._names = Strings.joined([Strings.told(index, "names") for index in indices])
        without = sum(int(index["without"][0]) for index in indices)
        cut = [
            f"{printable(piece.name)} is cut short after {plural(len(index[LABELS]), 'image')}"
            for piece, index in zip(self.pieces, indices, strict=True)
            if index["cut"][0]
        ]
        said = [f"{plural(without, 'sample')} without an image passed over"] * bool(without) + cut
        self.passed_over = f"{'; '.join(said)}." if said else ""

    def _expected(self) -> str:
        return "expected members such as 0001.jpg and 0001.cls"

    def _files(self, indices: Sequence[int]) -> list[File]:
        found: list[File] = [BytesIO()] * len(indices)
        where = self._where(indices)
        for shard in np.unique(where).tolist():
            places = np.flatnonzero(where == shard)
            starts = self._offsets[np.asarray(indices)[places]]
            ends = starts + self._lengths[np.asarray(indices)[places]]
            ranges = [*zip(starts.tolist(), ends.tolist(), strict=True)]
            contents = read_ranges(self.pieces[shard].place, ranges)
            for place, content in zip(places.tolist(), contents, strict=True):
                found[place] = BytesIO(content)
        return found


@dataclass
class _Sample:
    """What was found of one sample."""

    key: str
    image: tuple[str, int, int] | None = None
    label: int | str | None = None
    surest: int = len(OF_LABELS)

    def take(self, tar: tarfile.TarFile, member: tarfile.TarInfo, ending: str) -> None:
        """Take in one of its members."""
        last = f".{ending.rpartition('.')[2]}"
        if self.image is None and last in extensions():
            self.image = member.name, member.offset_data, member.size
        elif ending in OF_LABELS[: self.surest] and member.size <= MOST_LABEL:
            content = tar.extractfile(member)
            label = _label(ending, b"" if content is None else content.read())
            if label is not None:
                self.label, self.surest = label, OF_LABELS.index(ending)


@dataclass
class _Found:
    """What was found in one tar file so far."""

    images: list[tuple[str, int, int]] = field(default_factory=list)
    labels: list[int | str | None] = field(default_factory=list)
    of_texts: list[int] = field(default_factory=list)
    without: int = 0
    cut: bool = False

    def take(self, sample: _Sample) -> None:
        if sample.image is None:
            self.without += 1
            return
        self.images.append(sample.image)
        if sample.surest == _TXT:
            self.of_texts.append(len(self.labels))
        self.labels.append(sample.label)

    def forget_captions(self) -> None:
        """Take no texts for labels of which hardly any repeats."""
        if 2 * len({self.labels[place] for place in self.of_texts}) > len(self.of_texts):
            for place in self.of_texts:
                self.labels[place] = None


def look_up(piece: Piece) -> Arrays:
    """Where the images of a tar file lie in it, and their labels.

    A file that ends in the middle of a member is taken as far as it goes.

    Raises:
        DataError: it cannot be read, or is no tar file, or a compressed one.
    """
    found, seal = _Found(), hashlib.blake2b(digest_size=16)
    files, path = system(piece.place)
    with reached(piece.place), files.open(path, "rb", block_size=_READ_AHEAD) as file:
        _require_tar(piece, file)
        sample: _Sample | None = None
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for member in _members(tar, piece.size):
                    told = member.name, member.size, member.mtime, member.offset_data
                    seal.update(repr(told).encode())
                    key, ending = _key(member.name)
                    if sample is not None and sample.key != key:
                        found.take(sample)
                        sample = None
                    sample = sample or _Sample(key)
                    sample.take(tar, member, ending)
                file.seek(tar.offset)
                found.cut = file.read(_BLOCK) != bytes(_BLOCK)  # else it ended as it should
        except tarfile.ReadError:
            found.cut = True
        if sample is not None:
            found.take(sample)
    return _arrays(found, seal.digest())


def _members(tar: tarfile.TarFile, size: int) -> Iterator[tarfile.TarInfo]:
    """The files in a tar file, as far as it has all of them."""
    while (member := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined] # it would remember them all
        if member.offset_data + member.size > size:
            raise tarfile.ReadError("unexpected end of data")
        if member.isreg() and not member.name.rpartition("/")[2].startswith("."):
            yield member


def _key(name: str) -> tuple[str, str]:
    """What a sample is called, and the ending of one of its members.

    >>> _key("ox/7.seg.PNG"), _key("./a.b/7.cls")
    (('ox/7', 'seg.png'), ('./a.b/7', 'cls'))
    """
    folder, slash, last = name.rpartition("/")
    stem, _, ending = last.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def _label(ending: str, content: bytes) -> int | str | None:
    text = content.decode("utf-8", "replace").strip()
    value: Any = text
    if ending == "json":
        try:
            about = json.loads(text)
        except (ValueError, RecursionError):
            return None
        named = about if isinstance(about, dict) else {}
        value = next((named[name] for name in IN_JSON if named.get(name) is not None), None)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        return None
    if isinstance(value, str) and (ending == "txt" or not value.lstrip("-").isdecimal()):
        return value
    number = int(value)
    return number if abs(number) < MOST_CLASSES else None


def _arrays(found: _Found, seal: bytes) -> Arrays:
    found.forget_captions()
    names, offsets, lengths = zip(*found.images, strict=True) if found.images else ((), (), ())
    return {
        **Strings.of(names).arrays("names"),
        "offsets": np.array(offsets, np.int64),
        "lengths": np.array(lengths, np.int64),
        "without": np.array([found.without]),
        "cut": np.array([int(found.cut)]),
        **texts_numbered(found.labels),
        SEAL: np.frombuffer(seal + bytes([found.cut]), np.uint8),
    }


def _require_tar(piece: Piece, file: Any) -> None:
    head = file.read(_BLOCK)
    file.seek(0)
    packed = {
        b"\x1f\x8b": "gunzip",
        b"BZh": "bunzip2",
        b"\xfd7zXZ": "unxz",
        b"(\xb5/\xfd": "unzstd",
    }
    for magic, program in packed.items():
        if head.startswith(magic):
            raise DataError(
                f"{printable(piece.place)} is compressed, so that no image in it can be read by "
                f"itself; unpack it with {program} (images are compressed already)"
            )
    if len(head) < _BLOCK or (head[257:262] != b"ustar" and not _old_tar(head)):
        raise DataError(f"{printable(piece.place)} is no tar file")


def _old_tar(head: bytes) -> bool:
    """Whether the first block is a header, or empty, of a tar file from before there were marks."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return not any(head)
    return True
