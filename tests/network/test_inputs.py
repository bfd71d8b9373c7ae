"""Pictures in, numbers of the network out; pictures that do not fit are refused with a remedy."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.attribution import gradient
from phosphene.errors import ChannelError, InputError, SettingError, SizeError
from phosphene.network import Input, Network
from phosphene.objectives import Channel, Logit


def test_normalisation_equals_its_formula() -> None:
    pictures = torch.rand(4, 3, 5, 6)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    seen = Input(3, (5, 6), mean=mean, std=std).normalise(pictures)
    for c in range(3):
        torch.testing.assert_close(seen[:, c], (pictures[:, c] - mean[c]) / std[c])
    bytes_seen = Input(3, (5, 6), mean=(100, 110, 120), value_range=(0, 255)).normalise(pictures)
    torch.testing.assert_close(bytes_seen[:, 1], pictures[:, 1] * 255 - 110)
    signed = Input(3, (5, 6), value_range=(-1, 1)).normalise(pictures)
    torch.testing.assert_close(signed, pictures * 2 - 1)


@pytest.mark.parametrize("name", tiny.NETWORKS)
def test_zero_is_what_the_network_sees_as_zero(name: str) -> None:
    input = tiny.network(name).input
    level = torch.tensor(input.zero).view(1, -1, 1, 1).expand(1, *input.shape)
    assert input.normalise(level).abs().max() < 1e-4


def test_a_record_is_normalised_once() -> None:
    network = tiny.network("residual")
    pictures = tiny.pictures(network)
    expected = network.module.stem[0]((pictures - 0.5) / 0.25)
    torch.testing.assert_close(network.record(pictures, ["stem.0"])["stem.0"], expected)


def test_inputs_survive_json() -> None:
    for name in tiny.NETWORKS:
        input = tiny.network(name).input
        assert Input.from_json(input.to_json()) == input


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"channels": 0, "size": (8, 8)}, "at least 1"),
        ({"channels": 1, "size": (8, 0)}, "at least 1"),
        ({"channels": 3, "size": (8, 8), "mean": (0.1, 0.2)}, "mean has 2 numbers for 3 channels"),
        ({"channels": 1, "size": (8, 8), "std": 0.0}, "has a zero"),
    ],
)
def test_impossible_inputs_are_refused(settings: dict, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        Input(**settings)


@pytest.mark.skipif(
    os.environ.get("PHOSPHENE_CHECK_TYPES", "1") != "0", reason="the check of types comes first"
)
@pytest.mark.parametrize(
    ("size", "says"),
    [
        (32, r"32 is no size; give \(height, width\), such as \(32, 32\)"),
        ((28, 28, 1), r"\(28, 28, 1\) is no size; give \(height, width\)"),
        ("28", r"'28' is no size"),
    ],
)
def test_what_is_no_size_is_refused(size: object, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        Input(channels=1, size=size)


def ways_in(network: Network, pictures: Tensor) -> list:
    return [
        lambda: network.record(pictures, ["fc2"]),
        lambda: network.probabilities(pictures),
        lambda: gradient(network, pictures, Logit(0)),
    ]


@pytest.mark.parametrize(
    ("name", "given", "remedy"),
    [
        ("functional", 3, r"takes 1; turn them grey with pictures.mean\(dim=1, keepdim=True\)"),
        ("rectified", 1, r"takes 2; repeat the channel with pictures.expand\(-1, 2, -1, -1\)"),
        ("rectified", 3, "takes 2; check the order of the axes: b c h w"),
    ],
)
def test_wrong_channels_are_refused_with_the_remedy(name: str, given: int, remedy: str) -> None:
    network = tiny.network(name)
    pictures = torch.rand(2, given, *network.input.size)
    for way in ways_in(network, pictures):
        with pytest.raises(ChannelError, match=rf"with {given} channels .*{remedy}"):
            way()


def test_the_channel_remedies_work() -> None:
    grey, two = tiny.network("functional"), tiny.network("rectified")
    grey.probabilities(torch.rand(2, 3, 16, 16).mean(dim=1, keepdim=True))
    two.probabilities(torch.rand(2, 1, 10, 8).expand(-1, 2, -1, -1))


def test_a_wrong_size_for_a_dense_network_names_both() -> None:
    network = tiny.network("rectified")
    for way in ways_in(network, torch.rand(2, 2, 12, 20)):
        with pytest.raises(
            SizeError,
            match=r"12 x 20 were given .* takes 10 x 8 and cannot run on 12 x 20 .*Resize",
        ) as error:
            way()
        assert error.value.__cause__ is not None
    with pytest.raises(SizeError):  # as transformers do, whose layers check with assert
        tiny.network("tokens").probabilities(torch.rand(1, 3, 20, 20))


class Strict(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2:] == (8, 8), "only 8 x 8"
        return x.mean((2, 3))


def test_a_network_that_asserts_its_size_is_understood() -> None:
    network = Network(Strict(), Input(2, (8, 8)))
    with pytest.raises(SizeError, match=r"9 x 8 .* takes 8 x 8 .*only 8 x 8"):
        network.record(torch.rand(1, 2, 9, 8), ["output"])


def test_another_size_is_fine_up_to_the_dense_layer() -> None:
    network = tiny.network("rectified")
    assert network.record(torch.rand(2, 2, 20, 30), ["conv2"])["conv2"].shape == (2, 6, 8, 13)
    assert gradient(network, torch.rand(2, 2, 9, 11), Channel("conv1", 0)).shape == (2, 2, 9, 11)


@pytest.mark.parametrize("outside", [-0.5, 1.5, float("nan"), float("inf")])
def test_values_outside_the_range_are_refused(outside: float) -> None:
    network = tiny.network("rectified")
    pictures = tiny.pictures(network)
    pictures[1, 0, 2, 3] = outside
    with pytest.raises(InputError, match=r"expected \[0, 1\]\. Pass plain pictures"):
        gradient(network, pictures, Logit(0))


def test_pictures_that_are_no_float_batch_are_refused() -> None:
    input = Input(2, (8, 8))
    with pytest.raises(InputError, match=r"\(2, 8, 8\) .*add the batch axis with \[None\]"):
        input.check_shape(torch.rand(2, 8, 8))
    with pytest.raises(InputError, match=r"uint8 were given; expected floats of shape"):
        input.check_shape(torch.ones(1, 2, 8, 8, dtype=torch.uint8))


@pytest.mark.slow
def test_recording_refuses_what_is_no_float_batch() -> None:
    """In a process of its own, for here the shape check of the tests would come first."""
    code = """
        import torch
        from torch import nn
        from phosphene.errors import InputError
        from phosphene.network import Input, Network

        network = Network(nn.Conv2d(2, 3, 3), Input(2, (8, 8)))
        for pictures in (torch.rand(2, 8, 8), torch.ones(1, 2, 8, 8, dtype=torch.uint8)):
            try:
                network.record(pictures, ["output"])
            except InputError as error:
                print(error)
            else:
                print("accepted")
        """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    flat, byte = ran.stdout.splitlines()
    assert "(2, 8, 8)" in flat
    assert "expected floats of shape (b, 2, h, w) in [0, 1]" in flat
    assert "add the batch axis with [None]" in flat
    assert "torch.uint8" in byte


def test_blue_green_red() -> None:
    mean, std = (103.939, 116.779, 123.68), (1.0, 2.0, 3.0)
    caffe = Input(3, (4, 5), mean, std, (0, 255), "bgr")
    pictures = torch.rand(2, 3, 4, 5)
    for place, channel in enumerate((2, 1, 0)):
        expected = (255 * pictures[:, channel] - mean[place]) / std[place]
        torch.testing.assert_close(caffe.normalise(pictures)[:, place], expected)
    zero = torch.tensor(caffe.zero).view(1, 3, 1, 1).expand(1, 3, 4, 5)
    assert float(caffe.normalise(zero).abs().max()) < 1e-4
    weights = torch.rand(6, 3, 2, 2)
    assert torch.equal(caffe.as_pictures(weights)[:, 0], weights[:, 2])
    assert Input.from_json(json.loads(json.dumps(caffe.to_json()))) == caffe


def test_the_usual_order_leaves_no_trace() -> None:
    plain = Input(3, (4, 5))
    assert plain == Input(3, (4, 5), order="rgb") == Input(3, (4, 5), order=(0, 1, 2))
    assert "order" not in repr(plain)
    assert "order" not in plain.to_json()
    assert Input(4, (4, 5), order=(2, 1, 0, 3)).order == (2, 1, 0, 3)


@pytest.mark.parametrize("order", ["gbr", (0, 0, 1), (0, 1)])
def test_an_order_that_is_none(order: str | tuple[int, ...]) -> None:
    with pytest.raises(SettingError, match="order"):
        Input(3, (4, 5), order=order)
