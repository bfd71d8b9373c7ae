"""What is in a module's state: all of it counts, nothing of it is changed."""

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm

import tiny
from kinds_network import Extra, Head, Masked, convolution, extra, quantised
from phosphene.attribution import gradient, guided
from phosphene.errors import NetworkError
from phosphene.network import Input, Network, fingerprint, load_weights, state
from phosphene.objectives import Channel

GREY = Input(1, (16, 16))


def spectral() -> nn.Module:
    made = Head(parametrizations.spectral_norm(convolution()), nn.BatchNorm2d(6), nn.ReLU())
    return made.train()


def spectral_of_old() -> nn.Module:
    return Head(spectral_norm(convolution()), nn.ReLU()).train()


def weight_normed() -> nn.Module:
    return Head(parametrizations.weight_norm(convolution()), nn.ReLU()).train()


class Counting(nn.Module):
    """Counts its pictures and keeps a running largest value, in eval mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = convolution()
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self.register_buffer("largest", torch.full((), -torch.inf))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        self.seen += len(x)
        self.largest = torch.maximum(self.largest, x.amax())
        return x.mean((2, 3))


def observed() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = nn.Sequential(torch.ao.quantization.QuantStub(), convolution(), nn.Flatten())
        made.qconfig = torch.ao.quantization.get_default_qat_qconfig("fbgemm")
        prepared: nn.Module = torch.ao.quantization.prepare_qat(made.train())
    prepared(torch.rand(4, *GREY.shape))
    prepared.apply(torch.ao.quantization.disable_observer)
    return prepared.eval()


@pytest.mark.parametrize(
    "make", [spectral, spectral_of_old, weight_normed, Counting, observed, Masked]
)
def test_reading_changes_no_bit(make: Callable[[], nn.Module]) -> None:
    module = tiny.seeded(make)
    before = copy.deepcopy(module.state_dict())
    network = Network(module, GREY)
    known = network.fingerprint
    for name, layer in network.layers.items():
        network.weights(name)
        network.record(tiny.pictures(network), [name])
        if len(layer.shape) == 3:
            gradient(network, tiny.pictures(network), Channel(name, 0))
    network.fields, network.costs  # noqa: B018 - measured
    after = module.state_dict()
    assert after.keys() == before.keys()
    for name, value in before.items():
        assert torch.equal(after[name], value), name
    assert Network(module, GREY).fingerprint == known


def test_quantisers_that_observe_are_refused_and_left_as_they_were() -> None:
    module = tiny.seeded(observed)
    module.apply(torch.ao.quantization.enable_observer)
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(NetworkError, match=r"still observes in eval mode.*disable_observer"):
        Network(module, GREY).layers  # noqa: B018 - the trial
    assert all(torch.equal(module.state_dict()[name], value) for name, value in before.items()
               if isinstance(value, torch.Tensor))  # fmt: skip


@pytest.mark.parametrize("make", [extra, quantised])
def test_a_fingerprint_takes_in_all_of_the_state(make: Callable[[], nn.Module]) -> None:
    module = tiny.seeded(make)
    assert fingerprint(module) == fingerprint(tiny.seeded(make))
    assert fingerprint(module) != fingerprint(tiny.seeded(make, seed=1))


def test_extra_state_counts() -> None:
    class Other(Extra):
        def get_extra_state(self) -> object:
            return {"version": 3, "scale": torch.tensor([0.5])}

    one, other = tiny.seeded(extra), tiny.seeded(extra)
    replaced = Other(6, 3)
    replaced.load_state_dict(one.fc.state_dict())
    other.fc = replaced
    assert fingerprint(one) != fingerprint(other)


PREFIXES: dict[str, Callable[[str], str]] = {
    "compiled": lambda name: f"_orig_mod.{name}",
    "parallel, compiled": lambda name: f"module._orig_mod.{name}",
    "compiled, parallel": lambda name: f"_orig_mod.module.{name}",
    "lightning": lambda name: f"model.{name}",
    "a wrapper of one's own": lambda name: f"student.encoder.{name}",
    "a part was compiled": lambda name: name.replace("body.", "body._orig_mod."),
}


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_prefixes_are_dropped_and_said(prefix: Callable[[str], str], tmp_path) -> None:
    saved, module = (
        tiny.seeded(lambda: Head(convolution())),
        tiny.seeded(lambda: Head(convolution()), 1),
    )
    state = {prefix(name): value for name, value in saved.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "w.pt")
    (said,) = load_weights(module, tmp_path / "w.pt")
    assert fingerprint(module) == fingerprint(saved)
    assert "prefix" in said
    assert "fc.weight" in said or "body.0" in said


def test_averaged_weights_are_taken_and_the_rest_is_said(tmp_path) -> None:
    saved, module = (
        tiny.seeded(lambda: Head(convolution())),
        tiny.seeded(lambda: Head(convolution()), 1),
    )
    averaged = torch.optim.swa_utils.AveragedModel(saved)
    state = averaged.state_dict() | {"loss.weight": torch.ones(3)}
    torch.save({"checkpoint": {"ema": state}, "epoch": 3}, tmp_path / "w.pt")
    said = load_weights(module, tmp_path / "w.pt")
    assert fingerprint(module) == fingerprint(saved)
    assert any("n_averaged" in words and "loss.weight" in words for words in said)


def test_weights_that_fit_are_taken_without_a_word(tmp_path) -> None:
    saved, module = (
        tiny.seeded(lambda: Head(convolution())),
        tiny.seeded(lambda: Head(convolution()), 1),
    )
    torch.save(saved.state_dict(), tmp_path / "w.pt")
    assert load_weights(module, tmp_path / "w.pt") == ()
    assert fingerprint(module) == fingerprint(saved)


class Root(nn.Module):
    """The length of each picture's features: the root has no slope at 0."""

    def __init__(self, rectified: bool) -> None:
        super().__init__()
        self.conv, self.rectified = nn.Conv2d(1, 4, 3, bias=False), rectified

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        x = x.relu() if self.rectified else x
        return x.pow(2).mean((2, 3)).sqrt()


def test_closed_gates_let_nothing_through_that_is_no_number() -> None:
    network = Network(tiny.seeded(lambda: Root(True)), GREY)
    pictures = torch.cat([torch.zeros(1, *GREY.shape), tiny.pictures(network, 1)])
    plain = gradient(network, pictures, Channel("output", 1))
    maps = guided(network, pictures, Channel("output", 1))
    assert plain.isfinite().all()
    assert maps.isfinite().all()
    assert not maps[0].any()
    torch.testing.assert_close(maps[1:], guided(network, pictures[1:], Channel("output", 1)))


def test_a_gradient_that_is_no_number_is_said() -> None:
    network = Network(tiny.seeded(lambda: Root(False)), GREY)
    black, other = torch.zeros(1, *GREY.shape), tiny.pictures(network, 1)
    with pytest.warns(
        UserWarning, match=r"not a number for 1 of 2 pictures \(number 0\).*no slope"
    ):
        maps = gradient(network, torch.cat([black, other]), Channel("output", 1))
    assert maps[0].isnan().any()
    torch.testing.assert_close(maps[1:], gradient(network, other, Channel("output", 1)))


CHANGES: dict[str, Callable[[nn.Module, nn.Module], object]] = {
    "loaded": lambda module, other: module.load_state_dict(other.state_dict()),
    "loaded in its place": lambda module, other: module.load_state_dict(
        other.state_dict(), assign=True
    ),
    "a step of training": lambda module, other: nn.init.normal_(module.fc2.bias),
    "a layer replaced": lambda module, other: setattr(module, "fc2", other.fc2),
    "its data replaced": lambda module, other: setattr(module.fc2.bias, "data", other.fc2.bias),
    "another precision and back": lambda module, other: module.half().float(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_fingerprint_follows_what_the_weights_become(change: str) -> None:
    network, other = tiny.rectified(nn.ReLU()), tiny.rectified(nn.ReLU(), seed=1)
    before = network.fingerprint
    CHANGES[change](network.module, other.module)
    assert network.fingerprint != before
    assert network.fingerprint == Network(network.module, network.input).fingerprint


@pytest.mark.parametrize("make", [extra, quantised])
def test_a_fingerprint_follows_state_that_is_no_parameter(make: Callable[[], nn.Module]) -> None:
    network = Network(tiny.seeded(make), GREY)
    before = network.fingerprint
    network.module.load_state_dict(tiny.seeded(make, seed=1).state_dict())
    assert network.fingerprint != before


def test_weights_that_stay_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny.rectified(nn.ReLU())
    known = network.fingerprint
    monkeypatch.setattr(state, "_bytes", lambda tensor: pytest.fail("the weights were read again"))
    network.probabilities(tiny.pictures(network))
    guided(network, tiny.pictures(network), Channel("conv1", 0))
    assert network.fingerprint == known
