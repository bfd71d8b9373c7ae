"""Pictures changed at random as they are trained on: anew at each step, the same when resumed."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from phosphene.errors import WeightsError
from phosphene.network import Input, Network
from phosphene.streams import Streams, derived
from phosphene.training import Training, accuracy, seeded, train
from phosphene.training import loop as training
from phosphene.training.feed import Feed
from phosphene.transforms import RandomAffine
from phosphene.zoo import krishna

SIZE = (16, 16)
INPUT = Input(1, SIZE)
SHIFT = RandomAffine(shift=0.2, rotate=0.0, scale=(1.0, 1.0), fill="zeros")


@pytest.fixture(scope="module")
def data() -> TensorDataset:
    """A dot in the middle, or a ring around it, in noise."""
    generator = torch.Generator().manual_seed(0)
    pictures = 0.3 * torch.rand(40, 1, *SIZE, generator=generator)
    labels = torch.arange(40) % 2
    pictures[labels == 0, :, 7:9, 7:9] += 0.7
    pictures[labels == 1, :, 6:10, 6:10] += 0.7
    pictures[labels == 1, :, 7:9, 7:9] -= 0.7
    return TensorDataset(pictures, labels)


def make() -> nn.Module:
    return seeded(lambda: krishna((1, *SIZE), widths=(4, 5), dense=(16,)), 0)


def test_each_picture_has_its_own_stream(data: TensorDataset) -> None:
    plain = Feed(data, Training(batch=10, seed=3))
    changed = Feed(data, Training(batch=10, seed=3, augment=SHIFT))
    pictures, labels = plain.batch(5)
    shifted, their_labels = changed.batch(5)
    assert torch.equal(labels, their_labels)
    for picture, found in zip(pictures, shifted, strict=True):
        index = next(i for i, p in enumerate(data.tensors[0]) if torch.equal(p, picture))
        streams = Streams.seeded(derived(3, "augment", 5), [index])
        expected = SHIFT(picture[None], streams)[0]
        torch.testing.assert_close(found, expected)
        assert not torch.allclose(found, picture)


def test_a_picture_moves_differently_each_time() -> None:
    data = TensorDataset(torch.rand(2, 1, *SIZE), torch.zeros(2, dtype=torch.long))
    feed = Feed(data, Training(batch=1, augment=SHIFT))
    seen = [feed.batch(step)[0] for step in range(8)]
    assert all(not torch.equal(a, b) for i, a in enumerate(seen) for b in seen[:i])


@pytest.mark.parametrize("stop", [1, 5, 6, 12])
@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights(
    stop: int, data: TensorDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 5)
    arguments = {"rho": 0.95, "eps": 1e-6}
    recipe = Training("Adadelta", 1.0, 8, 13, arguments=arguments, augment=SHIFT)
    whole = list(train(make(), INPUT, data, recipe, tmp_path / "whole"))
    for step in train(make(), INPUT, data, recipe, tmp_path / "cut"):
        if step.index == stop:
            break
    rest = list(train(make(), INPUT, data, recipe, tmp_path / "cut"))
    assert rest == whole[(stop - 1) // 5 * 5 :]
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()


def test_weights_know_how_their_pictures_were_changed(data: TensorDataset, tmp_path: Path) -> None:
    path = tmp_path / "w"
    list(train(make(), INPUT, data, Training(steps=2, augment=SHIFT), path))
    assert list(train(make(), INPUT, data, Training(steps=2, augment=SHIFT), path)) == []
    for other in (None, RandomAffine(shift=0.1, rotate=0.0, scale=(1.0, 1.0), fill="zeros")):
        with pytest.raises(WeightsError, match=r"augment .* where the file has shift 0\.2"):
            list(train(make(), INPUT, data, Training(steps=2, augment=other), path))


@pytest.mark.slow
def test_shifted_pictures_are_learnt(data: TensorDataset, tmp_path: Path) -> None:
    """What was trained on shifts reads shifted pictures; what was not, reads fewer of them."""
    pictures, labels = data.tensors
    moved = SHIFT(pictures, Streams.seeded(9, range(len(pictures))))
    found = {}
    for name, augment in (("plain", None), ("shifted", SHIFT)):
        module = make()
        recipe = Training(learning_rate=5e-3, batch=20, steps=150, augment=augment)
        list(train(module, INPUT, data, recipe, tmp_path / name))
        network = Network(module, INPUT)
        assert accuracy(network, data) > 0.95
        found[name] = accuracy(network, TensorDataset(moved, labels))
    assert found["shifted"] > 0.9
    assert found["shifted"] > found["plain"] + 0.1
