"""Tuples, dictionaries, tokens and channels last: their layers, and what is recorded of them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import modern
import tiny
from phosphene.errors import UnknownLayerError
from phosphene.network import Input, Network, replace
from phosphene.objectives import Channel, Neuron
from phosphene.survey import crop, seen_from

RGB = Input(3, (16, 16))

MODERN: dict[str, Callable[[], nn.Module]] = {
    "vit": modern.ViT,
    "registers": lambda: modern.ViT(leading=2),
    "swin": modern.Swin,
    "inception": modern.Inception,
    "detector": modern.Detector,
    "mobile": modern.Mobile,
}


def made(name: str) -> Network:
    return Network(tiny.seeded(MODERN[name]).eval(), RGB)


def test_patches_are_maps_and_the_class_token_a_layer() -> None:
    network = made("vit")
    layers = network.layers
    assert layers["patches"].layout == "maps"
    assert (layers["blocks.0"].shape, layers["blocks.0"].layout) == ((8, 4, 4), "tokens")
    assert (layers["blocks.0[class]"].shape, layers["blocks.0[class]"].layout) == ((8,), "token")
    assert layers["blocks.1.mlp.0"].shape == (12, 4, 4)
    pictures = tiny.pictures(network)
    recording = network.record(pictures, ["places", "places[class]", "blocks.0"])
    patches = network.module.patches(pictures)
    assert torch.equal(recording["places"], patches)
    assert torch.equal(recording["places[class]"], network.module.tokens[:, 0].expand(3, -1))
    row = network.module.blocks[0](network.module.places(
        torch.cat([network.module.tokens.expand(3, -1, -1), patches.flatten(2).mT], 1)
    ))  # fmt: skip
    torch.testing.assert_close(recording["blocks.0"][:, :, 2, 3], row[:, 1 + 2 * 4 + 3])


def test_several_leading_tokens_are_numbered() -> None:
    layers = made("registers").layers
    assert {"blocks.0[token0]", "blocks.0[token1]", "blocks.0"} <= layers.keys()
    assert "blocks.0[class]" not in layers
    assert layers["blocks.0"].shape == (8, 4, 4)


def test_attention_gives_back_a_tuple() -> None:
    network = made("vit")
    attention = network.layers["blocks.0.attention[0]"]
    assert attention.shape == (8, 4, 4)
    assert attention.weights == "blocks.0.attention.out_proj"
    assert attention.default
    assert network.weights("blocks.0.attention[0]").shape == (8, 8)


@pytest.mark.later
def test_channels_last_are_recorded_first() -> None:
    network = made("swin")
    layouts = {name: (la.layout, la.shape) for name, la in network.layers.items()}
    assert layouts["features.0.0"] == ("maps", (6, 8, 8))
    for name in ("features.0.1", "features.0", "features.1.0", "features.1.1.norm", "features.1"):
        assert layouts[name] == ("channels_last", (6, 8, 8)), name
    assert layouts["features.1.0.act"] == ("channels_last", (10, 8, 8))
    assert layouts["features.2.norm"] == ("channels_last", (24, 4, 4))
    assert layouts["features"] == layouts["norm"] == ("channels_last", (12, 4, 4))
    pictures = tiny.pictures(network)
    value = network.record(pictures, ["features.1"])["features.1"]
    raw = network.module.features[1](network.module.features[0](pictures))
    assert torch.equal(value, raw.permute(0, 3, 1, 2))
    assert network.fields["features.1"].size == (2, 2)
    assert network.fields["features"].box(1, 2) == (4, 8, 8, 12)


def test_parts_of_tuples_and_dictionaries_are_layers() -> None:
    network = made("detector")
    names = ["backbone.conv1", "backbone.conv2", "backbone[low]", "backbone[high][0]",
             "join", "output[scores]"]  # fmt: skip
    assert list(network.layers) == names
    assert network.logits.name == "join"
    pictures = tiny.pictures(network)
    recording = network.record(pictures, names)
    assert torch.equal(recording["backbone[high][0]"], recording["backbone.conv2"])
    assert torch.equal(recording["output[scores]"], recording["join"])


def test_the_first_scores_of_a_named_tuple_are_the_logits() -> None:
    network = made("inception")
    assert list(network.layers)[-2:] == ["output[logits]", "output[aux]"]
    assert network.logits.name == "head"
    pictures = tiny.pictures(network)
    expected = network.module(pictures).logits
    assert torch.equal(network.class_scores(pictures), expected)


@pytest.mark.parametrize("name", MODERN)
@pytest.mark.slow
def test_recording_and_replacing_agree(name: str) -> None:
    network = made(name)
    pictures = tiny.pictures(network)
    last = network.logits.name
    expected = network.class_scores(pictures)
    recorded = network.record(pictures, list(network.layers))
    for layer in network.layers.values():
        assert recorded[layer.name].shape[1:] == layer.shape

        def look(value: Tensor, layer: str = layer.name) -> Tensor:
            torch.testing.assert_close(value, recorded[layer])
            return value.clone()

        with replace(network.module, layer, look):
            again = network.record(pictures, [last])[last]
        torch.testing.assert_close(again, expected)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("vit", "blocks.0"), ("vit", "blocks.1[class]"), ("vit", "blocks.0.attention[0]"),
     ("swin", "features.1"), ("detector", "backbone[high][0]"), ("mobile", "features.4")],
)  # fmt: skip
def test_what_follows_sees_the_replaced_values(name: str, layer: str) -> None:
    network = made(name)
    pictures = tiny.pictures(network)
    before = network.class_scores(pictures)
    with replace(network.module, network.layer(layer), torch.zeros_like):
        seen = network.record(pictures, [layer, network.logits.name])
    assert not seen[layer].any()
    assert not torch.allclose(seen[network.logits.name], before, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("vit", "blocks.0"), ("vit", "blocks.0[class]"), ("swin", "features.1"),
     ("detector", "backbone[low]")],
)  # fmt: skip
def test_gradients_flow_through_what_is_recorded(name: str, layer: str) -> None:
    network = made(name)
    leaf = tiny.pictures(network).requires_grad_()
    recording = network.record(leaf, [layer, network.logits.name])
    score = recording[network.logits.name][:, 1].sum()
    slopes = torch.autograd.grad(score, [recording[layer], leaf])
    assert slopes[0].shape == recording[layer].shape
    assert all(slope.abs().max() > 0 for slope in slopes)
    direct = leaf.detach().requires_grad_()
    output = network.module(direct)
    scores = output["scores"] if isinstance(output, dict) else output
    (expected,) = torch.autograd.grad(scores[:, 1].sum(), direct)
    torch.testing.assert_close(slopes[1], expected)


@pytest.mark.later
def test_positions_of_tokens_are_places_in_the_picture() -> None:
    network = made("vit")
    layer, field = network.layer("places"), network.fields["places"]
    assert field.size == (4, 4)
    box = seen_from(layer, field, 2 * 4 + 3)
    assert box == (8, 12, 12, 16)
    pictures = tiny.pictures(network, 1)
    moved = pictures.clone()
    moved[:, :, 8:12, 12:16] = 0
    change = (network.record(moved, ["places"])["places"]
              - network.record(pictures, ["places"])["places"]).abs().sum(1)[0]  # fmt: skip
    assert change.nonzero().tolist() == [[2, 3]]
    assert torch.equal(crop(pictures, [box])[0], pictures[0, :, 8:12, 12:16])
    recording = network.record(pictures, ["places"])
    assert torch.equal(Neuron("places", 3, y=2, x=3)(recording), recording["places"][:, 3, 2, 3])
    torch.testing.assert_close(
        Channel("places", 3)(recording), recording["places"][:, 3].mean((1, 2))
    )


@pytest.mark.later
def test_squeeze_and_excitation_sees_the_whole_picture() -> None:
    network = made("mobile")
    fields = network.fields
    assert fields["features.2"].size == (7, 7)
    assert not fields["features.5"].whole
    assert fields["features.6"].whole
    assert fields["features.6.pool"].whole


def test_weights_of_depthwise_and_grouped_convolutions() -> None:
    network = made("mobile")
    assert network.weights("features.2").shape == (4, 1, 3, 3)
    assert network.weights("features.5").shape == (8, 4, 3, 3)


def test_a_name_that_leads_nowhere_says_what_there_is() -> None:
    network = made("detector")
    assert network.classifies
    with (
        pytest.raises(UnknownLayerError, match=r"no \[hi\] in the dict .*nearest: high"),
        replace(network.module, "backbone[hi]", torch.clone),
    ):
        network.class_scores(tiny.pictures(network))
