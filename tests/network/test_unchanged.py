"""The law of a visitor: whatever is asked of a network, its module is given back bit-identical."""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import tiny
from laws import unchanged
from phosphene.attribution import METHODS, gradient
from phosphene.canvas import Pixels
from phosphene.errors import PhospheneError, RectifierError
from phosphene.maximize import Optimizer, Recipe, ascend, draw
from phosphene.network import (
    DECONVNET,
    GUIDED,
    PLAIN,
    STRAIGHT,
    Network,
    backward_rule,
    guess_input,
)
from phosphene.objectives import Channel
from phosphene.precisions import Precision
from phosphene.streams import Streams
from phosphene.units import Unit

pytestmark = [
    pytest.mark.slow,  # together more than a few seconds
    pytest.mark.filterwarnings(
        "ignore:drawing in bfloat16 is slower", "ignore:PyTorch .* does not"
    ),
]


SHARING = ("lrp epsilon", "lrp z+", "relp")


def lived_in(module: nn.Module) -> nn.Module:
    """A module in the middle of its user's work: partly training, partly frozen, watched."""
    module.train()
    parts = [m for m in module.modules() if m is not module]
    parts[0].eval()
    parameters = list(module.parameters())
    parameters[0].requires_grad_(False)
    parameters[-1].grad = torch.ones_like(parameters[-1])
    parts[-1].register_forward_hook(lambda *args: None)
    parts[-1].register_forward_pre_hook(lambda *args: None)
    return module


def first(network: Network) -> str:
    return network.default_layers[-1].name


def picture_of(network: Network) -> Tensor:
    return tiny.pictures(network, 2)


def by_rule(rule) -> Callable[[Network], object]:
    return lambda n: gradient(n, picture_of(n), Channel(first(n), 0), rule=rule)


def by_method(name: str) -> Callable[[Network], object]:
    """A map; what shares sums out refuses most of these networks, and gives them back as well."""

    def run(network: Network) -> None:
        with suppress(RectifierError) if name in SHARING else nullcontext():
            METHODS[name](network, picture_of(network), Channel(first(network), 0))

    return run


def climb(network: Network) -> None:
    units = [Unit(first(network), i) for i in range(2)]
    streams = Streams.seeded(0, units)
    canvas = Pixels().build(streams, network.input.shape)
    list(ascend(network, Channel(first(network), (0, 1)), canvas, streams, steps=3,
                optimizer=Optimizer()))  # fmt: skip


def drawing(network: Network, precision: Precision = "float32") -> None:
    recipe = Recipe(aim="neuron", canvas=Pixels(), steps=2, precision=precision)
    draw(network, [Unit(first(network), 0), Unit(first(network), 1)], recipe)


ENTRIES: dict[str, Callable[[Network], object]] = {
    "layers": lambda n: n.layers,
    "record": lambda n: n.record(picture_of(n), [first(n)]),
    "record all": lambda n: n.record(picture_of(n), list(n.layers), stop=False),
    "record with gradients": lambda n: n.record(picture_of(n).requires_grad_(), [first(n)]),
    "fields": lambda n: n.fields,
    "patch": lambda n: [n.patch(name) for name in n.layers],
    "weights": lambda n: n.weights(first(n)),
    "fingerprint": lambda n: n.to_json(),
    "climb": climb,
    "draw": drawing,
    "draw in bfloat16": partial(drawing, precision="bfloat16"),
    **{f"gradient {rule}": by_rule(rule) for rule in (PLAIN, DECONVNET, GUIDED, STRAIGHT)},
    **{name: by_method(name) for name in METHODS},
}

CLASS_ENTRIES: dict[str, Callable[[Network], object]] = {
    "probabilities": lambda n: n.probabilities(picture_of(n)),
    "class scores": lambda n: n.class_scores(picture_of(n)),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", tiny.NETWORKS)
def test_every_entry_gives_the_module_back(name: str, entry: str) -> None:
    network = tiny.network(name, lived_in)
    with unchanged(network.module, network.input.normalise(picture_of(network))):
        ENTRIES[entry](network)


@pytest.mark.parametrize("entry", CLASS_ENTRIES)
@pytest.mark.parametrize("name", ["rectified", "residual", "functional", "tokens", "dense"])
def test_every_entry_of_a_classifier_gives_the_module_back(name: str, entry: str) -> None:
    network = tiny.network(name, lived_in)
    with unchanged(network.module, network.input.normalise(picture_of(network))):
        CLASS_ENTRIES[entry](network)


def test_guessing_the_input_gives_the_module_back() -> None:
    module = lived_in(tiny.seeded(lambda: nn.Sequential(
        nn.Conv2d(1, 2, 5), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(1152, 3)
    )))  # fmt: skip
    with unchanged(module):
        assert guess_input(module).size == (28, 28)


class Armed(nn.Module):
    """A network whose forward pass fails halfway, once armed."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True))
        self.fc = nn.Linear(108, 4)
        self.error = error
        self.armed = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        if self.armed:
            raise self.error("in the middle")
        return self.fc(x.flatten(1))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("discovered", [True, False])
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_exception_in_the_forward_pass_gives_the_module_back(
    entry: str, error: type[BaseException], discovered: bool
) -> None:
    network = Network(lived_in(tiny.seeded(lambda: Armed(error))), tiny.Input(1, (8, 8)))
    inputs = torch.rand(2, 1, 8, 8)
    if discovered:
        network.layers  # noqa: B018 - runs the network
    # What needs no forward pass, once the layers are known, does not fail.
    fails = not (entry == "fingerprint" or (discovered and entry in ("layers", "weights")))
    with unchanged(network.module, inputs):
        network.module.armed = True
        try:
            if fails:
                with pytest.raises((error, PhospheneError)):
                    ENTRIES[entry](network)
            else:
                ENTRIES[entry](network)
        finally:
            network.module.armed = False
    network.record(inputs, ["fc"])  # and it works again


@pytest.mark.parametrize("entry", ["gradient guided", "gradient deconvnet", "gradient straight"])
def test_a_rule_ends_with_its_exception(entry: str) -> None:
    network = Network(tiny.seeded(lambda: Armed(ValueError)), tiny.Input(1, (8, 8)))
    network.layers  # noqa: B018
    network.module.armed = True
    with pytest.raises(ValueError, match="in the middle"):
        ENTRIES[entry](network)
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    assert x.relu().grad_fn.name() == "ReluBackward0"


def test_rules_nest_and_end() -> None:
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    with backward_rule(GUIDED):
        with backward_rule(STRAIGHT):
            inner = torch.autograd.grad(x.relu().sum(), x)[0]
        outer = torch.autograd.grad(-x.relu().sum(), x)[0]
    assert inner.tolist() == [1, 1]
    assert outer.tolist() == [0, 0]
    assert torch.autograd.grad(-x.relu().sum(), x)[0].tolist() == [0, -1]


def test_the_law_itself_notices() -> None:
    """Each thing the law compares, changed: a law that cannot fail would prove nothing."""

    def nudge(m: nn.Module) -> None:
        with torch.no_grad():
            m.fc.weight[0, 0] += 1e-6

    def track(m: nn.Module) -> None:
        m.first.train()
        m.first(torch.rand(2, 1, 8, 8))
        m.first.eval()

    changes: dict[str, Callable[[nn.Module], object]] = {
        "values": nudge,
        "values ": track,
        "storage": lambda m: setattr(m.fc, "weight", nn.Parameter(m.fc.weight.detach().clone())),
        "grad": lambda m: setattr(m.fc.weight, "grad", torch.zeros_like(m.fc.weight)),
        "requires_grad": lambda m: m.fc.weight.requires_grad_(False),
        "training": lambda m: m.fc.train(not m.fc.training),
        "hooks": lambda m: m.fc.register_full_backward_hook(lambda *a: None),
        "hooks ": lambda m: m.first.register_forward_hook(lambda *a: None),
        "attributes": lambda m: setattr(m, "forward", m.forward),
        "random state": lambda m: torch.rand(1),
    }
    for what, change in changes.items():
        module = tiny.seeded(lambda: Armed(ValueError)).eval()
        with torch.random.fork_rng(devices=[]):  # noqa: SIM117
            with pytest.raises(AssertionError, match=what.strip()), unchanged(module):
                change(module)
