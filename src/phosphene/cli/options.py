"""Texts of the command line as values: devices, inputs, labels."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from phosphene.data import ArrayDataset, ImageDataset
from phosphene.data.names import read_names
from phosphene.errors import SettingError
from phosphene.network.loading.catalogue import DEFAULT
from phosphene.probes.retraining import pictures_of
from phosphene.probes.texts import numbers
from phosphene.tasks import TASKS, Task
from phosphene.zoo import Article

DEVICES = ("auto", "cpu", "cuda", "mps")


def device(name: str) -> torch.device:
    """The device that `name` stands for; `auto` is the fastest there is."""
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        name = next((n for n in ("cuda", "mps") if there[n]), "cpu")
    if name not in there:
        raise SettingError(f"no device {name!r}; choose one of {', '.join(DEVICES)}")
    if not there[name]:
        raise SettingError(f"this machine has no {name} that PyTorch can use; try --device auto")
    return torch.device(name)


def input_of(
    size: str | None,
    mean: str | None = None,
    std: str | None = None,
    value_range: str | None = None,
    order: str | None = None,
) -> dict[str, Any]:
    """What the options say of a network's input; the rest is found.

    >>> input_of("1x28x28", "0.1307")
    {'channels': 1, 'size': (28, 28), 'mean': (0.1307,)}
    """
    told: dict[str, Any] = {}
    if size is not None:
        channels, height, width = shape(size)
        told |= {"channels": channels, "size": (height, width)}
    if mean is not None:
        told["mean"] = numbers(mean, "--mean")
    if std is not None:
        told["std"] = numbers(std, "--std")
    if value_range is not None:
        told["value_range"] = _bounds(value_range)
    if order is not None:
        named = order.replace(",", "").isdecimal()
        told["order"] = tuple(int(c) for c in order.split(",") if c) if named else order
    return told


def _bounds(text: str) -> tuple[float, float]:
    """The lowest and the highest value of an input."""
    found = numbers(text, "--range", "0,1 or 0,255")
    if len(found) != 2 or found[0] >= found[1]:
        raise SettingError(
            f"--range {text!r} is not a lowest and a highest value, such as 0,1 or 0,255"
        )
    return found[0], found[1]


def task(name: str | None) -> Task | None:
    """A task by its name."""
    found = next((known for known in TASKS if known == name), None)
    if name is not None and found is None:
        raise SettingError(f"--task {name!r}: choose one of {', '.join(TASKS)}")
    return found


def weights(path: Path | None) -> str | Path | None:
    """A file of weights, or the name of a library's own."""
    return DEFAULT if path is not None and str(path) == DEFAULT else path


def shape(text: str) -> tuple[int, int, int]:
    """Channels, height and width.

    >>> shape("3x224x224")
    (3, 224, 224)
    """
    match = re.fullmatch(r"(\d+)x(\d+)x(\d+)", text)
    if match is None:
        raise SettingError(
            f"--input {text!r} is not channels x height x width, for example 3x224x224"
        )
    return int(match[1]), int(match[2]), int(match[3])


def size(text: str | None) -> tuple[int, int] | None:
    """Height and width of a picture; one number is both.

    >>> size("128"), size("160x224"), size(None)
    ((128, 128), (160, 224), None)
    """
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", text)
    if match is None:
        raise SettingError(f"--size {text!r} is not height x width, for example 128 or 160x224")
    return int(match[1]), int(match[2] or match[1])


def part(text: str | None) -> tuple[int, int] | None:
    """Which part of how many.

    >>> part("2/3"), part(None)
    ((2, 3), None)
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)/([1-9]\d*)", text.strip())
    if match is None:
        raise SettingError(
            f"--part {text!r} is not which/of, for example 2/3 for the second of three"
        )
    return int(match[1]), int(match[2])


def seconds(text: str | None) -> float | None:
    """A time.

    >>> seconds("90s"), seconds("10m"), seconds("1h30m"), seconds(None)
    (90.0, 600.0, 5400.0, None)
    """
    if text is None:
        return None
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip())
    if match is None or not any(match.groups()):
        raise SettingError(f"--budget {text!r} is no time, such as 90s, 10m or 1h30m")
    hours, minutes, rest = (float(number or 0) for number in match.groups())
    return 3600 * hours + 60 * minutes + rest


def patterns(given: Sequence[str] | None) -> tuple[str, ...]:
    """Patterns of names; each text given may hold several, separated by commas.

    >>> patterns(["conv1,conv2", "fc*"]), patterns(None)
    (('conv1', 'conv2', 'fc*'), ())
    """
    parts = (part.strip() for text in given or () for part in text.split(","))
    return tuple(part for part in parts if part)


def split(
    dataset: Dataset[Any], names: str | None, article: Article
) -> tuple[ImageDataset, ImageDataset | None]:
    """Pictures to train on, and those that the article holds out for validation, if any."""
    pictures = pictures_of(dataset, names, article)
    if not isinstance(dataset, ArrayDataset):
        return pictures, None
    training, validation = replace(article, classes=pictures.classes).split(dataset)
    return training, validation if len(validation) else None


def labels(text: str | None) -> tuple[str, ...]:
    """Class names from a file (one per line) or from a list separated by commas."""
    if text is None:
        return ()
    with suppress(OSError):  # a long list is too long for a file's name
        if Path(text).is_file():
            return read_names(Path(text))
    if "," not in text:
        raise SettingError(
            f"--labels {text!r} is no file; give a file or names separated by commas"
        )
    return tuple(part.strip() for part in text.split(","))
