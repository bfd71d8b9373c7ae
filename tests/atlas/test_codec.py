"""Arrays to blobs and back: exact where promised, within the stated step elsewhere."""

import io

import numpy as np
import pytest
from PIL import Image

from phosphene.atlas import codec
from phosphene.errors import AtlasError
from tiny import quantised

CHANNELS = pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).random(shape)


@CHANNELS
def test_pictures_come_back_as_quantised(channels: int) -> None:
    picture = random(channels, 7, 4)
    back = codec.decode_picture(codec.encode_picture(picture))
    assert back.dtype == np.float32
    assert np.array_equal(back, quantised(picture))
    assert np.abs(back - picture).max() <= 0.5 / 255 + 1e-7


@CHANNELS
def test_quantising_twice_changes_nothing(channels: int) -> None:
    once = quantised(random(channels, 3, 3))
    assert np.array_equal(quantised(once), once)
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
    for encode in (codec.encode_picture, codec.encode_signed):
        with pytest.raises(AtlasError, match="NaN or infinity"):
            encode(values)


def photograph(side: int = 96) -> np.ndarray:
    """Smooth colours with some noise: what no PNG holds in few bytes."""
    across = np.linspace(0, 1, side)
    smooth = np.stack([np.outer(across, across), np.outer(1 - across, across), 0 * np.eye(side)])
    return np.clip(0.8 * smooth + 0.2 * random(3, side, side), 0, 1)


def test_large_pictures_in_colour_are_kept_as_the_eye_sees_them() -> None:
    picture = photograph()
    blob = codec.encode_picture(picture)
    with Image.open(io.BytesIO(blob)) as image:
        assert (image.format, image.mode) == ("AVIF", "RGB")
    error = codec.decode_picture(blob) - quantised(picture)
    assert len(blob) < 0.7 * len(codec._png(codec._to_bytes(picture)))
    assert 10 * np.log10(1 / np.mean(error**2)) > 33
    assert blob == codec.encode_picture(picture)


def test_large_pictures_of_other_channels_stay_exact() -> None:
    for channels in (1, 2, 4):
        picture = random(channels, 96, 96)
        back = codec.decode_picture(codec.encode_picture(picture))
        assert np.array_equal(back, quantised(picture))


def test_without_avif_large_pictures_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec.features, "check", lambda name: name != "avif")
    picture = photograph()
    assert np.array_equal(codec.decode_picture(codec.encode_picture(picture)), quantised(picture))


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_large_maps_in_colour_have_fewer_levels(scale: float) -> None:
    values = (random(3, 90, 80) - 0.5) ** 3 * scale
    values[:, 40:] = 0
    blob = codec.encode_signed(values)
    with Image.open(io.BytesIO(blob)) as image:
        assert image.format == "WEBP"
    back = codec.decode_signed(blob)
    largest = np.abs(values).max()
    assert np.abs(back - values).max() <= largest / (2 * codec.FEW) * (1 + 1e-5)
    assert (back[:, 40:] == 0).all()
    assert np.abs(back).max() == pytest.approx(largest, rel=1e-6)
    assert len(blob) < 0.6 * len(codec._png(codec._levels(values / largest, codec.STRONGEST)))


@pytest.mark.parametrize("shape", [(200, 223), (384, 90), (193, 400)])
def test_maps_of_more_pixels_than_are_shown_are_kept_as_means(shape: tuple[int, int]) -> None:
    values = (random(3, *shape) - 0.5) ** 3
    values[:, :100] = 0
    blob = codec.encode_signed(values)
    cell = max(shape) // codec.SHOWN
    with Image.open(io.BytesIO(blob)) as image:
        assert image.format == "WEBP"
        assert codec.SHOWN <= max(image.size) < 2 * codec.SHOWN
    back = codec.decode_signed(blob)
    assert back.shape == values.shape
    assert codec.size_of(blob) == shape
    assert codec.farthest(blob) == codec.MORE * codec.CLOSER
    means = np.stack(
        [
            [values[:, y : y + cell, x : x + cell].mean((1, 2)) for x in range(0, shape[1], cell)]
            for y in range(0, shape[0], cell)
        ]
    ).transpose(2, 0, 1)
    largest = np.abs(means).max()
    assert np.abs(back).max() == pytest.approx(largest, rel=1e-5)
    assert (back[:, :96] == 0).all()
    expected = means.repeat(cell, 1).repeat(cell, 2)[:, : shape[0], : shape[1]]
    assert np.abs(back - expected).max() <= largest / (2 * codec.MORE) * (1 + 1e-4)
    assert codec.size_of(codec.encode_signed(values[:1])) == shape


def test_maps_larger_than_a_webp_file_may_be_are_png_files() -> None:
    values = np.zeros((3, 2, 2**14), np.float32)
    values[0] = random(2, 2**14)
    assert np.abs(codec.decode_signed(codec.encode_signed(values)) - values).max() < 1 / 200


def test_what_is_kept_is_what_is_read() -> None:
    picture = photograph()
    kept = codec.as_kept(picture)
    assert np.array_equal(kept, codec.decode_picture(codec.encode_picture(picture)))
    assert not np.array_equal(kept, quantised(picture))
