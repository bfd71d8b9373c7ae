"""Which layers a network has, which of them a study looks at, and where its class scores are."""

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.errors import NetworkError, UnknownLayerError, UnknownUnitError
from phosphene.network import Input, Network
from phosphene.units import LOGITS, Unit

GREY = Input(1, (8, 8))


def default(module: nn.Module, input: Input = GREY) -> list[str]:
    return [layer.name for layer in Network(module.eval(), input).default_layers]


class Norms(nn.Module):
    """conv - BN, conv - relu in place - BN, conv - ReLU - BN, conv twice in one BN."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
        self.conv2, self.bn2 = nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)
        self.conv3, self.bn3 = nn.Conv2d(3, 4, 1), nn.GroupNorm(2, 4)
        self.conv4, self.conv5, self.bn4 = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.fc, self.ln = nn.Linear(144, 6), nn.LayerNorm(6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu_()
        x = self.bn2(self.conv2(x).relu_())
        x = self.bn3(self.conv3(x).relu())
        x = self.bn4(self.conv4(x) + self.conv5(x))
        return self.head(self.ln(self.fc(x.flatten(1))).relu_())


def test_a_norm_stands_for_the_layer_it_directly_follows() -> None:
    module = tiny.seeded(Norms)
    assert default(module) == ["bn1", "conv2", "conv3", "conv4", "conv5", "ln", "head"]
    network = Network(module, GREY)
    weights = {name: layer.weights for name, layer in network.layers.items() if name != "output"}
    assert weights == {
        "conv1": "conv1", "bn1": "conv1", "conv2": "conv2", "bn2": None, "conv3": "conv3",
        "bn3": None, "conv4": "conv4", "conv5": "conv5", "bn4": None, "fc": "fc", "ln": "fc",
        "head": "head",
    }  # fmt: skip
    assert torch.equal(network.weights("bn1"), module.conv1.weight)
    assert network.weights("bn2") is None


def test_a_norm_finds_its_layer_across_containers() -> None:
    module = nn.Sequential(nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3))), nn.BatchNorm2d(2))
    assert default(module) == ["1"]


def test_units_of_transposed_convolutions_come_first() -> None:
    network = tiny.network("maps")
    weights = network.weights("4")
    assert weights.shape == (3, 4, 2, 2)
    assert torch.equal(weights[2, 1], network.module[4].weight[1, 2])


def test_shapes_and_unit_counts() -> None:
    layers = tiny.network("tokens").layers
    assert layers["patches"].shape == (8, 4, 3)
    assert layers["patches"].units == 8
    assert layers["patches"].spatial
    assert layers["block"].shape == (8, 4, 3)
    assert layers["block"].units == 8
    assert layers["block"].spatial
    assert layers["block"].layout == "tokens"
    assert layers["block.linear1"].units == 16
    assert layers["output"].shape == (5,)


class Head(nn.Module):
    """conv, dense, and an end of the caller's choice."""

    def __init__(self, end: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 5, 3)
        self.hidden = nn.Linear(180, 4)
        self.fc = nn.Linear(4, 4)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.fc(self.hidden(self.conv(x).flatten(1))))


class Scaled(nn.Module):
    """A temperature, before the softmax."""

    def forward(self, x: Tensor) -> Tensor:
        return 3 * x + 1


@pytest.mark.parametrize(
    ("end", "logits"),
    [
        (nn.Identity(), "fc"),
        (nn.Softmax(1), "fc"),
        (nn.LogSoftmax(1), "fc"),
        (nn.Sequential(nn.Dropout(), nn.LogSoftmax(1)), "fc"),
        (nn.BatchNorm1d(4), "end"),
        (Scaled(), "end"),
        (nn.Sequential(Scaled(), nn.Softmax(1)), "end.0"),
    ],
)
def test_logits_are_what_the_softmax_takes(end: nn.Module, logits: str) -> None:
    module = tiny.seeded(lambda: Head(end)).eval()
    network = Network(module, GREY)
    pictures = tiny.pictures(network)
    assert network.logits.name == logits
    assert network.classifies
    with torch.no_grad():
        output = module(pictures)
    if (output >= 0).all() and torch.allclose(output.sum(1), torch.ones(3)):
        expected = output
    else:
        expected = output.softmax(1)  # also right for log-probabilities
    torch.testing.assert_close(network.probabilities(pictures), expected)
    assert torch.equal(network.class_scores(pictures), network.record(pictures, [logits])[logits])


@pytest.mark.parametrize("name", ["functional", "tokens", "residual", "rectified"])
def test_logits_where_the_softmax_is_functional(name: str) -> None:
    network = tiny.network(name)
    last = {"functional": "fc2", "tokens": "output", "residual": "fc", "rectified": "fc2"}[name]
    if name == "tokens":  # a module is called output, so the softmax after it is out of sight
        assert network.layer(LOGITS).name == "output"
    assert network.logits.name == last
    module = network.module.eval()
    pictures = tiny.pictures(network)
    output = module(network.input.normalise(pictures)).detach()
    expected = {"functional": output.exp(), "tokens": output}.get(name, output.softmax(1))
    torch.testing.assert_close(network.probabilities(pictures), expected)


def test_networks_without_class_scores_say_so() -> None:
    network = tiny.network("maps")
    assert not network.classifies
    for ask in (
        lambda: network.logits,
        lambda: network.classes,
        lambda: network.probabilities(tiny.pictures(network)),
        lambda: network.record(tiny.pictures(network), [LOGITS]),
    ):
        with pytest.raises(NetworkError, match="no logits; name a layer and a unit"):
            ask()


def test_labels_are_counted() -> None:
    assert tiny.network("dense").classes == ("0", "1", "2")
    assert tiny.network("dense", labels=["a", "b", "c"]).classes == ("a", "b", "c")
    with pytest.raises(NetworkError, match="2 labels were given for 3 classes"):
        tiny.network("dense", labels=["a", "b"]).classes  # noqa: B018


def test_unknown_layers_are_answered_with_the_nearest() -> None:
    network = tiny.network("rectified")
    with pytest.raises(UnknownLayerError, match=r"no layer 'conv3'; nearest: conv\d, conv\d"):
        network.record(tiny.pictures(network), ["conv1", "conv3"])
    with pytest.raises(UnknownLayerError, match=r"there are: .*fc2"):
        network.layer("zebra")
    with pytest.raises(UnknownLayerError, match="called 3 times, choose one of rectify@0, rect"):
        network.layer("rectify")


@pytest.mark.parametrize(
    ("unit", "says"),
    [
        (Unit("conv1", 5), "units 0 to 4; 5 was asked for"),
        (Unit("conv1", -1), "units 0 to 4; -1 was asked for"),
        (Unit("conv1", 0, 10, 0), r"outside layer 'conv1' of shape \(5, 10, 8\)"),
        (Unit("conv1", 0, 0, 8), "outside layer 'conv1'"),
        (Unit("fc1", 0, 0, 0), r"outside layer 'fc1' of shape \(9,\)"),
    ],
)
def test_unknown_units_are_answered_with_the_range(unit: Unit, says: str) -> None:
    network = tiny.network("rectified")
    with pytest.raises(UnknownUnitError, match=says):
        network.unit(unit)


def test_known_units_are_given_back() -> None:
    network = tiny.network("rectified")
    for unit in (Unit("conv1", 4), Unit("conv1", 0, 9, 7), Unit("fc2", 3)):
        assert network.unit(unit) == unit


def test_the_fingerprint_follows_weights_and_input() -> None:
    one, same = tiny.network("rectified"), tiny.network("rectified")
    assert one.fingerprint == same.fingerprint
    with torch.no_grad():
        same.module.fc2.bias[0] += 1e-6
    assert one.fingerprint != Network(same.module, same.input).fingerprint
    assert one.fingerprint != Network(one.module, Input(2, (10, 8))).fingerprint


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise KeyError("bias")


def test_a_network_that_fails_on_its_own_size_is_reported() -> None:
    conv = Network(nn.Conv2d(3, 4, 3), GREY)
    with pytest.raises(NetworkError, match=r"own input size 1 x 8 x 8, .*Check the number of chan"):
        conv.layers  # noqa: B018
    with pytest.raises(NetworkError, match=r"Broken failed on one picture .*, or on two: 'bias'"):
        Network(Broken(), GREY).layers  # noqa: B018


def test_naming_a_network_does_not_run_it() -> None:
    class Exploding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("it was run")

    named = repr(Network(Exploding(), Input(1, (2, 2)), name="loud"))
    assert named == "Network(loud, input 1 x 2 x 2, 15 parameters)"
