"""Spectra against slow references on photographs and digits."""

import pytest
import torch
from torch import Tensor

from phosphene.canvas import ColorBasis, Spectrum
from phosphene.canvas.periodic import periodic_waves
from phosphene.canvas.squash import to_logits, to_pictures
from phosphene.errors import ChannelError, DataError, SizeError


def slow_magnitude(pictures: Tensor, basis: ColorBasis, level: Tensor) -> Tensor:
    """Root mean square over the pictures, all in memory, of the deviation from the level."""
    return (
        torch.fft.fft2(turned(pictures, basis, level), norm="ortho").abs().square().mean(0).sqrt()
    )


def turned(pictures: Tensor, basis: ColorBasis, level: Tensor) -> Tensor:
    deviations = to_logits(pictures.double()) - level.double()
    return torch.einsum("ck,bchw->bkhw", basis.axes.double(), deviations)


def meeting(pictures: Tensor) -> Tensor:
    """Pictures beside their mirror images: opposite borders meet, and there is no jump."""
    beside = torch.cat([pictures, pictures.flip(3)], dim=3)
    return torch.cat([beside, beside.flip(2)], dim=2)


def pixel_variance(spectrum: Spectrum) -> Tensor:
    return spectrum.magnitude.double().square().mean(dim=(1, 2))


@pytest.mark.later
@pytest.mark.parametrize("data", ["digits", "crops"])
def test_measuring_in_batches_equals_the_definition(
    data: str, request: pytest.FixtureRequest
) -> None:
    pictures = request.getfixturevalue(data)
    spectrum = Spectrum.measure(pictures.split(37))
    deviations = turned(pictures, spectrum.basis, spectrum.level)
    power = periodic_waves(deviations).abs().square().mean(dim=0)
    variance = deviations.square().mean(dim=(0, 2, 3))
    expected = (power * (variance / power.mean(dim=(1, 2)))[:, None, None]).sqrt()
    assert torch.allclose(spectrum.magnitude.double(), expected, rtol=1e-4, atol=1e-4)
    level = to_logits(pictures.double()).mean(dim=(0, 2, 3))
    assert torch.allclose(spectrum.level.double().mean(dim=(1, 2)), level, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("count", [1, 40])
def test_pictures_in_which_nothing_varies_have_no_spectrum(value: float, count: int) -> None:
    with pytest.raises(DataError, match=r"nothing that varies: .*Spectrum\.natural\(3, \(6, 8\)\)"):
        Spectrum.measure([torch.full((count, 3, 6, 8), value)])


@pytest.mark.later
def test_one_picture_many_times_has_no_spectrum_but_one_grey_level_makes_one(crops: Tensor) -> None:
    same = crops[:1].repeat(300, 1, 1, 1)
    with pytest.raises(DataError, match=r"300 pictures of .* all are the same"):
        Spectrum.measure(same.split(50))
    same[17, 0, 3, 4] += (1 if same[17, 0, 3, 4] < 0.5 else -1) / 255
    assert Spectrum.measure(same.split(50)).magnitude.max() > 0
    assert Spectrum.measure([crops[:1]]).magnitude.max() > 0


@pytest.mark.later
def test_borders_that_meet_leave_the_transform_as_it_is(crops: Tensor) -> None:
    pictures = meeting(crops[::7])
    spectrum = Spectrum.measure(pictures.split(10))
    expected = slow_magnitude(pictures, spectrum.basis, spectrum.level)
    assert torch.allclose(spectrum.magnitude.double(), expected, atol=1e-4)


@pytest.mark.later
def test_borders_that_do_not_meet_are_no_cross(photographs: Tensor) -> None:
    """Along the axes photographs are as they are beside them, all but the buildings' edges."""
    tiles = photographs[1:].unfold(2, 64, 32).unfold(3, 64, 32)
    pictures = tiles.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 64, 64)
    spectrum = Spectrum.measure([pictures])
    raw = slow_magnitude(pictures, spectrum.basis, spectrum.level)

    def cross(magnitude: Tensor) -> float:
        power = magnitude[0].double().square()
        return float(power[0, 12:30].mean() / power[3:6, 12:30].mean())

    assert cross(raw) > 3
    assert cross(spectrum.magnitude) < 2


def test_the_level_of_centred_things_is_their_mean_picture(digits: Tensor) -> None:
    level = Spectrum.measure([digits]).level
    mean = to_logits(digits).mean(dim=0)
    assert float((level - mean).std() / mean.std()) < 0.05


def test_the_level_of_pictures_with_nothing_in_common_is_flat(crops: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(60, 2, 24, 31, generator=generator)
    level = Spectrum.measure([noise]).level
    mean = to_logits(noise).mean(dim=0)
    assert float(level.std(dim=(1, 2)).max() / mean.std(dim=(1, 2)).min()) < 0.3
    alone = Spectrum.measure([crops[:1]]).level
    assert float(alone.std(dim=(1, 2)).max()) < 1e-5


@pytest.mark.later
@pytest.mark.parametrize("data", ["digits", "crops"])
def test_mean_power_is_the_variance_of_a_pixel(data: str, request: pytest.FixtureRequest) -> None:
    pictures = request.getfixturevalue(data)
    spectrum = Spectrum.measure([pictures])
    logits = to_logits(pictures.double())
    variance = (logits - spectrum.level).square().mean(dim=(0, 2, 3))
    assert float(pixel_variance(spectrum).sum()) == pytest.approx(float(variance.sum()), rel=1e-5)


@pytest.mark.later
def test_color_axes_of_a_spectrum_are_uncorrelated_and_the_first_is_brightness(
    crops: Tensor,
) -> None:
    spectrum = Spectrum.measure([crops])
    logits = to_logits(crops)
    pixels = spectrum.basis.decorrelate(logits - spectrum.level)
    covariance = torch.cov(pixels.movedim(1, 0).flatten(1))
    assert torch.allclose(covariance, covariance.diag().diag(), atol=1e-3)
    assert (spectrum.basis.axes[:, 0] > 0.4).all()


@pytest.mark.parametrize("size", [(28, 28), (5, 5), (14, 9), (40, 33), (1, 1), (7, 60)])
def test_resizing_keeps_the_variance_of_a_pixel(digits: Tensor, size: tuple[int, int]) -> None:
    """Of a pixel anywhere: around the flat level of a window."""
    whole = Spectrum.measure([digits])
    window = whole.resized(size)
    assert window.size == size
    assert float(window.level.std(dim=(1, 2), correction=0).max()) < 1e-6
    anywhere = pixel_variance(whole) + whole.level.var(dim=(1, 2), correction=0)
    assert torch.allclose(pixel_variance(window), anywhere, rtol=1e-4)


def test_resizing_to_the_same_size_changes_nothing() -> None:
    whole = Spectrum.natural(3, (24, 31))
    assert torch.allclose(whole.resized(whole.size).magnitude, whole.magnitude, atol=1e-5)


@pytest.mark.parametrize("size", [(5, 5), (13, 8), (1, 7)])
@pytest.mark.slow
def test_a_smaller_spectrum_is_that_of_all_windows(crops: Tensor, size: tuple[int, int]) -> None:
    """Cut every window, also across the border, out of real pictures and measure those."""
    few = meeting(crops[::60])
    whole = Spectrum.measure([few])
    height, width = size
    wrapped = torch.cat([few, few[:, :, : height - 1]], dim=2)
    wrapped = torch.cat([wrapped, wrapped[..., : width - 1]], dim=3)
    windows = wrapped.unfold(2, height, 1).unfold(3, width, 1).movedim(1, 3)
    level = whole.level.mean(dim=(1, 2), keepdim=True)
    expected = slow_magnitude(windows.reshape(-1, 3, height, width), whole.basis, level)
    found = whole.resized(size).magnitude.double()
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.later
def test_a_larger_spectrum_looks_like_one_measured_at_that_size(photographs: Tensor) -> None:
    small, large = (
        Spectrum.measure(
            photograph.unfold(1, side, side)
            .unfold(2, side, side)
            .permute(1, 2, 0, 3, 4)
            .flatten(0, 1)
            for photograph in photographs
        )
        for side in (24, 48)
    )
    # Beside frequency zero, where the level of whole pictures was put, up to Nyquist.
    enlarged, measured = (
        spectrum.magnitude[0, 0, 2:25].log() for spectrum in (small.resized((48, 48)), large)
    )
    assert float((enlarged - measured).abs().max()) < 0.3


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
def test_natural_spectrum_falls_as_one_over_f(channels: int) -> None:
    spectrum = Spectrum.natural(channels, (64, 64))
    row = spectrum.magnitude[0, 0]
    assert float(row[1] / row[10]) == pytest.approx(10, rel=1e-4)
    assert torch.isfinite(spectrum.magnitude).all()
    per_channel = spectrum.basis.axes.square() @ pixel_variance(spectrum).float()
    assert torch.allclose(per_channel, torch.full((channels,), 1.35**2), rtol=1e-3)


def test_natural_axes_are_brightness_and_opponent_colors() -> None:
    brightness, red_blue, green_magenta = Spectrum.natural(3, (8, 8)).basis.axes.T
    assert torch.allclose(brightness, torch.full((3,), 3**-0.5), atol=0.02)
    assert abs(float(red_blue[1])) < 1e-4
    assert float(green_magenta[0]) == pytest.approx(float(green_magenta[2]), abs=1e-4)


@pytest.mark.later
def test_arrays_bring_the_same_spectrum_back(crops: Tensor) -> None:
    spectrum = Spectrum.measure([crops])
    again = Spectrum.from_arrays(spectrum.arrays())
    assert again == spectrum
    assert hash(again) == hash(spectrum)
    assert again.fingerprint == spectrum.fingerprint
    assert spectrum.resized((30, 40)).fingerprint != spectrum.fingerprint
    assert spectrum != "a spectrum"


@pytest.mark.later
def test_waves_and_logits_are_inverse(crops: Tensor) -> None:
    spectrum = Spectrum.measure([crops])
    logits = to_logits(crops[:3])
    assert torch.allclose(spectrum.logits(spectrum.waves(logits)), logits, atol=1e-4)


def test_squash_reaches_black_and_white_and_comes_back(crops: Tensor) -> None:
    ends = torch.tensor([0.0, 1e-6, 0.3, 1.0])
    assert torch.allclose(to_pictures(to_logits(ends)), ends, atol=1e-6)
    assert torch.allclose(to_pictures(to_logits(crops)), crops, atol=1e-6)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(DataError, match="no pictures"):
        Spectrum.measure([])
    with pytest.raises(SizeError, match=r"\(1, 5, 5\) came after pictures of shape \(1, 4, 4\)"):
        Spectrum.measure([torch.rand(2, 1, 4, 4), torch.rand(2, 1, 5, 5)])
    with pytest.raises(ChannelError, match="1 channels cannot shape a canvas of 3"):
        Spectrum.natural(1, (4, 4)).fitted((3, 4, 4))
