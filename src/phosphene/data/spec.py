"""From a text such as `mnist:FOLDER` to a dataset that fits a network's input."""

import importlib.util
import inspect
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from phosphene.data import places  # noqa: F401 - it names its kinds
from phosphene.data.remote import is_url
from phosphene.data.resize import Resize
from phosphene.data.sources import SOURCES, Wanted, named
from phosphene.errors import InputError, SettingError, SpecError, nearest
from phosphene.network import find_factory


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
    - a folder: its image files, or the tar files, tables or saved 🤗 dataset that it holds; when
      all its subfolders are splits (train, val, test …), the one that is `split`;
    - `shards/{000..119}.tar`, `*.parquet`, `*.arrow`: images packed many to a file, by a file's
      name or by one with braces and wild cards;
    - any of these elsewhere, as in `s3://bucket/shards/{000..119}.tar`;
    - `file.py:factory` or `package.module:factory`: any `Dataset`, used as it comes; the factory
      is given those of `channels`, `size` and `split` that it has parameters for.

    `resize` says how image files come to `size`, see `read_image`; other data has ways of its own.
    Reading from elsewhere takes `phosphene[remote]`, tables take `phosphene[parquet]`.

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
    wanted, found = Wanted(channels, size, split, resize), named(spec)
    if resize is not None and not (found and found[0].resizes):
        raise SettingError(
            f"--resize {resize} is for image files, in folders or packed; {spec} brings its "
            "pictures to size by itself"
        )
    if found is not None:
        kind, rest = found
        return kind.make(rest, wanted)
    return made(spec, wanted)


def runs_code(spec: str) -> bool:
    """Whether `load_data` would call a factory for `spec`.

    >>> runs_code("digits:test"), runs_code("s3://a/{0..9}.tar"), runs_code("pictures.py:make")
    (False, False, True)
    """
    return named(spec) is None


def reaches_out(spec: str) -> bool:
    """Whether `load_data` would ask another machine for `spec`.

    >>> reaches_out("s3://a/{0..9}.tar"), reaches_out("tar:s3://a/b"), reaches_out("mnist:data")
    (True, True, False)
    """
    found = named(spec)
    return found is not None and found[0].resizes and is_url(found[1])


def is_data(text: str) -> bool:
    """Whether a text names data by what it looks like: no image file and no factory does.

    >>> is_data("photos.tar"), is_data("cat.png")
    (True, False)
    """
    return named(text) is not None


def made(spec: str, wanted: Wanted) -> Dataset[Any]:
    """What the factory that `spec` names gives; it is made again wherever it is unpickled."""
    place, _, name = spec.rpartition(":")
    if not (place.endswith(".py") or _importable(place)):
        word = spec.partition(":")[0] if ":" in spec else Path(spec).name
        beside = [path.name for path in Path(spec).parent.glob("[!.]*/")]
        written = ", ".join(source.written for source in SOURCES.values())
        raise SpecError(
            f"{spec!r} names no data; {nearest(word, [*SOURCES, *beside])}. Write {written}, "
            "file.py:factory or package.module:factory"
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
