"""How image files come to the network's size; what fits already is left as it is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.data import ImageFolder, load_data, read_image, resize_of
from phosphene.errors import SettingError, UnreadableImageError


def saved(folder: Path, height: int, width: int, name: str = "a.png") -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("size", [(28, 28), (64, 64), (224, 224), (96, 128)])
def test_an_exact_fit_is_untouched(tmp_path: Path, size: tuple[int, int]) -> None:
    own = saved(tmp_path, *size)
    for resize in (None, "squash", "pad", "none"):
        assert torch.equal(read_image(tmp_path / "a.png", 3, size, resize), own)
    assert torch.equal(ImageFolder(tmp_path, 3, size)[0].picture, own)


def test_who_asks_for_a_short_side_gets_it(tmp_path: Path) -> None:
    own = saved(tmp_path, 64, 64)
    assert not torch.equal(read_image(tmp_path / "a.png", 3, (64, 64), 73), own)


def test_squash_shows_all_of_a_picture(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 300).astype(np.uint8), (50, 1))
    Image.fromarray(ramp).save(tmp_path / "a.png")
    squashed = read_image(tmp_path / "a.png", 1, (64, 64), "squash")[0]
    torch.testing.assert_close(squashed[0], torch.linspace(0, 1, 64), atol=0.02, rtol=0)


def test_pad_keeps_proportions_and_the_colour_of_the_border(tmp_path: Path) -> None:
    page = np.full((40, 160, 3), (250, 240, 10), dtype=np.uint8)
    page[10:30, 60:100] = 0
    Image.fromarray(page).save(tmp_path / "a.png")
    padded = read_image(tmp_path / "a.png", 3, (64, 64), "pad")
    colour = torch.tensor([250, 240, 10]).view(3, 1) / 255
    for row in (0, 20, 63):
        torch.testing.assert_close(padded[:, row], colour.expand(3, 64), atol=0.01, rtol=0)
    dark = (padded.sum(0) < 0.3).nonzero()
    height, width = (dark.amax(0) - dark.amin(0) + 1).tolist()
    assert width == pytest.approx(2 * height, abs=2)


def test_none_takes_no_other_size(tmp_path: Path) -> None:
    saved(tmp_path, 60, 64)
    with pytest.raises(UnreadableImageError, match="60 x 64 pixels where 64 x 64"):
        read_image(tmp_path / "a.png", 3, (64, 64), "none")
    assert "60 x 64" in ImageFolder(tmp_path, 3, (64, 64), "none")[0].reason


def test_ways_are_different_data(tmp_path: Path) -> None:
    saved(tmp_path, 60, 64)
    ways = [None, 80, "squash", "pad", "none"]
    found = [ImageFolder(tmp_path, 3, (64, 64), way) for way in ways]
    assert len({folder.fingerprint() for folder in found}) == len(ways)
    assert len({folder.note for folder in found}) == len(ways)
    default = ImageFolder(tmp_path, 3, (64, 64), 73)
    assert default.fingerprint() == found[0].fingerprint(), "as data was known before"


def test_what_is_no_way(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="'0' is neither"):
        resize_of("0")
    with pytest.raises(
        SettingError, match="--resize pad is for image files, in folders or packed; digits"
    ):
        load_data("digits", 1, (28, 28), resize="pad")
