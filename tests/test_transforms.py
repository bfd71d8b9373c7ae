"""Transforms: exact where they can be, seeded, differentiable, independent per image."""

import json

import pytest
import torch
from scipy import ndimage
from sklearn.datasets import load_sample_image
from torch import Tensor
from torch.nn import functional as F

from phosphene import transforms
from phosphene.errors import InputError, SettingError
from phosphene.streams import Streams
from phosphene.transforms import (
    FILLS,
    Compose,
    Identity,
    RandomAffine,
    Transform,
    warp,
)

TRANSFORMS = [
    Identity(),
    RandomAffine(),
    RandomAffine(shift=0.2, rotate=180.0, scale=(0.5, 2.0), fill="zeros"),
    RandomAffine(shift=0.2, rotate=45.0, scale=(0.7, 1.0), fill="reflection"),
    Compose((RandomAffine(rotate=0.0), Identity(), RandomAffine(shift=0.0))),
]
every_transform = pytest.mark.parametrize("transform", TRANSFORMS, ids=str)


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    """Three pieces of a photograph, `3 3 40 61`, with pure black and white in them."""
    china = torch.tensor(load_sample_image("china.jpg")).movedim(-1, 0) / 255
    pieces = torch.stack([china[:, y : y + 40, 200:261] for y in (80, 150, 300)])
    pieces[:, :, 5:15, 5:25], pieces[:, :, 20:30, 30:55] = 0.0, 1.0
    return pieces


def numbers(*values: float) -> Tensor:
    return torch.tensor(values)


def seeded(*names: str) -> Streams:
    return Streams.seeded(0, names)


@every_transform
def test_pictures_stay_pictures(transform: RandomAffine, pictures: Tensor) -> None:
    streams = seeded("a", "b", "c")
    for _ in range(10):
        changed = transform(pictures, streams)
        assert changed.shape == pictures.shape
        assert float(changed.min()) >= 0
        assert float(changed.max()) <= 1


@every_transform
def test_the_same_streams_give_the_same_change(transform: RandomAffine, pictures: Tensor) -> None:
    streams = seeded("a", "b", "c")
    first, second = transform(pictures, streams), transform(pictures, streams)
    assert torch.equal(first, transform(pictures, seeded("a", "b", "c")))
    if not isinstance(transform, Identity):
        assert not torch.equal(first, second)


@every_transform
def test_an_image_does_not_depend_on_its_neighbours(
    transform: RandomAffine, pictures: Tensor
) -> None:
    together = transform(pictures, seeded("a", "b", "c"))
    for i, name in enumerate("abc"):
        alone = transform(pictures[i : i + 1], seeded(name))
        assert torch.allclose(alone[0], together[i], atol=1e-6)


@every_transform
def test_the_gradient_is_the_adjoint_of_the_change(
    transform: RandomAffine, pictures: Tensor
) -> None:
    """A warp is linear, so `<T x, y> = <x, grad <T x, y>>`."""
    leaf = pictures.clone().requires_grad_()
    weights = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    value = (transform(leaf, seeded("a", "b", "c")) * weights).sum()
    (gradient,) = torch.autograd.grad(value, leaf)
    assert float((gradient * pictures).sum()) == pytest.approx(float(value.detach()), rel=1e-3)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, 0), (0, -7), (-2, 5), (39, 60)])
def test_integer_shifts_are_exact(pictures: Tensor, down: int, right: int) -> None:
    moved = torch.roll(pictures, (down, right), dims=(2, 3))
    y, x = torch.arange(40)[:, None] - down, torch.arange(61) - right
    inside = (y >= 0) & (y < 40) & (x >= 0) & (x < 61)
    shift = numbers(float(down), float(right)).expand(3, 2)
    found = warp(pictures, shift, torch.zeros(3), torch.ones(3))
    assert torch.allclose(found, moved * inside, atol=2e-5)
    bordered = pictures[:, :, y.clamp(0, 39), x.clamp(0, 60)]
    found = warp(pictures, shift, torch.zeros(3), torch.ones(3), fill="border")
    assert torch.allclose(found, bordered, atol=2e-5)


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_quarter_turns_are_counter_clockwise_and_exact(pictures: Tensor, quarters: int) -> None:
    square = pictures[..., :40]
    angles = torch.full((3,), 90.0 * quarters)
    found = warp(square, torch.zeros(3, 2), angles, torch.ones(3))
    assert torch.allclose(found, torch.rot90(square, quarters, dims=(2, 3)), atol=1e-4)


@pytest.mark.parametrize(
    ("down", "right", "angle", "scale"),
    [(0.0, 0.0, 30.0, 1.0), (1.5, -2.25, 0.0, 1.0), (0.0, 0.0, 0.0, 1.7), (2.0, 3.5, -20.0, 0.8)],
)
def test_any_change_of_an_oblong_picture_equals_scipy(
    pictures: Tensor, down: float, right: float, angle: float, scale: float
) -> None:
    """An independent bilinear resampling in pixel coordinates: no shear, no squeeze."""
    turn = torch.deg2rad(torch.tensor(angle, dtype=torch.float64))
    # (y, x) of the source from (y, x) of the result, both from the centre.
    backwards = torch.stack(
        [torch.stack([turn.cos(), turn.sin()]), torch.stack([-turn.sin(), turn.cos()])]
    )
    backwards = (backwards / scale).numpy()
    centre = numbers(39 / 2, 60 / 2).double().numpy()
    offset = centre - backwards @ (centre + numbers(down, right).numpy())
    expected = torch.stack(
        [
            torch.from_numpy(
                ndimage.affine_transform(
                    channel.double().numpy(), backwards, offset, order=1, mode="grid-constant"
                )
            )
            for channel in pictures[0]
        ]
    )
    found = warp(pictures[:1], numbers(down, right)[None], numbers(angle), numbers(scale))
    assert torch.allclose(found[0].double(), expected, atol=1e-4)


@pytest.mark.parametrize("fill", FILLS)
def test_pictures_and_their_gradient_are_those_of_grid_sample(
    pictures: Tensor, fill: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    moves = (numbers(3.5, -8.0, 0.0, 2.0, 11.0, 6.0).view(3, 2), numbers(-25.0, 8.0, 170.0))

    def moved() -> tuple[Tensor, Tensor]:
        leaf = pictures.clone().requires_grad_()
        made = warp(leaf, *moves, numbers(0.6, 1.0, 1.7), fill)
        (gradient,) = torch.autograd.grad((made * weights).sum(), leaf)
        return made.detach(), gradient

    ours = moved()
    monkeypatch.setattr(
        transforms, "_sampled", lambda x, grid, how: F.grid_sample(x, grid, "bilinear", how, False)
    )
    for one, other in zip(ours, moved(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_draws_fill_their_ranges() -> None:
    """The centre of a dot shows the shift of each of many images."""
    dot = torch.zeros(200, 1, 21, 41)
    dot[:, :, 10, 20] = 1
    transform = RandomAffine(shift=0.2, rotate=0.0, scale=(1.0, 1.0))
    moved = transform(dot, Streams.seeded(0, range(200)))
    y = (moved.sum(dim=(1, 3)) * torch.arange(21)).sum(dim=1) - 10
    x = (moved.sum(dim=(1, 2)) * torch.arange(41)).sum(dim=1) - 20
    assert 3.8 < float(y.abs().max()) <= 4.2 + 1e-3
    assert 7.8 < float(x.abs().max()) <= 8.2 + 1e-3
    assert abs(float(y.mean())) < 0.6
    assert abs(float(x.mean())) < 1.2


def test_nothing_to_change_returns_the_very_pictures(pictures: Tensor) -> None:
    still = RandomAffine(shift=0.0, rotate=0.0, scale=(1.0, 1.0))
    assert still(pictures, seeded("a", "b", "c")) is pictures
    assert Identity()(pictures, seeded("a", "b", "c")) is pictures
    assert Compose(())(pictures, seeded("a", "b", "c")) is pictures


@every_transform
def test_descriptions_are_values(transform: RandomAffine) -> None:
    again = Transform.from_json(json.loads(json.dumps(transform.to_json())))
    assert again == transform
    assert hash(again) == hash(transform)


def test_what_is_no_transform_is_refused() -> None:
    with pytest.raises(InputError, match=r"scale \(1.1, 0.9\) is no range"):
        RandomAffine(scale=(1.1, 0.9))
    with pytest.raises(InputError, match="no fill is called 'boarder'; nearest: border"):
        RandomAffine(fill="boarder")
    with pytest.raises(SettingError, match="none of the kind 'shear'; there are: identity, affine"):
        Transform.from_json({"transform": "shear"})
    with pytest.raises(SettingError, match="RandomAffine has no 'sheer'; there are: shift, rotate"):
        Transform.from_json({"transform": "affine", "sheer": 1})
    assert set(FILLS) == {"zeros", "border", "reflection"}


def test_equal_transforms_are_equal_as_json() -> None:
    whole = RandomAffine(shift=0, rotate=0, scale=(1, 1))
    assert json.dumps(whole.to_json()) == json.dumps(RandomAffine(0.0, 0.0, (1.0, 1.0)).to_json())
