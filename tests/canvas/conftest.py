"""Real pictures that come with scikit-learn."""

import pytest
import torch
from sklearn.datasets import load_digits, load_sample_image
from torch import Tensor
from torch.nn import functional as F


@pytest.fixture(scope="session")
def photographs() -> Tensor:
    """Two photographs, `2 3 427 640`."""
    files = ("china.jpg", "flower.jpg")
    return torch.stack(
        [torch.tensor(load_sample_image(file)).movedim(-1, 0) / 255 for file in files]
    )


@pytest.fixture(scope="session")
def crops(photographs: Tensor) -> Tensor:
    """Pieces of the photographs, `n 3 31 40`: an odd and an even side."""
    tiles = photographs[..., : 31 * 13, :].unfold(2, 31, 31).unfold(3, 40, 40)
    return tiles.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 31, 40)


@pytest.fixture(scope="session")
def digits() -> Tensor:
    """600 handwritten digits, `600 1 28 28`."""
    small = torch.from_numpy(load_digits().images[:600]).float()[:, None] / 16
    return F.interpolate(small, (28, 28), mode="bilinear").clamp(0, 1)
