"""Units given other values in many variants at once, against one hook and one pass a variant."""

import pytest
import torch
from torch import Tensor

from laws import unchanged
from phosphene.errors import UnknownLayerError
from phosphene.network import Intervention, Network
from phosphene.network.layouts import along_units
from phosphene.objectives import unit_maps
from tiny import network, pictures


def one_by_one(net: Network, layer: str, values: Tensor, shown: Tensor, mask: Tensor) -> Tensor:
    """The logits with the units of one mask replaced, by a hook of the test's own."""
    found = net.layer(layer)

    def edit(module: object, args: object, output: Tensor) -> Tensor:
        changed = found.site.read(output, (shown.shape[2], shown.shape[3])).clone()
        unit_maps(changed)[:, mask] = values[mask][:, None]
        written = found.site.write(output, changed)
        assert isinstance(written, Tensor)
        return written

    hook = net.module.get_submodule(found.site.path).register_forward_hook(edit)
    try:
        return net.record(shown, [net.logits.name])[net.logits.name]
    finally:
        hook.remove()


@pytest.mark.parametrize("name", ["rectified", "residual", "tokens", "dense"])
def test_variants_equal_one_pass_each(name: str) -> None:
    net = network(name)
    shown = pictures(net, 3)
    for layer in net.default_layers:
        if layer.site.call is not None or layer.site.keys:
            continue
        values = torch.linspace(-2, 2, layer.units)
        masks = torch.rand(4, layer.units) > 0.5
        masks[0] = False
        with unchanged(net.module):
            found = Intervention(net, layer.name, values).record(shown, masks, [net.logits.name])
        expected = [one_by_one(net, layer.name, values, shown, mask) for mask in masks]
        assert torch.allclose(found[net.logits.name], torch.cat(expected), atol=1e-5), layer.name


def test_one_value_stands_for_all_units_and_a_layer_holds_what_it_was_given() -> None:
    net = network("rectified")
    masks = torch.tensor([[True, False, False, True, False, False]])
    layers = ["conv2", net.logits.name]
    recording = Intervention(net, "conv2", 0.5).record(pictures(net, 2), masks, layers)
    assert (recording["conv2"][:, [0, 3]] == 0.5).all()
    assert not (recording["conv2"][:, [1, 2]] == 0.5).any()


def test_variants_part_ways_at_the_pictures_where_a_connection_leads_around() -> None:
    net = network("residual")
    late = {layer.name: Intervention(net, layer.name).late() for layer in net.layers.values()}
    names = ["stem", "conv1", "conv2", net.logits.name]
    assert [late[name] for name in names] == [True, False, False, True]


def test_an_unknown_layer_is_told() -> None:
    with pytest.raises(UnknownLayerError, match="no layer 'conv9'"):
        Intervention(network("rectified"), "conv9")


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 3, 4), (2, 7, 5)])
def test_units_stand_on_their_axis(shape: tuple[int, ...]) -> None:
    given = along_units(torch.rand(2, 5), torch.zeros(shape))
    assert (given + torch.zeros(shape)).shape == shape
