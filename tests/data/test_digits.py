"""The embedded digits: real, split for good, enlarged smoothly."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from phosphene.data import digits
from phosphene.errors import DataError


@pytest.mark.later
def test_splits_share_nothing_and_miss_nothing() -> None:
    train, test, everything = (digits(split, (8, 8)) for split in ("train", "test", "all"))
    assert (len(train), len(test), len(everything)) == (1437, 360, 1797)
    seen = sorted(bytes(p.numpy().tobytes()) for d in (train, test) for p in d.pictures)
    assert seen == sorted(bytes(p.numpy().tobytes()) for p in everything.pictures)
    per_class = torch.bincount(test.labels) / torch.bincount(everything.labels)
    assert ((per_class - 0.2).abs() < 0.01).all()


def test_the_split_is_the_one_of_scikit_learn() -> None:
    source = load_digits()
    places = train_test_split(
        range(len(source.target)), test_size=0.2, stratify=source.target, random_state=0
    )
    for split, chosen in zip(("train", "test"), map(sorted, places), strict=True):
        found = digits(split, (8, 8))
        ink = torch.from_numpy(source.images[chosen] / 16)
        assert (found.pictures[:, 0] / 255 - ink).abs().max() <= 0.5 / 255 + 1e-7
        assert found.labels.tolist() == source.target[chosen].tolist()


def test_original_size_is_the_original_ink() -> None:
    source = load_digits()
    data = digits("all", size=(8, 8))
    ink = torch.from_numpy(source.images / 16)
    assert (data.pictures[:, 0] / 255 - ink).abs().max() <= 0.5 / 255 + 1e-7
    assert data.labels.tolist() == source.target.tolist()
    assert "resized" not in data.note


def test_enlarging_is_what_pillow_does() -> None:
    small, large = digits("test", (8, 8)), digits("test")
    for index in range(0, 360, 40):
        ink = Image.fromarray((small.pictures[index, 0].float() / 255).numpy())
        smooth = np.asarray(ink.resize((28, 28), Image.Resampling.BICUBIC)).clip(0, 1)
        assert np.abs(large.pictures[index, 0].numpy() - smooth * 255).max() <= 1
    assert torch.equal(small.labels, large.labels)


def test_what_was_done_is_said() -> None:
    data = digits("test")
    assert data.name == "digits test"
    assert "360 of scikit-learn's 1,797 real handwritten digits" in data.note
    assert "resized from 8x8 to 28x28" in data.note
    assert data[0].picture.shape == (1, 28, 28)


def test_same_split_every_time() -> None:
    assert digits("test").fingerprint() == digits("test").fingerprint()
    assert digits("test").labels[:10].tolist() == [1, 4, 8, 6, 5, 9, 9, 1, 3, 2]


def test_nearest_split_is_named() -> None:
    with pytest.raises(DataError, match=r"no split 'tests' .*nearest: test"):
        digits("tests")
