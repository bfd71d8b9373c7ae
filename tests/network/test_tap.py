"""Recording: what a layer gave back, when it gave it back, and not a module more than needed."""

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tiny
from phosphene.network import Input, Network
from phosphene.network.sites import Site
from phosphene.network.tapping import tap

GREY = Input(1, (8, 8))


class Exploding(nn.Module):
    """Must never run."""

    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("ran past the deepest layer asked for")


class InPlace(nn.Module):
    """Changes in place what its modules gave back; `functional` is the same without doing so."""

    def __init__(self, functional: bool) -> None:
        super().__init__()
        self.functional = functional
        self.conv = nn.Conv2d(1, 3, 3)
        self.relu = nn.ReLU(inplace=not functional)
        self.same = nn.Identity()
        self.flat = nn.Flatten()
        self.fc = nn.Linear(108, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.functional:
            x = self.relu(x)
            self.same(x)
            self.flat(x)
            return self.fc((x - 0.5).flatten(1))
        self.relu(x)  # the result is not looked at: x itself has changed
        self.same(x)
        self.flat(x)  # a view
        x -= 0.5
        return self.fc(x.flatten(1))


NAMES = ["conv", "relu", "same", "flat", "fc"]


@pytest.mark.parametrize("chosen", [[name] for name in NAMES] + [NAMES], ids="+".join)
def test_values_are_those_before_anything_changed_them(chosen: list[str]) -> None:
    inplace, twin = (
        Network(tiny.seeded(lambda functional=f: InPlace(functional)), GREY) for f in (False, True)
    )
    pictures = tiny.pictures(inplace)
    module = twin.module
    conv = module.conv(pictures)
    expected = dict(
        zip(NAMES, [conv, conv.relu(), conv.relu(), conv.relu().flatten(1)], strict=False)
    )
    expected["fc"] = module.fc(conv.relu().flatten(1) - 0.5)
    for network in (inplace, twin):
        for stop in (True, False):
            recording = network.record(pictures, chosen, stop=stop)
            for name in chosen:
                assert torch.equal(recording[name], expected[name]), (name, stop)


def test_recording_does_not_change_what_the_network_computes() -> None:
    network = Network(tiny.seeded(lambda: InPlace(False)), GREY)
    pictures = tiny.pictures(network)
    alone = network.record(pictures, ["fc"])["fc"]
    for name in NAMES:
        assert torch.equal(network.record(pictures, [name, "fc"])["fc"], alone)
    assert torch.equal(network.module(pictures), alone)


def test_gradients_flow_into_and_out_of_a_record() -> None:
    network = tiny.network("residual")
    leaf = tiny.pictures(network).requires_grad_()
    recording = network.record(leaf, ["stem.0", "bn1", "relu@1", "fc"])
    score = recording["fc"][:, 1].sum()
    slopes = torch.autograd.grad(
        score, [recording[name] for name in ("stem.0", "bn1", "relu@1")] + [leaf], retain_graph=True
    )
    assert all(slope.abs().max() > 0 for slope in slopes)
    (shallow,) = torch.autograd.grad(recording["bn1"].sum(), leaf)
    assert shallow.abs().max() > 0

    module = network.module.eval()
    direct = leaf.detach().clone().requires_grad_()
    module(network.input.normalise(direct))[:, 1].sum().backward()
    assert torch.equal(slopes[-1], direct.grad)


def test_records_put_aside_are_the_same_values_and_touch_nothing() -> None:
    """The network goes on with its own values: no record lies on the way to a later one."""
    network = tiny.network("residual")
    leaf = tiny.pictures(network).requires_grad_()
    names = list(network.layers)
    aside, plain = network.record(leaf, names, aside=True), network.record(leaf, names)
    assert all(torch.equal(aside[name], plain[name]) for name in names)
    score = aside["fc"][:, 1].sum()
    (slope,) = torch.autograd.grad(score, aside["bn1"], retain_graph=True, allow_unused=True)
    assert slope is None
    both = [torch.autograd.grad(found["fc"][:, 1].sum(), leaf)[0] for found in (aside, plain)]
    assert torch.equal(*both)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_pass_stops_after_the_deepest_layer(wrapped: bool) -> None:
    inner = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    module = nn.Sequential(nn.Sequential(inner) if wrapped else inner, Exploding())
    path = "0.0" if wrapped else "0"
    picture = torch.rand(1, 1, 8, 8)
    for names in ([f"{path}.0"], [f"{path}.1", f"{path}.0"], [path], ["0"]):
        with tap(module, [Site.parse(name, module) for name in names]) as values:
            module(picture)
        assert set(values) == set(names)
    first = Site.parse(f"{path}.0", module)
    with tap(module, [first], stop=False) as values, pytest.raises(AssertionError):
        module(picture)
    assert not any(m._forward_hooks for m in module.modules())


class Swallowing(nn.Module):
    """Catches every Exception of its parts, and carries on."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.late = nn.Conv2d(3, 2, 3)
        self.reached = 0

    def forward(self, x: Tensor) -> Tensor:
        try:
            x = self.conv(x)
        except Exception:
            x = x.expand(-1, 3, -1, -1) * torch.nan
        self.reached += 1
        return self.late(x).mean((2, 3))


def test_a_model_that_swallows_exceptions_does_not_swallow_the_stop() -> None:
    network = Network(tiny.seeded(Swallowing), GREY)
    pictures = tiny.pictures(network)
    expected = network.module.conv(pictures)
    network.layers  # noqa: B018 - runs the network
    reached = network.module.reached
    assert torch.equal(network.record(pictures, ["conv"])["conv"], expected)
    assert network.module.reached == reached
    assert network.record(pictures, ["conv", "late"])["late"].isfinite().all()


class SwallowingAll(Swallowing):
    """Catches even what is no Exception."""

    def forward(self, x: Tensor) -> Tensor:
        try:
            x = self.conv(x)
        except BaseException:
            x = x.expand(-1, 3, -1, -1)[:, :, 1:-1, 1:-1]
        return self.late(x).mean((2, 3))


def test_a_pass_that_is_left_holds_nothing_that_waits_for_a_collection() -> None:
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Conv2d(3, 3, 3), nn.ReLU(), Exploding())
    passing: list[weakref.ref[Tensor]] = []
    module[1].register_forward_hook(lambda *given: passing.append(weakref.ref(given[2])))
    gc.disable()
    try:
        with torch.no_grad(), tap(module, [Site.parse("2", module)]) as values:
            module(torch.rand(2, 1, 8, 8))
        assert values["2"].shape == (2, 3, 4, 4)
        assert [passed() for passed in passing] == [None]
    finally:
        gc.enable()


def test_even_a_swallowed_stop_leaves_the_right_values() -> None:
    network = Network(tiny.seeded(SwallowingAll), GREY)
    pictures = tiny.pictures(network)
    assert torch.equal(network.record(pictures, ["conv"])["conv"], network.module.conv(pictures))


class Reused(nn.Module):
    """One ReLU, one dense layer, each called three times, of which one gives back a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv(x)).mean((2, 3))
        return self.fc(self.relu(self.fc(self.relu(self.fc(x)) - 0.1)))


def test_calls_of_a_reused_module_are_numbered() -> None:
    network = Network(tiny.seeded(Reused), GREY)
    assert list(network.layers) == [
        "conv", "relu@0", "fc@0", "relu@1", "fc@1", "relu@2", "fc@2", "output",
    ]  # fmt: skip
    pictures = tiny.pictures(network)
    m = network.module
    expected = {"relu@0": F.relu(m.conv(pictures))}
    expected["fc@0"] = m.fc(expected["relu@0"].mean((2, 3)))
    expected["relu@1"] = F.relu(expected["fc@0"])
    expected["fc@1"] = m.fc(expected["relu@1"] - 0.1)
    expected["relu@2"] = F.relu(expected["fc@1"])
    expected["fc@2"] = m.fc(expected["relu@2"])
    for names in ([name] for name in expected):
        assert torch.equal(network.record(pictures, names)[names[0]], expected[names[0]])
    recording = network.record(pictures, list(expected))
    assert all(torch.equal(recording[name], value) for name, value in expected.items())
    assert network.logits.name == "fc@2"
    assert network.layers["fc@1"].weights == "fc"


class Cut(nn.Module):
    """Gives back windows of its pictures first, then a layer of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(8, 8)
        self.code = nn.Identity()
        self.fc = nn.Linear(64, 3)
        self.codes = nn.Parameter(torch.randn(1, 8, 8))

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, 1, 8)
        windows = self.mix(rows)  # eight rows for each picture
        whole = self.mix(windows.reshape(-1, 8, 8))
        return self.fc((whole + self.code(self.codes)).flatten(1))


def test_what_has_no_row_for_each_picture_is_no_layer() -> None:
    network = Network(tiny.seeded(Cut), GREY)
    assert list(network.layers) == ["mix@1", "fc", "output"]
    pictures = tiny.pictures(network)
    m = network.module
    expected = m.mix(m.mix(pictures.reshape(-1, 1, 8)).reshape(-1, 8, 8))
    assert torch.equal(network.record(pictures, ["mix@1"])["mix@1"], expected)


def nested_output() -> nn.Module:
    return nn.ModuleDict({"output": nn.Conv2d(1, 2, 3)})["output"]


class NamedOutput(nn.Module):
    """Its second module of three is called `output`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.output = nn.Conv2d(2, 3, 3)
        self.fc = nn.Linear(48, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.output(self.conv(x)).flatten(1))


def test_output_is_the_networks_own_unless_a_module_has_that_name() -> None:
    network = Network(tiny.seeded(NamedOutput), GREY)
    pictures = tiny.pictures(network)
    m = network.module
    assert list(network.layers) == ["conv", "output", "fc"]
    assert network.layers["output"].shape == (3, 4, 4)
    assert torch.equal(network.record(pictures, ["output"])["output"], m.output(m.conv(pictures)))

    residual = tiny.network("residual")
    pictures = tiny.pictures(residual)
    assert list(residual.layers)[-1] == "output"
    assert torch.equal(
        residual.record(pictures, ["output"])["output"],
        residual.module.eval()(residual.input.normalise(pictures)),
    )


def test_a_network_that_is_one_layer() -> None:
    network = Network(tiny.seeded(nested_output), GREY)
    assert list(network.layers) == ["output"]
    pictures = tiny.pictures(network)
    assert torch.equal(network.record(pictures, ["output"])["output"], network.module(pictures))


def test_nested_containers_are_named_by_their_path() -> None:
    module = tiny.seeded(
        lambda: nn.Sequential(
            nn.ModuleDict({"a": nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())})["a"],
            nn.Sequential(nn.Sequential(nn.Flatten(), nn.Linear(72, 3))),
        )
    )
    network = Network(module, GREY)
    assert list(network.layers) == ["0.0", "0.1", "0", "1.0.0", "1.0.1", "1.0", "1", "output"]
    pictures = tiny.pictures(network)
    recording = network.record(pictures, list(network.layers))
    with torch.no_grad():
        assert torch.equal(recording["0"], module[0](pictures))
    for same in ("1.0.1", "1.0", "1"):
        assert torch.equal(recording[same], recording["output"])


def test_layers_in_any_order_and_twice() -> None:
    network = tiny.network("rectified")
    pictures = tiny.pictures(network)
    recording = network.record(pictures, ["fc1", "conv1", "fc1"])
    assert sorted(recording) == ["conv1", "fc1"]
    assert torch.equal(recording.pictures, pictures)


def test_recording_inside_inference_mode() -> None:
    network = tiny.network("functional")
    pictures = tiny.pictures(network)
    with torch.inference_mode():
        fast = network.probabilities(pictures)
    assert torch.equal(fast, network.probabilities(pictures))


@pytest.mark.parametrize("call", ["conv", "fc"])
def test_recording_without_and_with_gradients_is_equal(call: str) -> None:
    module: Callable[[], nn.Module] = lambda: InPlace(False)  # noqa: E731
    network = Network(tiny.seeded(module), GREY)
    pictures = tiny.pictures(network)
    with torch.no_grad():
        still = network.record(pictures, [call])[call]
    moving = network.record(pictures.requires_grad_(), [call])[call]
    assert not still.requires_grad
    assert moving.requires_grad
    assert torch.equal(still, moving)
