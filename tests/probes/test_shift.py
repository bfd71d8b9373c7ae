"""Moves against slow loops over pixels and pictures; flips of real digits."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from laws import unchanged
from mnist_cnn import trained
from phosphene.data import ArrayDataset, Batch, batches, mnist
from phosphene.errors import DataError, InputError, ObjectiveError
from phosphene.network import Network
from phosphene.probes import Family, Move, flips, move_map, rotations, scalings, shifts
from phosphene.probes.moves import Fill
from phosphene.transforms import warp
from tiny import network, pictures

pytestmark = pytest.mark.slow  # together more than a few seconds

CLASSIFIERS = ["rectified", "residual", "functional", "tokens", "dense"]  # c = 2, 3, 1, 3, 1


def slowly_shifted(picture: Tensor, down: int, right: int, fill: Fill) -> Tensor:
    _, height, width = picture.shape
    moved = torch.empty_like(picture)
    for y in range(height):
        for x in range(width):
            from_y, from_x = y - down, x - right
            inside = 0 <= from_y < height and 0 <= from_x < width
            if inside or fill == "border":
                near_y, near_x = min(max(from_y, 0), height - 1), min(max(from_x, 0), width - 1)
                moved[:, y, x] = picture[:, near_y, near_x]
            else:
                moved[:, y, x] = float(fill)
    return moved


@pytest.mark.parametrize("fill", [0.0, 1.0, 0.3, "border"])
@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, -1), (-3, 0), (0, 4), (9, -9)])
def test_whole_shifts_move_pixels_exactly(down: int, right: int, fill: Fill) -> None:
    given = torch.rand(2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    moved = Move(down, right)(given, fill)
    for before, after in zip(given, moved, strict=True):
        assert torch.equal(after, slowly_shifted(before, down, right, fill))


@pytest.mark.parametrize("fill", [0.0, 0.7, "border"])
def test_whole_shifts_agree_with_resampling(fill: Fill) -> None:
    given = torch.rand(2, 2, 6, 5, generator=torch.Generator().manual_seed(0))
    hardly = Move(2, -1, angle=1e-5)  # enough to take the other way
    assert torch.allclose(Move(2, -1)(given, fill), hardly(given, fill), atol=1e-4)


def test_other_moves_are_warps_on_a_ground_of_any_level() -> None:
    given = torch.rand(2, 2, 6, 5, generator=torch.Generator().manual_seed(0))
    move, two = Move(0.5, 1, angle=20, scale=0.7), torch.ones(2)
    plain = warp(given, torch.tensor([[0.5, 1.0]]).expand(2, 2), 20 * two, 0.7 * two)
    assert torch.equal(move(given), plain)
    inverted = 1 - move(1 - given, fill=1.0)  # a negative moves as its positive does
    assert torch.allclose(inverted, plain, atol=1e-6)


def test_families_hold_what_they_say() -> None:
    two = shifts(2)
    assert two.shape == (5, 5)
    assert two.levels == (0, 1, 2)
    assert [two.extents.count(level) for level in two.levels] == [1, 8, 16]
    assert (two.moves[12], two.moves[3]) == (Move(), Move(down=-2, right=1))
    assert rotations([-20, 0, 10]).extents == (20, 0, 10)
    assert scalings([0.5, 1, 2, 4]).levels == (1, 2, 4)


@pytest.mark.parametrize(
    "make", [lambda: shifts(-1), lambda: rotations([]), lambda: scalings([1, 0])]
)
def test_families_that_cannot_be_are_refused(make: object) -> None:
    with pytest.raises(InputError, match="cannot make a family of moves"):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("family", [shifts(1), rotations([-30, 0, 45]), scalings([0.5, 2])])
def test_a_map_is_one_reading_for_each_move(name: str, family: Family) -> None:
    net = network(name)
    picture = pictures(net, 1)[0]
    with unchanged(net.module):
        found = move_map(net, picture, 1, family, fill=0.2, rows=4)
    for place, move in enumerate(family.moves):
        alone = net.probabilities(move(picture[None], 0.2))[0]
        where = divmod(place, family.shape[1]) if len(family.shape) == 2 else place
        assert math.isclose(found.probability[where], alone[1], abs_tol=1e-6)
        assert found.predicted[where] == alone.argmax()
    json.dumps(found.to_json())


def undecided() -> Network:
    """A network whose classes are nearly level on random pictures, so that little decides."""
    net = network("rectified")
    level = net.class_scores(pictures(net, 200, seed=5)).mean(0)
    net.module.fc2.bias.data -= 0.9 * level  # type: ignore[operator, union-attr]
    return net


@pytest.mark.parametrize(
    "family", [shifts(2), rotations([-40, 0, 20, 90]), scalings([0.5, 1, 1.5])]
)
@pytest.mark.parametrize(("size", "rows"), [(3, 1000), (7, 1), (100, 30)])
def test_flips_equal_a_slow_loop(family: Family, size: int, rows: int) -> None:
    net = undecided()
    shown = pictures(net, 20)
    labels = torch.randint(-1, 3, (20,), generator=torch.Generator().manual_seed(3))
    data = ArrayDataset((shown * 255).byte(), labels, name="random")
    found = flips(net, batches(data, size), family, fill="border", rows=rows)
    expected = torch.zeros(4, len(family.levels), dtype=torch.long)
    everyone = torch.zeros(len(family.levels), dtype=torch.long)
    for index, label in enumerate(labels.tolist()):
        picture = data[index].picture[None]
        still = net.class_scores(picture).argmax()
        for i, level in enumerate(family.levels):
            answers = [
                net.class_scores(move(picture, "border")).argmax()
                for move, extent in zip(family.moves, family.extents, strict=True)
                if extent <= level
            ]
            flipped = any(answer != still for answer in answers)
            everyone[i] += flipped
            if label >= 0:
                expected[label, i] += flipped
    assert found.count == 20
    assert torch.equal(found.flipped, everyone)
    assert torch.equal(found.class_flipped, expected)
    assert found.class_count.tolist() == [int((labels == k).sum()) for k in range(4)]
    assert ((found.share > 0) & (found.share < 1)).any()
    assert found.share_by_class[3].tolist() == [0.0] * len(family.levels)  # no picture of class 3
    json.dumps(found.to_json())


def test_nothing_flips_unmoved() -> None:
    net = network("residual")
    shown = pictures(net, 4)
    one = Batch(torch.arange(4), shown, torch.full((4,), -1), ())
    none = Batch(torch.arange(0), torch.empty(0, 0, 0, 0), torch.arange(0), ())
    assert flips(net, [none, one], shifts(0)).share.tolist() == [0.0]


def test_labels_beyond_the_classes_and_empty_data_are_refused() -> None:
    net = network("dense")
    shown = pictures(net, 1)
    with pytest.raises(DataError, match="label 3 is beyond the network's 3 classes"):
        flips(net, [Batch(torch.arange(1), shown, torch.tensor([3]), ())], shifts(1))
    with pytest.raises(DataError, match="no picture was given"):
        flips(net, [], shifts(1))
    for label in (-1, 3):
        with pytest.raises(ObjectiveError, match=f"classes 0 to 2; {label} was asked for"):
            move_map(net, shown[0], label, shifts(1))


@pytest.mark.slow
def test_real_digits_flip_the_more_the_further_they_move(shared_data: Path) -> None:
    net = trained(shared_data)
    data = mnist(shared_data / "mnist", "test").take(slice(0, 300))
    found = flips(net, batches(data), shifts(3))
    assert found.share[0] == 0
    assert (found.share.diff() > 0.03).all()
    # Measured on 1,000: 8.1 % within 1 pixel, 39.6 % within 2, 89.8 % within 3.
    assert 0.04 < found.share[1] < 0.15
    assert 0.8 < found.share[3] < 0.95
