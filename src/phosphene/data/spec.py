"""From a text such as `mnist:FOLDER` to a dataset that fits a network's input."""

import importlib.util
import inspect
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from phosphene.data.folder import ImageFolder
from phosphene.data.resize import Resize
from phosphene.data.sources import SOURCES, Wanted, named
from phosphene.errors import DataError, InputError, SettingError, SpecError, nearest
from phosphene.network import find_factory

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "val", "valid", "validation"),
}
"""What a folder that holds a split is usually called."""


def load_data(
    spec: str,
    channels: int | None = None,
    size: tuple[int, int] | None = None,
    split: str = "test",
    resize: Resize | None = None,
) -> Dataset[Any]:
    """The dataset that `spec` names, with pictures `channels x size`.

    - `digits` or `digits:SPLIT`: the embedded digits;
    - `mnist:FOLDER` or `mnist:FOLDER:SPLIT`: MNIST's files;
    - a folder: its image files; when all its subfolders are splits (train, val, test …), the one
      that is `split`;
    - `file.py:factory` or `package.module:factory`: any `Dataset`, used as it comes; the factory
      is given those of `channels`, `size` and `split` that it has parameters for.

    `resize` says how image files come to `size`, see `read_image`; other data has ways of its own.

    A split in `spec` goes before `split`. Raises `SpecError` for a text that names no data,
    `SettingError` for a way to size that other data has no use for, `InputError` without channels
    and size, and `DataError` for data that cannot be read.

    >>> data = load_data("digits", channels=3, size=(32, 32))
    >>> data.name, tuple(data[0].picture.shape)
    ('digits test', (3, 32, 32))
    """
    if channels is None or size is None:
        raise InputError(
            f"what pictures to make of {spec!r} was not said; give the channels and size of the "
            f"network's input: load_data({spec!r}, 1, (28, 28)) for a grey one of 28 x 28, "
            f"load_data({spec!r}, 3, (224, 224)) for most that know photographs"
        )
    folder = bool(spec) and Path(spec).is_dir()
    if resize is not None and not folder:
        raise SettingError(
            f"--resize {resize} is for folders of image files; {spec} brings its pictures to size "
            "by itself"
        )
    wanted, found = Wanted(channels, size, split, resize), named(spec)
    if found is not None:
        make, rest = found
        return make(rest, wanted)
    return _folder(Path(spec), wanted) if folder else made(spec, wanted)


def runs_code(spec: str) -> bool:
    """Whether `load_data` would call a factory for `spec`.

    >>> runs_code("digits:test"), runs_code("mnist:data"), runs_code("pictures.py:make")
    (False, False, True)
    """
    return named(spec) is None and not (spec and Path(spec).is_dir())


def _folder(folder: Path, wanted: Wanted) -> ImageFolder:
    part = _part(folder, wanted.split)
    dataset = ImageFolder(part, wanted.channels, wanted.size, wanted.resize)
    if part != folder:
        dataset.name = f"{folder.resolve().name} {wanted.split}"
    return dataset


def _part(folder: Path, split: str) -> Path:
    """The subfolder that holds the split, or the folder itself where it is not split."""
    parts = {path.name for path in folder.glob("[!.]*/")}
    if not parts or not parts.issubset(sum(SPLIT_FOLDERS.values(), ())):
        return folder  # a class may well be called "train" too
    for name in SPLIT_FOLDERS.get(split, ()):
        if name in parts:
            return folder / name
    raise DataError(
        f"{folder} holds {', '.join(sorted(parts))} but nothing for the split {split!r}; "
        "give one of these folders itself"
    )


def made(spec: str, wanted: Wanted) -> Dataset[Any]:
    """What the factory that `spec` names gives; it is made again wherever it is unpickled."""
    place, _, name = spec.rpartition(":")
    if not (place.endswith(".py") or _importable(place)):
        word = spec.partition(":")[0] if ":" in spec else Path(spec).name
        beside = [path.name for path in Path(spec).parent.glob("[!.]*/")]
        written = ", ".join(source.written for source in SOURCES.values())
        raise SpecError(
            f"{spec!r} names no data; {nearest(word, [*SOURCES, *beside])}. Write {written}, "
            "a folder of images, file.py:factory or package.module:factory"
        )
    offered = {"channels": wanted.channels, "size": wanted.size, "split": wanted.split}
    factory = find_factory(spec, offered)
    asked = inspect.signature(factory).parameters.keys() & offered.keys()
    dataset = factory(**{name: offered[name] for name in asked})
    if not isinstance(dataset, Dataset):
        raise SpecError(
            f"{spec} returned a {type(dataset).__name__}; expected a torch.utils.data.Dataset"
        )
    if place.endswith(".py"):  # whose classes no other process can import
        again = made, (f"{Path(place).resolve()}:{name}", wanted)
        vars(dataset)["__reduce_ex__"] = lambda protocol: again
    return dataset


def _importable(module: str) -> bool:
    top = module.partition(".")[0]
    return top.isidentifier() and importlib.util.find_spec(top) is not None
