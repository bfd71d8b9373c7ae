"""Replaced values go on into the network, one by one or in variants; nothing stays behind."""

import pytest
import torch
from torch import Tensor, nn

from cells import some
from laws import unchanged
from modern import Swin, ViT
from phosphene.errors import InputError, UnknownLayerError, UnknownUnitError
from phosphene.network import Input, Intervention, Network, masks_of, replace
from phosphene.network.layouts import along_units
from phosphene.objectives import unit_maps
from phosphene.units import LOGITS
from tiny import NETWORKS, network, pictures, seeded


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_can_be_replaced_by_itself_without_a_change(name: str) -> None:
    net = network(name)
    shown = pictures(net)
    last = next(reversed(net.layers))
    expected = net.record(shown, [last])[last]
    for layer in (*net.layers, *net.layers.values()):
        with replace(net.module, layer, torch.clone):
            assert torch.equal(net.record(shown, [last])[last], expected), layer


@pytest.mark.parametrize("name", NETWORKS)
def test_what_follows_sees_the_replaced_values(name: str) -> None:
    net = network(name)
    shown = pictures(net)
    first, *_, last = net.layers
    with replace(net.module, first, torch.zeros_like):
        seen = net.record(shown, [first, last])
    assert not seen[first].any()
    assert torch.allclose(seen[last], seen[last][:1].expand_as(seen[last]), atol=1e-6)


class Reused(nn.Module):
    """x -> relu(relu(x) - 1), by one ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.relu(x) - 1).flatten(1)


@pytest.mark.parametrize(
    ("layer", "expected"),
    # 5 -> 5 -> 4 -> 4 untouched
    [("relu@0", 9.0), ("relu@1", 8.0), ("relu", 18.0), ("output", 8.0)],
)
def test_one_call_of_a_reused_module(layer: str, expected: float) -> None:
    module, five = Reused(), torch.full((1, 1, 1, 1), 5.0)
    with replace(module, layer, lambda value: 2 * value):
        for _ in range(2):  # calls are counted anew in each pass
            assert module(five).item() == expected
    assert module(five).item() == 4


def test_in_place_operations_after_the_layer_act_on_the_replaced_values() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True), nn.Flatten())
    net = Network(module, Input(1, (2, 2)))
    with replace(module, "0", lambda value: torch.full_like(value, -1.0)):
        seen = net.record(torch.rand(2, 1, 2, 2), ["0", "2"])
    assert (seen["0"] == -1).all()
    assert (seen["2"] == 0).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_module_is_given_back_as_it_was(name: str) -> None:
    net = network(name)
    layer = next(iter(net.layers))
    with unchanged(net.module), replace(net.module, layer, torch.zeros_like):
        net.record(pictures(net), [layer])

    def fail(value: Tensor) -> Tensor:
        raise ArithmeticError("inside")

    with unchanged(net.module), pytest.raises(ArithmeticError), replace(net.module, layer, fail):
        net.module(net.input.normalise(pictures(net)))


def test_an_unknown_layer_is_named_with_the_nearest() -> None:
    net = network("rectified")
    with (
        pytest.raises(UnknownLayerError, match="nearest: conv2, conv1"),
        replace(net.module, "conv3", torch.clone),
    ):
        pass


MODERN = {"vit": ViT, "swin": Swin}


def any_network(name: str) -> Network:
    if name not in MODERN:
        return network(name)
    return Network(seeded(MODERN[name]).eval(), Input(3, (16, 16)))


def one_at_a_time(net: Network, layer: str, shown: Tensor, mask: Tensor, fill: Tensor) -> Tensor:
    """What the last layer answers with the units of one mask filled, by hand."""

    def edit(values: Tensor) -> Tensor:
        changed = values.clone()
        unit_maps(changed)[:, mask] = fill[mask][:, None]  # a view
        return changed

    last = next(reversed(net.layers))
    with replace(net.module, net.layers[layer], edit):
        return net.record(shown, [last])[last]


@pytest.mark.later
@pytest.mark.parametrize("name", some([*NETWORKS, *MODERN], quick={*NETWORKS, *MODERN} - {"vit"}))
def test_variants_of_every_layer_equal_filling_its_units_one_group_at_a_time(name: str) -> None:
    net = any_network(name)
    shown = pictures(net)
    last = next(reversed(net.layers))
    for layer in net.layers.values():
        fill = torch.linspace(-2, 2, layer.units)
        masks = masks_of(layer, [(0,), (layer.units - 1, 0), ()])
        masks = torch.cat([masks, ~masks])  # removed, and kept alone
        with unchanged(net.module):
            found = Intervention(net, layer.name, fill).record(shown, masks, [last])[last]
        expected = [one_at_a_time(net, layer.name, shown, mask, fill) for mask in masks]
        assert torch.allclose(found, torch.cat(expected), atol=1e-5), layer


@pytest.mark.parametrize(("name", "layer"), [("rectified", "conv2"), ("vit", "blocks.0")])
def test_what_comes_before_is_computed_once_also_before_tokens_and_lenses(
    name: str, layer: str
) -> None:
    bare = any_network(name)
    units = bare.layers[layer].units
    net = bare.with_lens("some", layer, torch.eye(units)[:2] * 3)
    rows: list[int] = []
    for looked_at in (layer, f"{layer}[some]"):
        seen = Intervention(net, looked_at)
        assert seen.late(["output"])
        first = net.module.get_submodule(next(iter(net.layers)).partition("@")[0])
        rows.clear()
        hook = first.register_forward_hook(lambda module, args, out: rows.append(len(out)))
        shown = pictures(net)
        given = seen.record(shown, torch.eye(seen.layer.units, dtype=torch.bool), ["output"])
        hook.remove()
        assert rows == [len(shown)]
        assert len(given["output"]) == seen.layer.units * len(shown)


class Written(nn.Module):
    """Takes four pictures at once and no others."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 3, 3), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).view(4, 12))


def test_a_number_of_pictures_written_into_the_code_is_kept_to() -> None:
    torch.manual_seed(0)
    net = Network(Written(), Input(1, (4, 4)))
    shown = torch.rand(5, 1, 4, 4)
    variants = Intervention(net, "conv", 0.5)
    found = variants.record(shown, torch.eye(3, dtype=torch.bool))[LOGITS]
    expected = [
        one_at_a_time(net, "conv", shown, mask, torch.full((3,), 0.5))
        for mask in torch.eye(3, dtype=torch.bool)
    ]
    assert not variants.late()
    assert torch.allclose(found, torch.cat(expected), atol=1e-6)


def test_groups_and_fills_that_do_not_fit_are_refused() -> None:
    net = network("rectified")
    with pytest.raises(UnknownUnitError, match=r"units 0 to 4; \[-1, 7\] were asked for"):
        masks_of(net.layers["conv1"], [(7,), (-1, 2)])
    with pytest.raises(InputError, match=r"values of shape \(4,\) .* each of its 5 units"):
        Intervention(net, "conv1", torch.zeros(4))
    with pytest.raises(UnknownLayerError, match="no layer 'conv9'"):
        Intervention(net, "conv9")


def test_a_layer_holds_what_it_was_given_also_one_value_for_all_units() -> None:
    net = network("rectified")
    masks = masks_of(net.layers["conv2"], [(0, 3)])
    seen = Intervention(net, "conv2", 0.5).record(pictures(net, 2), masks, ["conv2", LOGITS])
    assert (seen["conv2"][:, [0, 3]] == 0.5).all()
    assert not (seen["conv2"][:, [1, 2]] == 0.5).any()


def test_variants_part_ways_at_the_pictures_where_a_connection_leads_around() -> None:
    net = network("residual")
    inside, around = Intervention(net, "conv1"), Intervention(net, "stem")
    assert not inside.late()
    assert inside.late(["conv2"])  # which sees nothing of what leads around
    assert around.late()
    assert Intervention(net, net.logits.name).late()


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 3, 4), (2, 7, 5)])
def test_units_stand_on_their_axis(shape: tuple[int, ...]) -> None:
    given = along_units(torch.rand(2, 5), torch.zeros(shape))
    assert (given + torch.zeros(shape)).shape == shape
