"""Pictures of two, four or more bands: what differs between them is seen."""

import numpy as np
import pytest

from phosphene.figures import crop, picture_to_image, signed_to_rgba


@pytest.mark.parametrize("bands", [2, 4, 5, 9])
def test_bands_lie_side_by_side(bands: int) -> None:
    picture = np.linspace(0, 1, bands)[:, None, None] * np.ones((bands, 3, 4))
    image = picture_to_image(picture)
    columns = int(np.ceil(np.sqrt(bands)))
    rows = -(-bands // columns)
    assert image.shape == (rows * 4 - 1, columns * 5 - 1)
    for band in range(bands):
        top, left = band // columns * 4, band % columns * 5
        tile = image[top : top + 3, left : left + 4]
        assert (tile == round(255 * band / (bands - 1))).all()


def test_what_cancels_in_a_sum_is_shown() -> None:
    values = np.zeros((4, 3, 3))
    values[0], values[3] = -1.0, 1.0
    shown = signed_to_rgba(values)
    first, last = shown[:3, :3], shown[4:, 4:]
    assert (first[..., 3] == 255).all()
    assert (last[..., 3] == 255).all()
    assert (first[..., :3] != last[..., :3]).any()
    assert (shown[:3, 4:, 3] == 0).all(), "a band that says nothing"


def test_bands_are_cut_alike() -> None:
    picture = np.random.default_rng(0).random((4, 6, 6))
    cut = crop(picture, (-1, 2, 3, 5))
    assert cut.shape == (9, 7, 4)
    assert (cut[0, :3, 3] == 0).all(), "outside of the picture"
    expected = np.rint(255 * picture[3, 0:3, 2:5]).astype(np.uint8)
    assert (cut[6:, 4:, 0] == expected).all()
