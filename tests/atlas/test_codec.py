"""Arrays to blobs and back: exact where promised, within the stated step elsewhere."""

import io

import numpy as np
import pytest
from PIL import Image

from phosphene.atlas import codec
from phosphene.errors import AtlasError

CHANNELS = pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).random(shape)


@CHANNELS
def test_pictures_come_back_as_quantised(channels: int) -> None:
    picture = random(channels, 7, 4)
    back = codec.decode_picture(codec.encode_picture(picture))
    assert back.dtype == np.float32
    assert np.array_equal(back, codec.quantise(picture))
    assert np.abs(back - picture).max() <= 0.5 / 255 + 1e-7


@CHANNELS
def test_quantising_twice_changes_nothing(channels: int) -> None:
    once = codec.quantise(random(channels, 3, 3))
    assert np.array_equal(codec.quantise(once), once)
    assert codec.encode_picture(once) == codec.encode_picture(random(channels, 3, 3))


def test_all_256_levels_survive() -> None:
    levels = (np.arange(256) / 255).reshape(1, 16, 16)
    back = codec.decode_picture(codec.encode_picture(levels))
    assert np.array_equal(np.rint(back * 255).ravel(), np.arange(256))


@pytest.mark.parametrize(
    ("channels", "mode", "size"), [(1, "L", (4, 7)), (3, "RGB", (4, 7)), (5, "L", (4, 35))]
)
def test_pictures_are_ordinary_png_files(channels: int, mode: str, size: tuple[int, int]) -> None:
    picture = random(channels, 7, 4)
    with Image.open(io.BytesIO(codec.encode_picture(picture))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", mode, size)
        shown = np.asarray(image)
    last = shown[..., 2] if channels == 3 else shown[-7:]
    assert np.array_equal(last, np.rint(255 * picture[-1]))


@CHANNELS
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_signed_maps_keep_sign_zero_and_scale(channels: int, scale: float) -> None:
    values = (random(channels, 6, 5) - 0.5) * scale
    values[0, 0] = 0
    back = codec.decode_signed(codec.encode_signed(values))
    largest = np.abs(values).max()
    assert np.abs(back - values).max() <= largest / 254 * (1 + 1e-5)
    assert (back[0, 0] == 0).all()
    assert np.abs(back).max() == pytest.approx(largest, rel=1e-6)
    assert (back * values >= 0).all()


def test_a_map_of_zeros_stays_zero() -> None:
    assert not codec.decode_signed(codec.encode_signed(np.zeros((2, 3, 3)))).any()


@pytest.mark.parametrize("shape", [(8, 3, 5, 5), (10,), (3, 1), ()])
def test_weights_are_exact_to_float32(shape: tuple[int, ...]) -> None:
    weights = np.asarray(random(*shape) * 1e-3, dtype=np.float32)
    back = codec.decode_exact(codec.encode_exact(weights))
    assert back.shape == shape
    assert back.dtype == np.float32
    assert back.tobytes() == weights.tobytes()


def test_a_transposed_array_is_stored_by_its_values() -> None:
    weights = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert np.array_equal(codec.decode_exact(codec.encode_exact(weights)), weights)
    assert codec.encode_exact(weights) == codec.encode_exact(weights.copy(order="C"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_no_picture(value: float) -> None:
    values = np.full((1, 2, 2), value)
    for encode in (codec.encode_picture, codec.encode_signed, codec.quantise):
        with pytest.raises(AtlasError, match="NaN or infinity"):
            encode(values)
