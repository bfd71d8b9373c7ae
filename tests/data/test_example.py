"""Items of any dataset become examples, or say what is wrong with them."""

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.data import Example, Unreadable, read
from phosphene.data.example import picture
from phosphene.data.modes import plain
from phosphene.errors import DataError, UnreadableImageError

RAMP = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10


def test_every_form_of_a_picture_is_the_same_picture() -> None:
    channels_first = torch.from_numpy(RAMP).permute(2, 0, 1)
    expected = channels_first.double() / 255
    for form in (
        channels_first,
        channels_first.float() / 255,
        channels_first.double() / 255,
        (channels_first.int() * 257).to(torch.uint16),
        RAMP,
        RAMP.astype(np.uint16) * 257,
        RAMP / 255,
        RAMP[::-1][::-1],
        Image.fromarray(RAMP),
    ):
        torch.testing.assert_close(picture(form).double(), expected, rtol=0, atol=1e-6)


def test_two_axes_are_one_grey_channel() -> None:
    grey = RAMP[:, :, 0]
    for form in (grey, torch.from_numpy(grey), Image.fromarray(grey)):
        assert torch.equal(picture(form), torch.from_numpy(grey)[None] / 255)


def test_pictures_do_not_share_memory_with_arrays() -> None:
    frozen = RAMP.astype(np.float32) / 255
    frozen.flags.writeable = False
    picture(frozen).zero_()
    assert frozen.max() > 0


def test_pillow_modes() -> None:
    rgb = Image.new("RGB", (2, 2), (255, 0, 0))
    palette = rgb.quantize(4)
    assert picture(palette).shape == (3, 2, 2)
    assert torch.allclose(picture(palette)[:, 0, 0], torch.tensor([1.0, 0, 0]), atol=0.02)
    assert picture(rgb.convert("RGBA")).shape == (4, 2, 2)
    assert picture(rgb.convert("1").convert("1")).shape == (1, 2, 2)
    assert picture(rgb.convert("CMYK"))[0].min() > 0.9
    deep = Image.fromarray(np.array([[0, 65535], [32896, 257]], dtype=np.uint16))
    assert (picture(deep) * 255).round().tolist() == [[[0, 255], [128, 1]]]
    with pytest.raises(UnreadableImageError, match="8 or 16 bits"):
        plain(Image.new("F", (2, 2)))


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (torch.randn(3, 8, 8), "pass pictures in \\[0, 1\\]: .*the Network normalises"),
        (torch.full((1, 2, 2), 255.0), "from 255 to 255"),
        (torch.tensor([[[0.5, float("nan")]]]), "NaN"),
        (torch.tensor([[[0.5, float("inf")]]]), "to inf"),
        (torch.zeros(8), "shape \\(8,\\)"),
        (torch.zeros(1, 3, 8, 8), "shape \\(1, 3, 8, 8\\)"),
        (torch.zeros(3, 0, 8), "at least one pixel"),
        (torch.zeros(1, 2, 2, dtype=torch.int64), "torch.int64"),
        (np.zeros((2, 2), dtype=object), "type object"),
        ("cat.jpg", "type str"),
        (None, "type NoneType"),
    ],
)
def test_what_is_no_picture_says_why(value: object, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        read((value, 0))


def test_rounding_beyond_the_range_is_clipped() -> None:
    nearly = picture(torch.tensor([[[-1e-7, 1 + 1e-7]]], dtype=torch.float64))
    assert nearly.min() >= 0
    assert nearly.max() <= 1


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (3, 3),
        (np.int64(3), 3),
        (np.array([3]), 3),
        (torch.tensor(3), 3),
        (torch.tensor([3]), 3),
        (True, 1),
        (None, None),
        (-1, None),
    ],
)
def test_labels(label: object, expected: int | None) -> None:
    example = read((torch.zeros(1, 2, 2), label))
    assert isinstance(example, Example)
    assert example.label == expected


@pytest.mark.parametrize("label", ["cat", 3.0, [1, 2], {"boxes": []}])
def test_what_is_no_label_says_so(label: object) -> None:
    with pytest.raises(DataError, match="expected one integer"):
        read((torch.zeros(1, 2, 2), label))


def test_items_of_one_part_have_no_label_and_of_three_are_refused() -> None:
    blank = torch.zeros(1, 2, 2)
    for item in (blank, (blank,), [blank], Example(blank)):
        example = read(item)
        assert isinstance(example, Example)
        assert example.label is None
    with pytest.raises(DataError, match="3 parts"):
        read((blank, 1, "extra"))
    lost = Unreadable("a.jpg", "truncated")
    assert read(lost) is lost
