"""Zero is neutral, the two signs mirror each other, pictures keep their values."""

import numpy as np
import pytest

from phosphene.figures import crop, data_uri, on_paper, picture_to_image, png_bytes, signed_to_rgba
from phosphene.figures.ink.crops import covers
from phosphene.figures.ink.palette import full_strength
from phosphene.figures.ink.png import enlarge, mosaic

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_zero_is_transparent_and_leaves_any_paper_as_it_is(channels: int) -> None:
    image = signed_to_rgba(np.zeros((channels, 3, 4)))
    assert (image[..., 3] == 0).all()
    for paper in ((255, 255, 255), (20, 21, 24)):
        assert (on_paper(image, paper) == paper).all()


def test_opposite_values_are_equally_strong() -> None:
    values = RANDOM.normal(size=(1, 8, 8))
    assert (signed_to_rgba(values)[..., 3] == signed_to_rgba(-values)[..., 3]).all()


def test_blue_is_positive_and_red_negative() -> None:
    (red, blue), _ = signed_to_rgba(np.array([[-1.0, 1.0], [0.0, 0.0]]))
    assert blue[2] > blue[0]
    assert red[0] > red[2]


def test_both_ends_stand_out_equally_on_light_and_dark_paper() -> None:
    def luminance(colour: np.ndarray) -> float:
        linear = (colour[:3] / 255) ** 2.2
        return float(linear @ (0.2126, 0.7152, 0.0722))

    (red, blue) = signed_to_rgba(np.array([[-1.0, 1.0]]))[0]
    assert luminance(red) == pytest.approx(luminance(blue), abs=0.03)


def test_strength_grows_with_magnitude_and_is_clipped_at_the_limit() -> None:
    alphas = signed_to_rgba(np.array([[0.0, 0.25, -0.5, 1.0, 7.0]]), limit=1.0)[0, :, 3]
    assert alphas.tolist() == [0, 64, 128, 255, 255]


def test_colour_maps_are_grey_at_zero_and_mirror_around_it() -> None:
    assert (signed_to_rgba(np.zeros((3, 2, 2))) == (128, 128, 128, 255)).all()
    values = RANDOM.normal(size=(3, 4, 4))
    total = signed_to_rgba(values)[..., :3].astype(int) + signed_to_rgba(-values)[..., :3]
    assert abs(total - 255).max() <= 1


def test_other_channel_counts_lie_side_by_side_in_one_range() -> None:
    values = RANDOM.normal(size=(5, 4, 4))
    alone = signed_to_rgba(values[4], float(np.abs(values).max()))
    assert (signed_to_rgba(values)[5:9, 5:9] == alone).all()


def test_pictures_become_bytes() -> None:
    grey, colour = RANDOM.random((1, 3, 4)), RANDOM.random((3, 3, 4))
    assert (picture_to_image(grey) == np.rint(255 * grey[0])).all()
    assert (picture_to_image(colour) == np.rint(255 * colour.transpose(1, 2, 0))).all()
    assert picture_to_image(RANDOM.random((4, 3, 5))).shape == (7, 11)
    assert picture_to_image(np.array([[[-1.0, 2.0]]])).tolist() == [[0, 255]]


@pytest.mark.parametrize("box", [(2, 3, 6, 9), (-3, -2, 2, 4), (7, 8, 14, 13), (-2, -2, 12, 12)])
def test_crop_agrees_with_padding_first(box: tuple[int, int, int, int]) -> None:
    picture = RANDOM.random((3, 10, 10))
    top, left, bottom, right = (edge + 20 for edge in box)
    padded = np.pad(picture, ((0, 0), (20, 20), (20, 20)))
    inside = np.pad(np.full((10, 10), 255), 20)[top:bottom, left:right]
    cut = crop(picture, box)
    assert (cut[..., :3] == picture_to_image(padded[:, top:bottom, left:right])).all()
    assert (cut[..., 3] == inside).all()


def test_a_box_beside_the_image_is_all_outside() -> None:
    assert crop(np.ones((1, 4, 4)), (9, 9, 12, 11)).shape == (3, 2, 4)
    assert not crop(np.ones((1, 4, 4)), (9, 9, 12, 11)).any()
    assert not covers((1, 0, 4, 4), 4, 4)


def test_png_round_trip_and_scale() -> None:
    import base64
    import io

    from PIL import Image

    for shape in ((4, 5), (4, 5, 3), (4, 5, 4)):
        image = RANDOM.integers(0, 256, shape).astype(np.uint8)
        png = png_bytes(image, scale=3)
        assert (np.asarray(Image.open(io.BytesIO(png))) == enlarge(image, 3)).all()
        assert base64.b64decode(data_uri(png).removeprefix("data:image/png;base64,")) == png


def test_mosaic_keeps_every_image_in_reading_order() -> None:
    images = [np.full((2, 3, 4), i + 1, dtype=np.uint8) for i in range(7)]
    sheet = mosaic(images, gap=1)
    assert sheet.shape == (8, 11, 4)
    corners = [sheet[row * 3, column * 4, 0] for row in range(3) for column in range(3)]
    assert corners == [1, 2, 3, 4, 5, 6, 7, 0, 0]


def test_maps_in_colour_are_shown_stronger_than_those_on_paper() -> None:
    values = np.zeros((3, 100, 100))
    values[:, 0], values[:, 0, 0] = 1.0, 6.0  # one in a hundred
    assert full_strength(values[:1]) == 1.0
    assert full_strength(values) == 0.75  # an eighth of the strongest, and no less
