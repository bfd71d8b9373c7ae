"""Mistakes, units of no use, networks side by side: against counts made by hand."""

import json

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from phosphene import Input, Network
from phosphene.data import ArrayDataset
from phosphene.errors import DataError, NetworkError, UnknownLayerError
from phosphene.maximize import Recipe
from phosphene.probes import compare, misread, units, weights

COUNT = 23


def network() -> Network:
    """Unit 1 never fires, unit 3 is twice unit 0, unit 2 is of its own kind."""
    torch.manual_seed(0)
    first, last = nn.Linear(16, 4), nn.Linear(4, 3)
    with torch.no_grad():
        first.bias[0] = 0.5
        first.bias[1] = -100.0
        first.weight[3] = 2 * first.weight[0]
        first.bias[3] = 2 * first.bias[0]
    module = nn.Sequential(nn.Flatten(), first, nn.ReLU(), last)
    return Network(module, Input(1, (4, 4)), ("cat", "dog", "cup"), "tiny")


def data() -> ArrayDataset:
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 256, (COUNT, 1, 4, 4), generator=generator).byte()
    labels = torch.randint(0, 3, (COUNT,), generator=generator)
    return ArrayDataset(pictures, labels, name="some", classes=("cat", "dog", "cup"))


def right(net: Network, dead: tuple[int, ...] = ()) -> int:
    """How many are read right, by the formula, with hidden units set to zero."""
    _, first, _, last = net.module
    some = data()
    hidden = (some.pictures.float().flatten(1) / 255 @ first.weight.T + first.bias).clamp_min(0)
    hidden[:, list(dead)] = 0
    return int(((hidden @ last.weight.T + last.bias).argmax(1) == some.labels).sum())


@pytest.mark.parametrize(("start", "stop"), [(0, COUNT), (5, 17), (22, 23)])
def test_misread_finds_the_mistakes_of_a_slice(start: int, stop: int) -> None:
    net, some = network(), data()
    found = misread(net, some, range(start, stop))
    read = net.class_scores(some.pictures.float() / 255).argmax(1)
    expected = [i for i in range(start, stop) if read[i] != some.labels[i]]
    assert found.images.tolist() == expected
    assert found.count == stop - start
    assert found.predicted.tolist() == read[expected].tolist()
    assert torch.equal(found.pictures, some.pictures[expected].float() / 255)
    row = found.to_json()["misread"]
    assert [entry["image"] for entry in row] == expected
    assert all(entry["probability"] > entry["probability of label"] for entry in row)


def test_misread_keeps_as_many_pictures_as_asked() -> None:
    found = misread(network(), data(), keep=2)
    assert len(found.pictures) == 2
    assert len(found.images) > 2


@pytest.mark.parametrize("span", [range(0), range(5, 40), range(-1, 3)])
def test_a_slice_outside_the_data_is_refused(span: range) -> None:
    with pytest.raises(DataError, match=r"the data has 0 to 22"):
        misread(network(), data(), span)


def test_mistakes_need_labels() -> None:
    with pytest.raises(DataError, match=r"no labelled picture"):
        misread(network(), TensorDataset(torch.rand(3, 1, 4, 4)))


def test_units_of_no_use_are_found_and_cost_what_they_cost() -> None:
    net = network()
    (layer,) = units(net, data(), ["1"]).layers
    assert layer.census.silent == (1,)
    assert layer.census.duplicates == ((0, 3),)
    assert layer.each.right_without.tolist() == [right(net, (i,)) for i in range(4)]
    assert layer.names == (
        "the silent units",
        "the redundant units",
        "0, 3, which repeat each other",
    )
    assert layer.groups.right_without.tolist() == [
        right(net, (1,)),
        right(net, (3,)),
        right(net, (0, 3)),
    ]


def test_units_of_an_unknown_layer_and_of_no_data_are_refused() -> None:
    with pytest.raises(UnknownLayerError, match=r"no layer 'conv9'"):
        units(network(), data(), ["conv9"])
    with pytest.raises(DataError, match=r"no picture was given"):
        units(network(), data().take(slice(0, 0)))
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    with pytest.raises(DataError, match=r"no hidden layer"):
        units(Network(module, Input(1, (4, 4))), data())


def test_networks_stand_side_by_side() -> None:
    net = network()
    found = compare({"with pictures": net}, data(), recipe=Recipe(steps=1))
    (side,) = found.sides
    assert side.accuracy == pytest.approx(right(net) / COUNT)
    assert (side.units, side.silent, side.redundant) == (4, 1, 1)
    assert side.parameters == 16 * 4 + 4 + 4 * 3 + 3
    assert side.pictures.shape == (3, 1, 4, 4)
    assert compare({"without": net}, data(), recipe=None).sides[0].pictures.shape[0] == 0


def test_networks_of_different_classes_are_not_compared() -> None:
    other = Network(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), Input(1, (4, 4)))
    with pytest.raises(NetworkError, match=r"'a': 3, 'b': 2"):
        compare({"a": network(), "b": other}, data())
    with pytest.raises(NetworkError, match=r"one or more"):
        compare({}, data())


def test_weights_are_measured() -> None:
    net = network()
    found = weights(net, "1")
    weight = net.module[1].weight.detach()
    assert torch.equal(found.low, weight.amin(1))
    assert torch.equal(found.high, weight.amax(1))
    assert torch.allclose(found.norm, weight.square().sum(1).sqrt())
    assert "1: weights of 4 units from" in found.summary
    assert json.loads(json.dumps(found.to_json()))["low"] == found.low.tolist()
    with pytest.raises(NetworkError, match=r"layer '2' has no weights; .*1"):
        weights(net, "2")
