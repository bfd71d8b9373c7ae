"""Units switched off, against networks whose weights are zeroed by hand."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from laws import unchanged
from mnist_cnn import trained
from phosphene.data import ArrayDataset, Batch, batches, mnist
from phosphene.errors import DataError, UnknownLayerError, UnknownUnitError
from phosphene.network import Input, Network, replace
from phosphene.objectives import unit_maps
from phosphene.probes import ablate, census
from phosphene.survey import LayerSurvey, Survey
from tiny import network, pictures

pytestmark = pytest.mark.slow  # together more than a few seconds

CLASSIFIERS = ["rectified", "residual", "functional", "tokens", "dense"]


def data(net: Network, count: int = 24) -> ArrayDataset:
    """Random pictures, labelled as the network reads them but for every third."""
    shown = (pictures(net, count) * 255).round() / 255
    labels = net.class_scores(shown).argmax(1)
    labels[::3] = (labels[::3] + 1) % len(net.classes)
    labels[1] = -1
    return ArrayDataset((shown * 255).round().byte(), labels, name="random")


def without(units: tuple[int, ...], fill: Tensor) -> Callable[[Tensor], Tensor]:
    def edit(values: Tensor) -> Tensor:
        changed = values.clone()
        maps = unit_maps(changed)  # a view
        for unit in units:
            maps[:, unit] = fill[unit]
        return changed

    return edit


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("rows", [1, 40, 10_000])
def test_every_layer_equals_switching_off_one_group_at_a_time(name: str, rows: int) -> None:
    net = network(name)
    given = data(net)
    shown = torch.stack([given[i].picture for i in range(len(given))])
    known = given.labels >= 0
    for layer in net.layers.values():
        fill = torch.linspace(-2, 2, layer.units)
        groups = [(0,), (layer.units - 1, 0), tuple(range(layer.units)), ()]
        with unchanged(net.module):
            found = ablate(net, layer.name, batches(given, 10), groups, fill=fill, rows=rows)
        expected = []
        for group in groups:
            with replace(net.module, layer.name, without(group, fill)):
                read = net.class_scores(shown).argmax(1)
            expected.append(int((read == given.labels)[known].sum()))
        assert found.right_without.tolist() == expected, layer
        assert found.right == expected[-1] == found.count - 8


def test_a_convolution_without_a_unit_is_one_with_zero_weights() -> None:
    net = network("rectified")
    given = data(net, 60)
    found = ablate(net, "conv2", batches(given))
    assert found.groups == tuple((i,) for i in range(6))
    for unit in range(6):
        module = copy.deepcopy(net.module)
        module.conv2.weight.data[unit] = 0  # type: ignore[operator, union-attr]
        module.conv2.bias.data[unit] = 0  # type: ignore[operator, union-attr]
        crippled = Network(module, net.input)
        right = sum(
            int((crippled.class_scores(b.pictures).argmax(1) == b.labels).sum())
            for b in batches(given)
        )
        assert found.right_without[unit] == right


def test_what_comes_before_the_layer_is_computed_once() -> None:
    net = network("rectified")
    given = data(net, 10)
    seen: list[int] = []
    hook = net.module.conv1.register_forward_hook(  # type: ignore[operator, union-attr]
        lambda module, args, output: seen.append(len(output))
    )
    ablate(net, "conv2", batches(given))
    hook.remove()
    assert [n for n in seen if n >= 9] == [9, 9]  # the nine labelled, unchanged and for six units


def test_ranking_and_json() -> None:
    net = network("rectified")
    found = ablate(net, "conv1", batches(data(net, 60)), [(0,), (1, 2), (0, 1, 2, 3, 4)])
    ranked = found.ranked()
    lost = [value for _, value in ranked]
    assert lost == sorted(lost, reverse=True)
    assert dict(ranked) == dict(zip(found.groups, found.lost.tolist(), strict=True))
    assert torch.allclose(found.accuracy - found.lost, found.accuracy_without)
    assert json.loads(json.dumps(found.to_json()))["groups"] == [[0], [1, 2], [0, 1, 2, 3, 4]]


def test_a_layer_without_duplicates_loses_nothing_without_them() -> None:
    net = network("rectified")
    found = ablate(net, "conv1", batches(data(net)), groups=[])
    assert found.ranked() == []
    assert found.right == found.count - 8


def test_what_cannot_be_switched_off_is_refused() -> None:
    net = network("rectified")
    given = data(net)
    with pytest.raises(UnknownLayerError, match="conv1"):
        ablate(net, "conv9", batches(given))
    with pytest.raises(UnknownUnitError, match=r"units 0 to 4; \[-1, 7\] were"):
        ablate(net, "conv1", batches(given), [(7,), (-1, 2)])
    with pytest.raises(DataError, match="label 4 is beyond the network's 4 classes"):
        ablate(net, "conv1", [Batch(torch.arange(1), pictures(net, 1), torch.tensor([4]), ())])
    with pytest.raises(DataError, match="no labelled picture"):
        ablate(net, "conv1", [])


def surveyed(columns: Tensor) -> LayerSurvey:
    """A survey of a dense layer that gave these values, `b units`."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, columns.shape[1]))
    net = Network(module, Input(1, (2, 2)))
    survey = LayerSurvey(net.layer("1"), 0, k=1)
    shown = torch.zeros(len(columns), 1, 2, 2)
    survey.add(
        columns, Batch(torch.arange(len(columns)), shown, torch.full((len(columns),), -1), ())
    )
    return survey


def test_census_finds_silent_units_and_chains_of_duplicates() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b, c, noise = torch.randn(4, 2000, generator=generator)
    columns = [
        a,  # 0
        b,  # 1
        a + 0.3 * c,  # 2: like 0 (correlation 0.96), like 3 (0.98)
        a + 0.5 * c,  # 3: unlike 0 (0.89), and still of its group
        -b,  # 4: the opposite is no duplicate
        -b.abs() - 1,  # 5: silent
        -b.abs() - 2,  # 6: silent, and the same as 5
        torch.ones(2000),  # 7: constant
        2 * b + 3,  # 8: like 1
        noise,  # 9
    ]
    found = census(surveyed(torch.stack(columns, dim=1)))
    assert found.silent == (5, 6)
    assert found.duplicates == ((0, 2, 3), (1, 8))
    assert (found.units, found.redundant) == (10, 3)
    json.dumps(found.to_json())
    assert census(surveyed(torch.stack(columns, dim=1)), threshold=0.97).duplicates == (
        (1, 8),
        (2, 3),
    )


@pytest.mark.slow
def test_a_trained_network_bears_the_loss_of_one_unit_not_of_all(shared_data: Path) -> None:
    net = trained(shared_data)
    given = mnist(shared_data / "mnist", "test").take(slice(0, 1000))
    survey = Survey(net, ["conv2"])
    for batch in batches(given):
        survey.add(batch)
    found = census(survey.layers["conv2"])
    means = survey.layers["conv2"].moments.mean.float()
    groups = [(i,) for i in range(50)] + list(found.duplicates) + [tuple(range(50))]
    result = ablate(net, "conv2", batches(given), groups, fill=means)
    assert survey.predictions is not None
    assert result.accuracy == survey.predictions.accuracy
    # Measured: no unit is silent or a duplicate, the dearest is worth 0.7 points.
    assert (found.silent, found.duplicates) == ((), ())
    assert 0.002 < result.lost[:50].max() < 0.02
    assert result.accuracy_without[-1] < 0.2
