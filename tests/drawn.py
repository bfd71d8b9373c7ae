"""What sheets are tested with: a small network, random pictures, and what is found on a sheet."""

import numpy as np
import torch
from torch import nn

from phosphene import Input, Network
from phosphene.data import Batch
from phosphene.figures.ink.paper import DPI, MARGIN
from phosphene.figures.ink.png import AnyImage, enlarge

LABELS = ("cat with a striped orange coat", "dog", "cup of coffee")


def network(channels: int, size: int = 20) -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(channels, 11, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(11, 4, 3, padding=1),
        nn.Flatten(),
        nn.Linear(4 * (size // 2) ** 2, 3),
    )
    return Network(module, Input(channels, (size, size)), LABELS)


def some_data(channels: int, count: int = 6) -> Batch:
    pictures = torch.rand(count, channels, 20, 20, generator=torch.Generator().manual_seed(1))
    return Batch(torch.arange(count), pictures, torch.arange(count) % 3, ())


def edges_are_blank(sheet: np.ndarray) -> bool:
    frame = round(0.6 * MARGIN * DPI)
    sides = (sheet[:frame], sheet[-frame:], sheet[:, :frame], sheet[:, -frame:])
    return all((side == 255).all() for side in sides)


def holds(sheet: np.ndarray, image: AnyImage, scale: int) -> bool:
    """Whether the sheet has `image` in it, every pixel enlarged `scale` times."""
    large = enlarge(image, scale)
    large = large if large.ndim == 3 else np.repeat(large[..., None], 3, axis=2)
    height, width = large.shape[:2]
    within, wanted = _packed(sheet), _packed(large)
    room = within[: -height or None, : -width or None]
    y, x = np.nonzero(room == wanted[0, 0])
    for down, right in _spread(height, width):  # few places are like it at all of these
        alike = within[y + down, x + right] == wanted[down, right]
        y, x = y[alike], x[alike]
    return any(
        np.array_equal(within[top : top + height, left : left + width], wanted)
        for top, left in zip(y, x, strict=True)
    )


def _packed(image: np.ndarray) -> np.ndarray:
    """A number for each colour."""
    return image.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _spread(height: int, width: int) -> list[tuple[int, int]]:
    """Some places of an image, far apart and no two on a line."""
    return [(i * 7919 % height, i * 104729 % width) for i in range(1, 40)]
