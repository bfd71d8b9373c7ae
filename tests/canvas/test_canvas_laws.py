"""What every canvas must do, whatever it holds its pictures as."""

import json

import pytest
import torch
from torch import Tensor

import tiny
from phosphene.canvas import (
    Bounded,
    BoundedCanvas,
    Decoded,
    Description,
    Fourier,
    Maco,
    MacoCanvas,
    Pixels,
    Spectrum,
)
from phosphene.canvas.live import Canvas
from phosphene.canvas.squash import MARGIN, to_logits, to_pictures
from phosphene.errors import ChannelError, InputError, SettingError, SizeError
from phosphene.streams import Streams

KINDS = [kind() for kind in Description.named().values()]
SHAPES = [(1, 28, 28), (3, 31, 40), (2, 5, 5), (1, 1, 1), (4, 6, 3)]

every_canvas = pytest.mark.parametrize("canvas", KINDS, ids=lambda d: d.kind)
every_kind = pytest.mark.parametrize(
    "kind", [*Description.named().values(), Decoded], ids=lambda k: k.kind
)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def seeded(*names: object) -> Streams:
    return Streams.seeded(0, names)


def described(kind: type[Description], shape: tuple[int, int, int]) -> Description:
    """A canvas of the kind; one that needs a decoder gets one of `shape`."""
    return Decoded(decoder=tiny.decoder(shape)) if kind is Decoded else kind()


def ascend(canvas: Canvas, target: Tensor, steps: int, rate: float | None = None) -> None:
    optimizer = torch.optim.Adam(canvas.parameters, rate or canvas.learning_rate)
    for _ in range(steps):
        loss = (canvas() - target).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        canvas.project_()


def correlation(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])


@every_kind
@every_shape
def test_pictures_are_in_the_unit_interval_and_depend_on_finite_leaves(
    kind: type[Description], shape: tuple[int, int, int]
) -> None:
    live = described(kind, shape).build(seeded("a", "b"), shape)
    pictures = live()
    assert pictures.shape == (2, *shape)
    assert float(pictures.detach().min()) >= 0
    assert float(pictures.detach().max()) <= 1
    pictures.square().sum().backward()
    for parameter in live.parameters:
        assert parameter.is_leaf
        assert len(parameter) == 2
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


@every_kind
def test_wild_steps_stay_in_the_unit_interval(kind: type[Description]) -> None:
    live = described(kind, (3, 9, 8)).build(seeded("a"), (3, 9, 8))
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in live.parameters:
                parameter.add_(50 * torch.randn(parameter.shape, generator=generator))
        live.project_()
        pictures = live().detach()
        assert float(pictures.min()) >= 0
        assert float(pictures.max()) <= 1


@every_kind
@every_shape
def test_gradients_are_those_of_finite_differences(
    kind: type[Description], shape: tuple[int, int, int]
) -> None:
    live = described(kind, shape).build(seeded("a"), shape, pictures=None)
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(1, *shape, generator=generator)
    (live() * weights).sum().backward()
    for parameter in live.parameters:
        direction = torch.randn(parameter.shape, generator=generator)
        direction /= direction.norm()
        assert parameter.grad is not None
        expected = float((parameter.grad * direction).sum())
        values = []
        for step in (1e-2, -1e-2):
            with torch.no_grad():
                parameter.add_(step * direction)
                values.append(float((live() * weights).sum()))
                parameter.sub_(step * direction)
        found = (values[0] - values[1]) / 2e-2
        assert found == pytest.approx(expected, rel=0.02, abs=1e-3)


@every_kind
def test_the_same_streams_give_the_same_pictures(kind: type[Description]) -> None:
    first, again, other = (
        described(kind, (3, 12, 11)).build(seeded(name), (3, 12, 11))().detach()
        for name in ("a", "a", "b")
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@every_kind
def test_a_batch_of_three_is_three_batches_of_one(kind: type[Description]) -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.rand(3, 3, 10, 9, generator=generator)
    together = described(kind, (3, 10, 9)).build(seeded("a", "b", "c"), (3, 10, 9))
    ascend(together, targets, steps=5)
    for name, target, expected in zip("abc", targets, together(), strict=True):
        alone = described(kind, (3, 10, 9)).build(seeded(name), (3, 10, 9))
        ascend(alone, target[None], steps=5)
        assert torch.allclose(alone()[0], expected, atol=1e-4)


@pytest.mark.parametrize("canvas", [Pixels(), Fourier()], ids=lambda d: d.kind)
@pytest.mark.parametrize("data", ["digits", "crops"])
def test_given_pictures_are_reproduced(
    canvas: Description, data: str, request: pytest.FixtureRequest
) -> None:
    pictures = request.getfixturevalue(data)[:4]
    for spectrum in (None, Spectrum.measure([pictures])):
        live = canvas.build(
            seeded(*range(4)), tuple(pictures.shape[1:]), spectrum, pictures=pictures
        )
        assert torch.allclose(live(), pictures, atol=1e-3)


@pytest.mark.parametrize("size", [(31, 40), (30, 41), (32, 32), (29, 29)])
def test_maco_with_a_picture_of_its_own_spectrum_reproduces_it(
    photographs: Tensor, size: tuple[int, int]
) -> None:
    picture = _meeting(photographs[:1, :, : size[0], : size[1]])
    live = Maco().build(seeded("a"), (3, *size), Spectrum.measure([picture]), picture)
    assert torch.allclose(live(), picture, atol=2e-3)


def _meeting(picture: Tensor) -> Tensor:
    """Its first half and the mirror image of that: opposite borders meet."""
    for axis in (2, 3):
        side = picture.shape[axis]
        half = picture.narrow(axis, 0, (side + 1) // 2)
        picture = torch.cat([half, half.flip(axis).narrow(axis, side % 2, side // 2)], dim=axis)
    return picture


@pytest.mark.parametrize("size", [(31, 40), (8, 8), (5, 5), (6, 9), (1, 4), (4, 1)])
def test_bounded_coefficients_stay_within_the_limit(
    photographs: Tensor, size: tuple[int, int]
) -> None:
    spectrum = Spectrum.natural(3, size)
    for limit in (0.5, 1.0, 2.0):
        live = Bounded(limit=limit).build(
            seeded("a"), (3, *size), spectrum, photographs[:1, :, : size[0], : size[1]]
        )
        assert isinstance(live, BoundedCanvas)
        for _ in range(2):
            length = live.coefficients.detach().norm(dim=-1)
            assert float(length.max()) <= limit * (1 + 1e-5)
            with torch.no_grad():
                live.coefficients += torch.randn(
                    live.coefficients.shape, generator=torch.Generator().manual_seed(3)
                )
            live.project_()


@pytest.mark.later
def test_a_bound_out_of_reach_is_a_fourier_canvas(crops: Tensor) -> None:
    spectrum = Spectrum.measure([crops])
    bounded, free = (
        canvas.build(seeded("a"), (3, 31, 40), spectrum, crops[:1])().detach()
        for canvas in (Bounded(limit=1e6), Fourier())
    )
    assert torch.equal(bounded, free)
    with pytest.raises(InputError, match="limit of 0"):
        Bounded(limit=0)


@pytest.mark.parametrize("size", [(31, 40), (8, 8), (5, 5), (6, 9), (1, 4), (4, 1)])
def test_maco_keeps_the_magnitude_whatever_the_phase(
    photographs: Tensor, size: tuple[int, int]
) -> None:
    spectrum = Spectrum.natural(3, size)
    live = Maco().build(seeded("a", "b"), (3, *size), spectrum)
    assert isinstance(live, MacoCanvas)
    with torch.no_grad():
        live.phase += torch.randn(live.phase.shape, generator=torch.Generator().manual_seed(3))
    waves = torch.fft.fft2(spectrum.basis.decorrelate(live.logits()), norm="ortho").abs()
    free_level = waves[..., 0, 0].clone()
    waves[..., 0, 0] = spectrum.magnitude[:, 0, 0]
    assert torch.allclose(waves, spectrum.magnitude.expand_as(waves), rtol=1e-3, atol=1e-4)
    assert (free_level <= spectrum.magnitude[:, 0, 0] + 1e-4).all()


@pytest.mark.later
@pytest.mark.parametrize(
    ("canvas", "steps", "rate"),
    [
        (Pixels(), 300, 0.02),
        (Fourier(), 300, 0.05),
        (Bounded(limit=4.0), 300, 0.05),
        (Maco(), 400, 0.1),
    ],
    ids=["pixels", "fourier", "bounded", "maco"],
)
def test_every_canvas_can_fit_a_photograph(
    photographs: Tensor, canvas: Description, steps: int, rate: float
) -> None:
    """From noise, under the spectrum of photographs; MACO under that of this one."""
    photograph = photographs[:1, :, 100:132, 200:233]
    own = Spectrum.measure([photograph]) if isinstance(canvas, Maco) else None
    live = canvas.build(seeded("a"), (3, 32, 33), own)
    before = correlation(live().detach(), photograph)
    ascend(live, photograph, steps, rate)
    after = correlation(live().detach(), photograph)
    assert before < 0.6
    constrained = isinstance(canvas, Maco | Bounded)
    assert after > (0.9 if constrained else 0.99)


@pytest.mark.parametrize("canvas", [Pixels, Fourier])
@pytest.mark.parametrize(("start", "value"), [("black", 0.0), ("grey", 0.5)])
def test_flat_starts_are_flat_and_can_be_left(
    canvas: type[Description], start: str, value: float, digits: Tensor
) -> None:
    live = canvas(start=start).build(seeded("a"), (1, 28, 28), Spectrum.measure([digits]))
    assert torch.allclose(live(), torch.full((1, 1, 28, 28), value), atol=1e-3)
    ascend(live, digits[:1], steps=60, rate=0.05)
    assert correlation(live().detach(), digits[:1]) > 0.8


@pytest.mark.later
@every_canvas
def test_noise_with_full_spread_has_the_deviation_of_the_data(
    canvas: Description, crops: Tensor
) -> None:
    spectrum = Spectrum.measure([crops])
    full = type(canvas)(spread=1.0)
    pictures = full.build(seeded(*range(60)), (3, 31, 40), spectrum)().detach()
    # Means differ less than those of few large crops, and a bound cuts off the largest waves.
    assert float(pictures.std()) == pytest.approx(float(crops.std()), rel=0.25)


def test_a_single_start_picture_serves_all_images(crops: Tensor) -> None:
    live = Pixels().build(seeded("a", "b"), (3, 31, 40), pictures=crops[:1])
    assert torch.equal(live()[1], crops[0])
    live.parameters[0].data[0] = 0  # each image has pixels of its own
    assert torch.equal(live()[1], crops[0])


@every_kind
def test_shown_pictures_do_not_change_with_later_steps(kind: type[Description]) -> None:
    live = described(kind, (1, 6, 6)).build(seeded("a"), (1, 6, 6))
    shown = live().detach()
    kept = shown.clone()
    ascend(live, torch.zeros(1, 1, 6, 6), steps=2)
    assert torch.equal(shown, kept)
    assert not torch.equal(live(), kept)


@every_canvas
def test_descriptions_are_values(canvas: Description) -> None:
    again = Description.from_json(json.loads(json.dumps(canvas.to_json())))
    assert again == canvas
    assert hash(again) == hash(canvas)
    assert type(again) is type(canvas)


def test_what_fits_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no start is called 'blak'; nearest: black"):
        Pixels(start="blak")
    with pytest.raises(InputError, match="a black picture has no phase"):
        Maco(start="black")
    with pytest.raises(
        SettingError, match="is no canvas: there is none of the kind 'fourrier'; nearest: fourier"
    ):
        Description.from_json({"canvas": "fourrier"})
    with pytest.raises(SettingError, match="sprad"):
        Description.from_json({"canvas": "fourier", "sprad": 1})
    shape, streams = (1, 4, 4), seeded("a", "b")
    with pytest.raises(ChannelError, match="have 3 channels; the canvas has 1"):
        Pixels().build(streams, shape, pictures=torch.rand(2, 3, 4, 4))
    with pytest.raises(SizeError, match=r"are \(5, 4\); the canvas is \(4, 4\)"):
        Pixels().build(streams, shape, pictures=torch.rand(2, 1, 5, 4))
    with pytest.raises(SizeError, match="3 start pictures for 2 images"):
        Pixels().build(streams, shape, pictures=torch.rand(3, 1, 4, 4))


def test_the_logits_of_a_given_black_picture_are_finite() -> None:
    assert torch.isfinite(to_logits(torch.zeros(1))).all()


def test_the_squash_and_its_slope_are_those_of_its_formula() -> None:
    logits = torch.linspace(-9, 9, 1001, dtype=torch.float64)
    made = []
    for squash in (
        to_pictures,
        lambda z: ((1 + 2 * MARGIN) * torch.sigmoid(z) - MARGIN).clamp(0, 1),
    ):
        leaf = logits.clone().requires_grad_()
        pictures = squash(leaf)
        (slope,) = torch.autograd.grad(pictures.square().sum(), leaf)
        made.append((pictures.detach(), slope))
    for ours, formula in zip(*made, strict=True):
        torch.testing.assert_close(ours, formula, rtol=0, atol=1e-12)
    assert made[0][1][0] == 0 < made[0][1][500]
