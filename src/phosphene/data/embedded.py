"""The 1,797 real handwritten digits that scikit-learn carries inside itself."""

import numpy as np
import torch
import torch.nn.functional as F

from phosphene.data.dataset import ArrayDataset, ImageDataset
from phosphene.data.fitted import Fitted
from phosphene.data.sources import Wanted, source
from phosphene.errors import DataError, nearest

SPLITS = ("train", "test", "all")
LEVELS = 16
"""Ink in the originals runs from 0 (paper) to 16."""


def digits(split: str = "train", size: tuple[int, int] = (28, 28)) -> ArrayDataset:
    """Handwritten digits, white on black, `n 1 h w`, enlarged from 8x8 by bicubic interpolation.

    `split` is "train" (1,437), "test" (360) or "all" (1,797). The split is stratified and always
    the same; it is random over pictures, so a writer's digits may lie on both sides. Raises
    `DataError` for another split.

    *Source:* E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI (1998), the
    part of it that scikit-learn ships as `load_digits`.

    >>> data = digits("test")
    >>> len(data), tuple(data[0].picture.shape), data.classes[3]
    (360, (1, 28, 28), '3')
    """
    if split not in SPLITS:
        raise DataError(f"no split {split!r} of the digits; {nearest(split, SPLITS)}")
    from sklearn.datasets import load_digits  # noqa: PLC0415 - as slow to import as torch

    source = load_digits()
    labels = torch.from_numpy(source.target).to(torch.int64)
    chosen = _indices(split, source.target)
    ink = torch.from_numpy(source.images)[chosen, None] / LEVELS
    height, width = size
    resized = "" if size == (8, 8) else f", resized from 8x8 to {height}x{width}"
    return ArrayDataset(
        _enlarged(ink, size),
        labels[chosen],
        name=f"digits {split}",
        classes=[str(name) for name in source.target_names],
        note=f"{len(chosen):,} of scikit-learn's 1,797 real handwritten digits{resized}",
    )


@source("digits", "digits")
def _asked(split: str, wanted: Wanted) -> ImageDataset:
    return Fitted.of(digits(split or wanted.split, wanted.size), wanted.channels, wanted.size)


def _indices(split: str, labels: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> torch.Tensor:
    everything = np.arange(len(labels))
    if split == "all":
        return torch.from_numpy(everything)
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - slow to import

    train, test = train_test_split(everything, test_size=0.2, stratify=labels, random_state=0)
    return torch.from_numpy(np.sort(train if split == "train" else test))


def _enlarged(ink: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    # In float64, so that rounding to grey levels falls alike on every machine.
    smooth = F.interpolate(ink, size, mode="bicubic", align_corners=False, antialias=True)
    return (smooth.clamp(0, 1) * 255).round().to(torch.uint8)
