"""Drawing in bfloat16: the way is that of float32 but for its last bits, and float32 judges."""

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import tiny
from laws import unchanged
from phosphene.canvas import Pixels
from phosphene.errors import NetworkError, SettingError
from phosphene.maximize import Optimizer, Recipe, Step, ascend, draw
from phosphene.network import GUIDED, PLAIN, STRAIGHT, Input, Lowered, Network, Rule, precision
from phosphene.objectives import Channel
from phosphene.precisions import precision_of
from phosphene.streams import Streams
from phosphene.units import LOGITS

EPSILON = 2.0**-8
"""What a number of bfloat16 may differ by from the next, as a share."""

LOW = Recipe(steps=6, precision="bfloat16")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def any_processor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whether the processor of the tests is quick at it is of no matter."""
    precision._check_device.cache_clear()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    yield
    precision._check_device.cache_clear()


def normalised() -> nn.Module:
    """Two convolutions with batch normalisations, and a dense layer."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 12, 3, padding=1, stride=2), nn.BatchNorm2d(12), nn.ReLU(),
        nn.Flatten(), nn.Linear(12 * 8 * 8, 5),
    )  # fmt: skip


@pytest.fixture
def network() -> Network:
    return Network(tiny.seeded(normalised), Input(3, (16, 16), 0.5, 0.25), "abcde")


def climb(network: Network, objective: Channel, steps: int = 0, **how: object) -> list[Step]:
    streams = Streams.seeded(0, ["one", "two"])
    canvas = Pixels().build(streams, network.input.shape)
    more: dict[str, object] = {"optimizer": Optimizer()} | how
    return list(ascend(network, objective, canvas, streams, steps=steps, **more))  # type: ignore[arg-type]


class Casts(TorchDispatchMode):
    """Counts how often weights of a module become others."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.weights = {p.data_ptr() for p in module.parameters()}
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._to_copy.default:
            self.count += args[0].data_ptr() in self.weights
        return func(*args, **(kwargs or {}))


def bare(forward: object) -> Network:
    """A network of one convolution that is run in its own way."""
    made = type("Own", (nn.Module,), {"forward": forward})()
    made.conv, made.fc = nn.Conv2d(1, 4, 3), nn.Linear(4, 2)
    return Network(made, Input(1, (8, 8)))


class TestTheWay:
    @pytest.mark.parametrize("rule", [PLAIN, GUIDED, STRAIGHT], ids=str)
    @pytest.mark.parametrize("layer", ["1", "4", "7"])
    def test_gradients_agree_to_the_bits_there_are(
        self, layer: str, rule: Rule, network: Network
    ) -> None:
        objective, depth = Channel(layer, (0, 3)), 1 + int(layer)
        single, lower = (
            climb(network, objective, rule=rule, precision=each)[0].gradient
            for each in ("float32", "bfloat16")
        )
        assert lower.dtype == torch.float32
        error = float((lower - single).norm() / single.norm())
        assert EPSILON / 100 < error < depth * EPSILON

    def test_what_is_recorded_is_single(self, network: Network) -> None:
        shown = tiny.pictures(network)
        lowered = network.lowered("bfloat16")
        recording = network.record(shown, lowered=lowered)
        known = network.record(shown)
        for name, values in recording.items():
            assert values.dtype == torch.float32
            assert values.stride() == known[name].stride()  # a gradient lies as the network's own
            assert EPSILON / 1000 < float((values - known[name]).norm() / known[name].norm()) < 0.05

    def test_a_probability_becomes_a_score_in_float32(self) -> None:
        """Of a share near 1 bfloat16 knows nothing: what is rounded is not to be read on."""
        network = bare(lambda self, x: torch.sigmoid(self.fc(self.conv(x).mean((2, 3))))[:, :1])
        shown = tiny.pictures(network)
        scores = network.record(shown, LOGITS, lowered=network.lowered("bfloat16"))[LOGITS]
        assert scores.dtype == torch.float32
        torch.testing.assert_close(scores, network.class_scores(shown), atol=0.05, rtol=0.05)

    def test_it_is_autocast_with_weights_that_are_cast_once(self, network: Network) -> None:
        module = network.module.eval().requires_grad_(False)
        lowered, shown = Lowered(module, CPU), torch.rand(2, 3, 16, 16)
        for changed, casts in ((False, 6), (False, 0), (True, 1)):
            if changed:
                module[3].weight *= 2
            with torch.autocast("cpu", torch.bfloat16):
                expected = module(shown)
            with Casts(module) as counted:
                assert torch.equal(lowered.run(shown), expected)
            assert counted.count == casts

    def test_what_a_network_leaves_in_float32_stays_there(self) -> None:
        def forward(self: nn.Module, x: Tensor) -> Tensor:
            x = self.conv(x).mean((2, 3))  # type: ignore[operator]
            with torch.autocast("cpu", enabled=False):
                found = self.fc(x.float())  # type: ignore[operator]
            assert found.dtype == torch.float32
            return found  # type: ignore[no-any-return]

        assert len(draw(bare(forward), "fc:0", LOW)) == 1

    def test_a_network_that_is_trained_meanwhile_is_followed(self, network: Network) -> None:
        streams = Streams.seeded(0, ["one", "two"])
        canvas = Pixels().build(streams, network.input.shape)
        steps = ascend(
            network, Channel("7", 0), canvas, streams, steps=1,
            optimizer=Optimizer(), precision="bfloat16",
        )  # fmt: skip
        first = next(steps)
        with torch.no_grad():
            network.module[7].weight.zero_()
            network.module[7].bias.fill_(3.0)
        assert first.scores.tolist() != [3.0, 3.0]
        assert next(steps).scores.tolist() == [3.0, 3.0]

    def test_the_module_is_given_back(self, network: Network) -> None:
        module = network.module.train()
        network.layers  # noqa: B018 - found before
        with unchanged(module, torch.rand(2, 3, 16, 16)):
            draw(network, ["4:0", "7:1"], LOW)

    def test_the_module_is_given_back_after_an_exception(self, network: Network) -> None:
        lowered, unfit = Lowered(network.module, CPU), torch.rand(2, 4, 16, 16)
        with unchanged(network.module), pytest.raises(RuntimeError):
            lowered.run(unfit)
        assert not torch.is_autocast_enabled("cpu")


class TestJudgement:
    @pytest.mark.parametrize("layer", ["4", "7"])
    def test_what_is_told_is_what_float32_says_of_the_picture(
        self, layer: str, network: Network
    ) -> None:
        found = draw(network, [f"{layer}:{unit}" for unit in range(5)], LOW)
        shown = torch.stack([drawing.picture for drawing in found])
        single, lower = (
            torch.as_tensor(
                [
                    float(values[i, i].max())
                    for values in [network.record(shown, layer, lowered=way)[layer]]
                    for i in range(5)
                ]
            )
            for way in (None, network.lowered("bfloat16"))
        )
        told = torch.tensor([drawing.activation for drawing in found])
        torch.testing.assert_close(told, single, rtol=1e-5, atol=1e-6)
        assert float((told - lower).abs().max()) > 1e-4

    def test_the_drawing_says_its_precision(self, network: Network) -> None:
        (one,) = draw(network, "7:0", steps=2, precision="bfloat16")
        (other,) = draw(network, "7:0", steps=2)
        assert one.recipe is not None
        assert other.recipe is not None
        assert one.recipe.precision == "bfloat16"
        assert one.recipe == replace(other.recipe, precision="bfloat16")
        assert not torch.equal(one.picture, other.picture)


class TestAsAValue:
    def test_nothing_is_said_of_float32(self) -> None:
        told = Recipe().to_json()
        assert "precision" not in told
        assert Recipe.from_json(told) == Recipe(precision="float32")
        assert "precision" not in Recipe().identity

    def test_it_comes_back_from_json(self) -> None:
        told = json.loads(json.dumps(LOW.to_json()))
        assert told["precision"] == "bfloat16"
        assert Recipe.from_json(told) == LOW
        assert LOW.identity != Recipe(steps=6).identity


class TestRefusals:
    def test_a_precision_that_is_none(self) -> None:
        with pytest.raises(SettingError, match=r"'bf16'.*nearest: bfloat16|'bf16'.*there are: flo"):
            precision_of("bf16")
        with pytest.raises(SettingError, match=r"there are: float32, bfloat16.*Leave it out"):
            precision_of("half")
        with pytest.raises(SettingError, match="no precision is called 'half'"):
            Recipe.from_json({"precision": "half"})

    @pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
    def test_weights_that_are_not_single(self, kind: torch.dtype, network: Network) -> None:
        other = Network(network.module.to(kind), network.input)
        name = str(kind).removeprefix("torch.")
        with pytest.raises(NetworkError, match=rf"Sequential are {name};.*module\.float\(\)"):
            draw(other, "7:0", LOW)

    def test_a_network_that_only_runs_in_its_own(self) -> None:
        def forward(self: nn.Module, x: Tensor) -> Tensor:
            x = self.conv(x).mean((2, 3))  # type: ignore[operator]
            with torch.autocast("cpu", enabled=False):
                return F.linear(x, self.fc.weight)  # type: ignore[union-attr, arg-type]

        network = bare(forward)
        with pytest.raises(NetworkError, match=r"does not run in bfloat16 \(.*leave precision out"):
            draw(network, "conv:0", LOW)
        assert len(draw(network, "conv:0", Recipe(steps=1))) == 1

    def test_a_device_without(self, monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
        monkeypatch.setattr(torch.amp, "is_autocast_available", lambda kind: False)
        with pytest.raises(SettingError, match="no autocast to bfloat16 for cpu; leave precision"):
            draw(network, "7:0", LOW)

    def test_a_device_that_switches_it_off(
        self, monkeypatch: pytest.MonkeyPatch, network: Network
    ) -> None:
        monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)
        with pytest.raises(SettingError, match="no autocast to bfloat16 for cpu"):
            draw(network, "7:0", LOW)


class TestSlowProcessors:
    def test_it_is_said_once(self, monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
        with pytest.warns(UserWarning, match="slower than in float32 on this processor, which has"):
            draw(network, "7:0", LOW)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            draw(network, "7:0", LOW)

    def test_what_is_not_told_is_not_guessed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
        assert "does not tell whether this processor" in str(precision.slow("cpu"))

    @pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16", "bf16"])
    def test_who_has_the_instructions_is_let_be(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {name: True}, raising=False)
        assert precision.slow("cpu") is None

    @pytest.mark.parametrize("native", [True, False])
    def test_a_graphics_card_is_asked(self, native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        def asked(including_emulation: bool) -> bool:
            assert not including_emulation
            return native

        monkeypatch.setattr(torch.cuda, "is_bf16_supported", asked)
        said = precision.slow("cuda")
        assert (said is None) == native
        assert native or "this graphics card" in str(said)
