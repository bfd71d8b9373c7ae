"""Data that are files: a folder of images, tar files, tables, here or elsewhere."""

import os
import re
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path, PurePath

from phosphene.data.folder import ImageFolder
from phosphene.data.image_formats import extensions
from phosphene.data.remote import Piece, is_url, pieces, reached, system
from phosphene.data.remote_folder import RemoteFolder
from phosphene.data.sources import Wanted, source
from phosphene.data.stored import Stored
from phosphene.data.tables import Tables, saved
from phosphene.data.tars import TarShards
from phosphene.errors import DataError
from phosphene.words import printable

SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "val", "valid", "validation"),
}
"""What a folder or a file that holds a split is usually called."""

MOST_LOOKED_AT = 1000
"""Entries of a folder that are looked at to tell what it holds."""

TABLES = (".parquet", ".arrow")

_SAVED = "dataset_info.json"
"""What 🤗 datasets put into a folder that they save to."""


def _ends(*endings: str) -> "re.Pattern[str]":
    return re.compile(rf".+({'|'.join(map(re.escape, endings))})", re.IGNORECASE | re.DOTALL)


_TAR, _TABLE = _ends(".tar"), _ends(*TABLES)


@source("tar", "shards/{000..119}.tar", lambda s: bool(_TAR.fullmatch(s)), resizes=True)
def _tars(pattern: str, wanted: Wanted) -> TarShards:
    return TarShards(pieces(pattern), wanted.channels, wanted.size, wanted.resize)


@source("parquet", "*.parquet", lambda s: bool(_TABLE.fullmatch(s)), resizes=True)
def _tables(pattern: str, wanted: Wanted) -> Tables:
    found = of_split(pieces(pattern), wanted.split)
    return Tables(found, wanted.channels, wanted.size, wanted.resize)


def _is_folder(spec: str) -> bool:
    return is_url(spec) or Path(spec).is_dir()


@source("folder", "a folder of images", _is_folder, resizes=True)
def _folder(spec: str, wanted: Wanted) -> Stored:
    place = spec.rstrip("/") or spec
    part = _part(place, wanted.split)
    dataset = _held(part, wanted)
    if part != place:
        dataset.name = f"{_called(place)} {wanted.split}"
    return dataset


def _held(place: str, wanted: Wanted) -> Stored:
    """What a folder holds: a saved dataset, tar files, tables, or images."""
    names, folders = _inside(place)
    endings = {PurePath(name).suffix.lower() for name in names}
    packed = not folders and not endings & extensions()  # else they are beside what is meant
    how = wanted.channels, wanted.size, wanted.resize
    if _SAVED in names:
        files, features = saved(place)
        made: Stored = Tables([found for file in files for found in pieces(file)], *how, features)
        made.name = _called(place)
        return made
    if packed and ".tar" in endings:
        return TarShards(pieces(f"{place}/*.tar"), *how)
    for ending in TABLES:
        if packed and ending in endings:
            return Tables(of_split(pieces(f"{place}/*{ending}"), wanted.split), *how)
    return RemoteFolder(place, *how) if is_url(place) else ImageFolder(place, *how)


def of_split(found: Sequence[Piece], split: str) -> Sequence[Piece]:
    """Of files called `train-00000-of-00002.parquet` and `test-…` those of the split."""
    named = [re.split("[-_.]", piece.name)[0].lower() for piece in found]
    if len(set(named)) < 2 or not _are_splits(named):
        return found
    chosen = next((name for name in SPLITS.get(split, ()) if name in named), None)
    if chosen is None:
        raise DataError(
            f"there are tables of {', '.join(sorted(set(named)))} but none for the split "
            f"{split!r}; give those of one, such as {named[0]}-*.parquet"
        )
    return [piece for name, piece in zip(named, found, strict=True) if name == chosen]


def _part(place: str, split: str) -> str:
    """The subfolder that holds the split, or the folder itself where it is not split."""
    _, parts = _inside(place)
    if not parts or not _are_splits(parts):
        return place  # a class may well be called "train" too
    for name in SPLITS.get(split, ()):
        if name in parts:
            return f"{place}/{name}"
    raise DataError(
        f"{printable(place)} holds {', '.join(sorted(parts))} but nothing for the split {split!r}; "
        "give one of these folders itself"
    )


def _are_splits(names: Collection[str]) -> bool:
    return set(names).issubset(sum(SPLITS.values(), ()))


def _inside(place: str) -> tuple[list[str], set[str]]:
    """The files of a folder, or the first that are found, and its folders."""
    if not is_url(place):
        with reached(place), os.scandir(place) as entries:
            seen = [(e.name, e.is_dir()) for e in islice(entries, MOST_LOOKED_AT)]
    else:
        files, path = system(place)
        with reached(place):
            listed = files.ls(path, detail=True)
        root = path.rstrip("/")
        seen = [
            (about["name"].rstrip("/").removeprefix(root).strip("/"), about["type"] == "directory")
            for about in listed
        ]
    visible = [(name, folder) for name, folder in seen if name and not name.startswith(".")]
    names = sorted(name for name, folder in visible if not folder)
    return names, {name for name, folder in visible if folder}


def _called(place: str) -> str:
    name = place.rstrip("/").rpartition("/")[2] if is_url(place) else Path(place).resolve().name
    return printable(name)
