"""Detectors: against scikit-learn's average precision, and against masks laid over by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from phosphene import Input, Network
from phosphene.data import ArrayDataset
from phosphene.errors import DataError, InputError, UnknownLayerError
from phosphene.probes import dissect, dissect_masks
from phosphene.probes.dissection import average_precision

LABELS = ("left", "right", "neither")


def network() -> Network:
    """Unit 0 sees the left half, unit 1 the right one, unit 2 is noise, unit 3 is silent."""
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 4, 3, padding=1)
    with torch.no_grad():
        conv.weight.zero_()
        conv.bias.zero_()
        conv.weight[:2, :, 1, 1] = 1.0
        conv.weight[2] = torch.randn(1, 3, 3)
        conv.bias[3] = -1.0
    module = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    return Network(module, Input(1, (6, 6)), LABELS)


def data(count: int = 40) -> ArrayDataset:
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 200, (count, 1, 6, 6), generator=generator).byte()
    labels = torch.randint(0, 3, (count,), generator=generator)
    return ArrayDataset(pictures, labels, name="some", classes=LABELS)


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_is_scikit_learns(ties: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(50, 7, generator=generator)
    if ties:
        values = (values * 4).round()
    labels = torch.randint(0, 3, (50,), generator=generator)
    shown = torch.nn.functional.one_hot(labels, 4).bool()  # nothing has the last label
    found = average_precision(values, shown)
    for unit in range(7):
        for label in range(3):
            expected = average_precision_score(shown[:, label].numpy(), values[:, unit].numpy())
            assert float(found[unit, label]) == pytest.approx(expected, abs=1e-6)
    assert (found[:, 3] == 0).all()


def test_units_are_ranked_by_their_largest_values() -> None:
    net, some = network(), data()
    found = dissect(net, some, "0")
    values = net.record(some.pictures.float() / 255, ["0"])["0"].detach().amax((2, 3))
    expected = average_precision(values, torch.nn.functional.one_hot(some.labels, 3).bool())
    assert torch.allclose(found.scores, expected)
    assert found.chance.tolist() == pytest.approx(
        (np.bincount(some.labels, minlength=3) / len(some)).tolist()
    )
    assert found.labels == LABELS


def test_a_unit_that_answers_to_one_label_alone_is_its_detector() -> None:
    pictures = torch.zeros(9, 1, 6, 6, dtype=torch.uint8)
    pictures[:3] = 200
    some = ArrayDataset(
        pictures, torch.tensor([1] * 3 + [0] * 3 + [2] * 3), name="n", classes=LABELS
    )
    found = dissect(network(), some, "0")
    assert found.detectors[0] == 1
    assert float(found.scores[0, 1]) == 1.0
    assert 3 not in found.detectors  # silent: all pictures tie
    assert found.to_json()["units"][0] == {"unit": 0, "label": "right", "score": 1.0}


def test_too_little_to_tell_apart_is_refused() -> None:
    with pytest.raises(UnknownLayerError, match=r"no layer 'fc'"):
        dissect(network(), data(), "fc")
    with pytest.raises(DataError, match=r"0 labels among 0 labelled pictures"):
        dissect(network(), TensorDataset(torch.rand(3, 1, 6, 6)), "0")


def masked() -> list[tuple[Tensor, Tensor]]:
    """Bright squares on dark ground, and where they are: left, right."""
    generator = torch.Generator().manual_seed(2)
    batches = []
    for _ in range(3):
        pictures = 0.1 * torch.rand(4, 1, 6, 6, generator=generator)
        masks = torch.zeros(4, 2, 6, 6, dtype=torch.bool)
        masks[:2, 0, 1:5, 0:3] = True
        masks[2:, 1, 1:5, 3:6] = True
        pictures[masks.any(1, keepdim=True)] += 0.8
        batches.append((pictures, masks))
    return batches


def test_regions_are_laid_over_masks() -> None:
    net, some, top = network(), masked(), 0.2
    found = dissect_masks(net, some, "0", ["left", "right"], top=top)
    pictures = torch.cat([pictures for pictures, _ in some])
    masks = torch.cat([masks for _, masks in some])
    values = net.record(pictures, ["0"])["0"].detach()
    for unit in range(3):
        flat = values[:, unit].flatten()
        cut = flat.sort(descending=True).values[int(top * len(flat))]
        region = values[:, unit] > cut
        for label in range(2):
            both = (region & masks[:, label]).sum()
            either = (region | masks[:, label]).sum()
            assert float(found.scores[unit, label]) == pytest.approx(float(both / either), abs=0.02)
    assert float(found.scores[3].max()) == 0.0
    assert set(found.detectors) >= {0, 1}
    assert found.measure == "IoU"


def test_masks_that_do_not_fit_are_refused() -> None:
    net, some = network(), masked()
    with pytest.raises(InputError, match=r"expected a mask for each picture and label"):
        dissect_masks(net, some, "0", ["left"])
    with pytest.raises(InputError, match=r"expected a layer with positions"):
        dissect_masks(net, some, "3", ["left", "right"])
    with pytest.raises(DataError, match=r"no picture was given"):
        dissect_masks(net, [], "0", ["left", "right"])
