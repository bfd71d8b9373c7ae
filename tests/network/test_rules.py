"""Backward rules against a reference worked out by hand in numpy, against Captum, and refusals."""

import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import tiny
from cells import crossed
from phosphene.attribution import gradient
from phosphene.errors import RectifierError
from phosphene.network import DECONVNET, GUIDED, PLAIN, STRAIGHT, Input, Network, Rule
from phosphene.objectives import Channel, Logit, Neuron, Term

RULES = [PLAIN, DECONVNET, GUIDED, STRAIGHT]
by_name = pytest.mark.parametrize("rule", RULES, ids=str)


class Reference:
    """A `tiny.Rectified` network in float64 numpy, its backward pass written out by hand.

    A rectifier is min(max(x, 0), high). What a rule lets through is decided in `gate` alone.
    """

    def __init__(self, module: nn.Module, input: Input, high: float = np.inf) -> None:
        self.w = {k: v.double().numpy() for k, v in module.state_dict().items()}
        self.mean, self.std = (np.array(v)[:, None, None] for v in (input.mean, input.std))
        self.high = high

    def maps(self, pictures: Tensor, start: Callable[[dict[str, np.ndarray]], None], rule: str):
        """The backward pass from the gradient that `start` writes for one picture at a time."""
        return np.stack([self._one(p.double().numpy(), start, rule) for p in pictures])

    def _one(self, picture, start, rule):
        w = self.w
        x = (picture - self.mean) / self.std
        conv1 = self.conv(np.pad(x, ((0, 0), (1, 1), (1, 1))), w["conv1.weight"], w["conv1.bias"])
        relu1 = np.clip(conv1, 0, self.high)
        pool = np.stack([[[c[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max() for j in range(4)]
                          for i in range(5)] for c in relu1])  # fmt: skip
        conv2 = self.conv(pool, w["conv2.weight"], w["conv2.bias"])
        fc1 = w["fc1.weight"] @ np.clip(conv2, 0, self.high).ravel() + w["fc1.bias"]

        g = {k: np.zeros_like(v) for k, v in (("conv1", conv1), ("conv2", conv2), ("fc1", fc1))}
        g["fc2"] = np.zeros(4)
        start(g)
        g["fc1"] += self.gate(fc1, w["fc2.weight"].T @ g["fc2"], rule)
        above = (w["fc1.weight"].T @ g["fc1"]).reshape(conv2.shape)
        g["conv2"] += self.gate(conv2, above, rule)
        below = self.conv_back(g["conv2"], w["conv2.weight"], pool.shape)
        unpooled = np.zeros_like(relu1)
        for c, i, j in np.ndindex(*pool.shape):
            window = relu1[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            y, x = np.unravel_index(window.argmax(), (2, 2))
            unpooled[c, 2 * i + y, 2 * j + x] = below[c, i, j]
        g["conv1"] += self.gate(conv1, unpooled, rule)
        padded = self.conv_back(g["conv1"], w["conv1.weight"], (2, 12, 10))
        return padded[:, 1:-1, 1:-1] / self.std

    def gate(self, x: np.ndarray, g: np.ndarray, rule: str) -> np.ndarray:
        open_forward = (x > 0) & (x < self.high)
        if rule == "plain":
            return np.where(open_forward, g, 0)
        if rule == "deconvnet":
            return np.where(g > 0, g, 0)
        if rule == "guided":
            return np.where(open_forward & (g > 0), g, 0)
        return g

    @staticmethod
    def conv(x, weight, bias):
        out, _, kh, kw = weight.shape
        y = np.zeros((out, x.shape[1] - kh + 1, x.shape[2] - kw + 1))
        for o, i, j in np.ndindex(*y.shape):
            y[o, i, j] = (x[:, i : i + kh, j : j + kw] * weight[o]).sum() + bias[o]
        return y

    @staticmethod
    def conv_back(g, weight, shape):
        _, _, kh, kw = weight.shape
        x = np.zeros(shape)
        for o, i, j in np.ndindex(*g.shape):
            x[:, i : i + kh, j : j + kw] += weight[o] * g[o, i, j]
        return x


def of_logit(g):
    g["fc2"][2] = 1


def of_channel(g):
    g["conv2"][4] = 1 / g["conv2"][4].size


def of_neuron(g):
    g["conv2"][1, 2, 1] = 1


OBJECTIVES: list[tuple[Term, Callable]] = [
    (Logit(2), of_logit),
    (Channel("conv2", 4), of_channel),
    (Neuron("conv2", 1, y=2, x=1), of_neuron),
]


class ByMethodInPlace(nn.Module):
    """Changes its argument and lets the caller ignore what it gives back."""

    def forward(self, x: Tensor) -> Tensor:
        nn.ReLU(inplace=True)(x)
        return x


RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "module in place, result ignored": ByMethodInPlace(),
    "threshold": nn.Threshold(0.0, 0.0),
    "threshold in place": nn.Threshold(0.0, 0.0, inplace=True),
    "F.relu": F.relu,
    "F.relu keyword": lambda x: F.relu(input=x),
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "F.relu_": F.relu_,
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "x.relu": lambda x: x.relu(),
    "x.relu_": lambda x: x.relu_(),
    "relu_ on a view": lambda x: (x.view(-1).relu_(), x)[1],
    "x.clamp": lambda x: x.clamp(0),
    "x.clamp min": lambda x: x.clamp(min=0),
    "torch.clamp min": lambda x: torch.clamp(x, min=0.0),
    "x.clamp_ min": lambda x: x.clamp_(min=0),
    "x.clamp_min": lambda x: x.clamp_min(0),
    "x.clamp_min_": lambda x: x.clamp_min_(0),
    "torch.clamp_min": lambda x: torch.clamp_min(x, 0),
    "x.clip": lambda x: x.clip(0),
}


def indexed(x: Tensor) -> Tensor:
    x = x.clone()
    x[x < 0] = 0
    return x


def indexed_in_place(x: Tensor) -> Tensor:
    x[x.detach() <= 0] = 0.0
    return x


def without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        mask = (x > 0).to(x.dtype)
    return mask * x


WRITTEN_OUT: dict[str, Callable[[Tensor], Tensor]] = {
    "mask": lambda x: x * (x > 0),
    "mask as numbers": lambda x: (x > 0).to(x.dtype) * x,
    "mask of what is detached": lambda x: x.mul((x.detach() >= 0).float()),
    "mask made without gradient": without_gradient,
    "mask of data": lambda x: x * torch.gt(x.data, 0),
    "mask turned round": lambda x: x * (1 - (x < 0).to(x.dtype)),
    "mask in place": lambda x: x.mul_(x > 0),
    "mask by *=": lambda x: x.__imul__(x > 0),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0.0),
    "masked_fill_": lambda x: x.masked_fill_(x < 0, 0.0),
    "masked_fill of a tensor": lambda x: torch.masked_fill(x, x < 0, torch.zeros(())),
    "index": indexed,
    "index in place": indexed_in_place,
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "where zeros": lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
    "where turned round": lambda x: torch.where(x < 0, torch.zeros(()), x),
    "x.where": lambda x: x.where(x > 0, torch.zeros(())),
    "heaviside": lambda x: x * torch.heaviside(x.detach(), torch.zeros_like(x)),
    "maximum": lambda x: torch.maximum(x, torch.zeros(())),
    "maximum turned round": lambda x: torch.maximum(torch.zeros_like(x), x),
    "max of two": lambda x: torch.max(x, x.new_zeros(1)),
    "fmax": lambda x: torch.fmax(x, torch.zeros(())),
    "tensor bound": lambda x: x.clamp(min=torch.zeros(())),
    "tensor clamp_min": lambda x: torch.clamp_min(x, torch.zeros_like(x)),
    "aten": torch.ops.aten.relu,
    "aten overload": torch.ops.aten.relu.default,
    "aten in place": torch.ops.aten.relu_,
    "aten clamp_min": lambda x: torch.ops.aten.clamp_min(x, 0),
    "aten threshold": lambda x: torch.ops.aten.threshold(x, 0, 0),
}
"""ReLUs that are no call of ReLU."""

RELUS |= WRITTEN_OUT

RELU6S: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.ReLU6(),
    "module in place": nn.ReLU6(inplace=True),
    "hardtanh module": nn.Hardtanh(0, 6),
    "F.relu6": F.relu6,
    "F.relu6 in place": lambda x: F.relu6(x, inplace=True),
    "F.hardtanh": lambda x: F.hardtanh(x, 0, 6),
    "F.hardtanh in place": lambda x: F.hardtanh(x, min_val=0.0, max_val=6.0, inplace=True),
    "x.clamp": lambda x: x.clamp(0, 6),
    "x.clamp_": lambda x: x.clamp_(min=0, max=6),
}


@cache
def expected_maps(place: int, rule: str) -> np.ndarray:
    """Maps of one of `OBJECTIVES`, which are the same however a ReLU is written; read-only."""
    network = tiny.rectified(F.relu)
    reference = Reference(network.module, network.input)
    maps = reference.maps(tiny.pictures(network), OBJECTIVES[place][1], rule)
    assert np.abs(maps).max() > 1e-3  # a reference of zeros would prove nothing
    maps.flags.writeable = False
    return maps


@pytest.mark.parametrize(("kind", "rule"), crossed(RELUS, RULES), ids=str)
def test_every_way_to_write_relu_equals_the_reference(kind: str, rule: Rule) -> None:
    network = tiny.rectified(RELUS[kind])
    pictures = tiny.pictures(network)
    for place, (objective, _) in enumerate(OBJECTIVES):
        expected = expected_maps(place, rule.name)
        maps = gradient(network, pictures, objective, rule=rule)
        np.testing.assert_allclose(maps.numpy(), expected, atol=1e-5, rtol=1e-4)


@by_name
@pytest.mark.parametrize("kind", RELU6S)
@pytest.mark.slow
def test_every_way_to_write_relu6_equals_the_reference(kind: str, rule: Rule) -> None:
    network = tiny.rectified(RELU6S[kind])
    with torch.no_grad():  # so that many units reach 6
        network.module.conv1.weight *= 9
        network.module.conv2.weight *= 5
    pictures = tiny.pictures(network)
    closed_above = [
        float((network.record(pictures, [name])[name] > 6).float().mean())
        for name in ("conv1", "conv2")
    ]
    assert min(closed_above) > 0.05
    for objective, start in OBJECTIVES:
        expected = Reference(network.module, network.input, high=6).maps(pictures, start, rule.name)
        maps = gradient(network, pictures, objective, rule=rule)
        scale = max(1e-3, float(np.abs(expected).max()))
        np.testing.assert_allclose(maps.numpy() / scale, expected / scale, atol=1e-5)


def test_the_rules_differ_on_this_network() -> None:
    network = tiny.rectified(F.relu)
    maps = [gradient(network, tiny.pictures(network), Logit(2), rule=rule) for rule in RULES]
    for i, a in enumerate(maps):
        for b in maps[:i]:
            assert not torch.allclose(a, b, atol=1e-3)


class Blocks(nn.Module):
    """Branches, sums and norms between ReLU modules, each used once, as Captum needs them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.left = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 1))
        self.right = nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(8, 8, 1), nn.ReLU())
        self.join = nn.ReLU()
        self.head = nn.Sequential(
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(200, 16), nn.ReLU(), nn.Linear(16, 6)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.join(self.left(x) + self.right(x) + x))


@pytest.mark.parametrize(("rule", "peer"), [(GUIDED, GuidedBackprop), (DECONVNET, Deconvolution)])
@pytest.mark.parametrize("build", [Blocks, lambda: tiny.Rectified(nn.ReLU())])
def test_captum_agrees(rule: Rule, peer: type, build: Callable[[], nn.Module]) -> None:
    if build is Blocks:
        network = Network(tiny.seeded(build), Input(3, (10, 10), mean=0.4, std=0.3))
        module = network.module.eval()
    else:  # Captum replaces the backward pass of each ReLU module, so none may be reused
        network = tiny.rectified(nn.ReLU())
        module = nn.Sequential(
            network.module.conv1, nn.ReLU(), nn.MaxPool2d(2), network.module.conv2, nn.ReLU(),
            nn.Flatten(), network.module.fc1, nn.ReLU(), network.module.fc2,
        )  # fmt: skip
    pictures = tiny.pictures(network)
    inputs = network.input.normalise(pictures).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Setting backward hooks on ReLU activations"
        theirs = peer(module).attribute(inputs, target=2)
    std = torch.tensor(network.input.std).view(1, -1, 1, 1)
    ours = gradient(network, pictures, Logit(2), rule=rule)
    torch.testing.assert_close(ours, theirs / std, atol=1e-6, rtol=1e-5)


def test_leaving_a_rule_leaves_nothing_behind() -> None:
    network = tiny.rectified(F.relu)
    pictures = tiny.pictures(network)
    before = gradient(network, pictures, Logit(0))
    for rule in RULES:
        gradient(network, pictures, Logit(0), rule=rule)
    assert torch.equal(gradient(network, pictures, Logit(0)), before)


class IndexClamp(nn.Module):
    """Clamps what is no activation: integer places, and a constant of the network's own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.scale = nn.Parameter(torch.tensor([-1.0, 2.0, 0.5]))
        self.fc = nn.Linear(18, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x)) * (1 + self.scale.clamp(min=0)).view(1, -1, 1, 1)
        rows = (torch.arange(6) - 2).clamp(min=0, max=3)
        return self.fc(x[:, :, rows].mean(2).flatten(1))


def test_only_what_depends_on_the_picture_is_rectified() -> None:
    network = Network(tiny.seeded(IndexClamp), Input(1, (8, 8)))
    maps = gradient(network, tiny.pictures(network), Logit(0), rule=GUIDED)
    assert maps.abs().sum() > 0


class Custom(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x > 0)


def script(code):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(code)


@script
def scripted(x: Tensor) -> Tensor:
    return torch.relu(x)


@script
def scripted_mask(x: Tensor) -> Tensor:
    return x * (x > 0).to(x.dtype)


@script
def scripted_where(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.zeros_like(x))


REFUSED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "gelu": (F.gelu, "GeluBackward0"),
    "gelu module": (nn.GELU(), "GeluBackward0"),
    "gelu by tanh": (nn.GELU("tanh"), "GeluBackward0"),
    "silu": (nn.SiLU(), "SiluBackward0"),
    "functional silu": (F.silu, "SiluBackward0"),
    "functional silu in place": (lambda x: F.silu(x, inplace=True), "SiluBackward0"),
    "silu in place": (nn.SiLU(inplace=True), "SiluBackward0"),
    "leaky": (nn.LeakyReLU(), "LeakyReluBackward0"),
    "leaky in place": (nn.LeakyReLU(inplace=True), "LeakyReluBackward"),
    "prelu": (nn.PReLU(), "PreluKernelBackward0"),
    "elu": (F.elu, "EluBackward0"),
    "selu": (F.selu, "EluBackward0"),
    "celu": (F.celu, "CeluBackward0"),
    "mish": (F.mish, "MishBackward0"),
    "hardswish": (F.hardswish, "HardswishBackward0"),
    "hardswish module": (nn.Hardswish(), "HardswishBackward0"),
    "hardswish in place": (nn.Hardswish(inplace=True), "HardswishBackward0"),
    "functional leaky": (lambda x: F.leaky_relu(x, 0.1), "LeakyReluBackward0"),
    "functional leaky in place": (F.leaky_relu_, "LeakyReluBackward"),
    "silu written out": (lambda x: x * torch.sigmoid(x), "gate made of itself"),
    "silu by method": (lambda x: x.sigmoid().mul(x), "gate made of itself"),
    "quick gelu": (lambda x: x * torch.sigmoid(1.702 * x), "gate made of itself"),
    "gelu written out": (
        lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
        "gate made of itself",
    ),
    "gelu by tanh written out": (
        lambda x: 0.5 * x * (1 + torch.tanh(0.798 * (x + 0.0447 * x.pow(3)))),
        "gate made of itself",
    ),
    "hardswish by relu6": (lambda x: x * F.relu6(x + 3) / 6, "gate made of itself"),
    "hardswish by hardsigmoid": (lambda x: x * F.hardsigmoid(x), "gate made of itself"),
    "softplus": (F.softplus, "SoftplusBackward0"),
    "rrelu": (nn.RReLU(), "RreluWithNoiseBackward0"),
    "symmetric hardtanh": (nn.Hardtanh(), "HardtanhBackward0"),
    "threshold elsewhere": (nn.Threshold(0.1, 0.0), "ThresholdBackward0"),
    "clamp elsewhere": (lambda x: x.clamp(min=-1), "ClampBackward1"),
    "clamp from above": (lambda x: x.clamp_max(6), "ClampMaxBackward0"),
    "tensor bound elsewhere": (lambda x: x.clamp(min=torch.ones(())), "ClampBackward0"),
    "maximum with ones": (lambda x: torch.maximum(x, torch.ones(())), "MaximumBackward0"),
    "minimum": (lambda x: -torch.minimum(-x, torch.zeros(())), "MinimumBackward0"),
    "scripted function": (scripted, "ReluBackward0"),
    "scripted mask": (scripted_mask, "MulBackward0"),
    "scripted where": (scripted_where, "WhereBackward0"),
    "half of the sum with the absolute": (lambda x: (x + x.abs()) / 2, "AbsBackward0"),
    "root of the square": (lambda x: (x + (x * x).sqrt()) / 2, "SqrtBackward0"),
    "power of a half": (lambda x: (x + x.pow(2).pow(0.5)) / 2, "PowBackward0"),
    "sign": (lambda x: x * (torch.sign(x) + 1) / 2, "SignBackward0"),
    "largest of a stack": (
        lambda x: torch.stack([x, torch.zeros_like(x)]).amax(0),
        "AmaxBackward0",
    ),
    "largest of a cat": (
        lambda x: torch.cat([x[None], torch.zeros_like(x)[None]]).max(0).values,
        "MaxBackward0",
    ),
    "sorted with zeros": (
        lambda x: torch.stack([torch.zeros_like(x), x], -1).sort(-1).values[..., 1],
        "SortBackward0",
    ),
    "pooled with zeros": (
        lambda x: F.max_pool1d(
            torch.stack([x.flatten(1), torch.zeros_like(x.flatten(1))], -1), 2
        ).view_as(x),
        "MaxPool2DWithIndicesBackward0",
    ),
    "largest of what is padded": (
        lambda x: F.pad(x.unsqueeze(-1), (0, 1)).amax(-1),
        "AmaxBackward0",
    ),
    "its own rectified part": (lambda x: x + F.relu(-x), "AddBackward0"),
    "leaky by its rectified part": (lambda x: x + 9 * F.relu(x), "AddBackward0"),
    "leaky by a mask": (lambda x: x * (0.1 + 0.9 * (x > 0)), "MulBackward0"),
    "leaky by where": (lambda x: torch.where(x > 0, x, 0.1 * x), "WhereBackward0"),
    "leaky on a view": (lambda x: (F.leaky_relu_(x[:]), x)[1], "CopySlices"),
    "mask elsewhere": (lambda x: x * (x > 0.1), "MulBackward0"),
    "mask of a mean": (
        lambda x: x * (x.detach() > x.flatten(1).mean(1).view(-1, *[1] * (x.ndim - 1))),
        "MulBackward0",
    ),
    "largest few": (
        lambda x: x * (x.flatten(1) >= x.flatten(1).topk(3).values[:, -1:]).view_as(x),
        "MulBackward0",
    ),
    "silu as a quotient": (lambda x: x / (1 + torch.exp(-x)), "DivBackward0"),
    "softplus written out": (lambda x: torch.log(1 + torch.exp(x)), "LogBackward0"),
    "softplus by log1p": (lambda x: torch.log1p(x.exp()), "Log1PBackward0"),
    "hardshrink": (F.hardshrink, "HardshrinkBackward0"),
    "fake quantised": (
        lambda x: torch.fake_quantize_per_tensor_affine(x, 0.01, 0, 0, 255),
        "FakeQuantizePerTensorAffineCachemaskBackward0",
    ),
    "custom function": (Custom.apply, "CustomBackward"),
}


@pytest.mark.parametrize("rule", [GUIDED, DECONVNET, STRAIGHT], ids=str)
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.slow
def test_what_was_not_caught_is_refused_by_name(kind: str, rule: Rule) -> None:
    rectify, node = REFUSED[kind]
    network = tiny.rectified(rectify)
    with pytest.raises(RectifierError) as refusal:
        gradient(network, tiny.pictures(network), Logit(0), rule=rule)
    message = str(refusal.value)
    assert node in message
    assert rule.name in message
    assert "plain gradient" in message  # the remedy


@pytest.mark.parametrize("kind", REFUSED)
def test_the_plain_rule_never_refuses(kind: str) -> None:
    network = tiny.rectified(REFUSED[kind][0])
    pictures = tiny.pictures(network)
    leaf = pictures.clone().requires_grad_()
    network.module.eval()
    network.module(network.input.normalise(leaf))[:, 0].sum().backward()
    assert torch.equal(gradient(network, pictures, Logit(0)), leaf.grad)


def test_only_what_lies_on_the_way_is_refused() -> None:
    network = tiny.rectified(F.gelu)
    maps = gradient(network, tiny.pictures(network), Channel("conv1", 0), rule=GUIDED)
    assert torch.equal(maps, gradient(network, tiny.pictures(network), Channel("conv1", 0)))


class Weighed(nn.Module):
    """A gate made of something else: what the whole picture holds, or another convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3)
        self.fc, self.head = nn.Conv2d(4, 4, 1), nn.Linear(8, 3)
        self.mix, self.gain = nn.Conv2d(4, 8, 1), nn.Parameter(torch.tensor(1.5))
        self.register_buffer("places", torch.eye(6, dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x)) * torch.sigmoid(self.gate(x))
        x = x * F.relu6(self.fc(x.mean((2, 3), keepdim=True)) + 3) / 6
        first, second = self.mix(x).chunk(2, 1)
        x = first * torch.sigmoid(second)  # a gated linear unit by hand
        x = x / x.detach().norm(dim=1, keepdim=True).add(1)  # scales, and switches nothing
        x = x.masked_fill(self.places, 0) * self.gain  # the same whatever the picture
        x = x + F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 1)
        x = F.pad(x, (1, 1, 1, 1), mode="circular")
        x[:, 0] = 0
        x = torch.cat([x, torch.zeros_like(x)], 1)  # a shortcut that gains channels
        return self.head(F.max_pool2d(x, 2).mean((2, 3)))


@by_name
def test_gates_made_of_something_else_are_let_through(rule: Rule) -> None:
    network = Network(tiny.seeded(Weighed), Input(1, (8, 8)))
    assert gradient(network, tiny.pictures(network), Logit(0), rule=rule).abs().max() > 0


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_parts_are_refused(reentrant: bool) -> None:
    network = tiny.rectified(lambda x: checkpoint(F.relu, x, use_reentrant=reentrant))
    pictures = tiny.pictures(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "None of the inputs have requires_grad", while recording
        with pytest.raises(RectifierError, match=r"checkpoint.*switch it off"):
            gradient(network, pictures, Logit(0), rule=GUIDED)
    if not reentrant:  # PyTorch itself has no `autograd.grad` through the other kind
        twin = gradient(tiny.rectified(F.relu), pictures, Logit(0))
        torch.testing.assert_close(gradient(network, pictures, Logit(0)), twin)


class Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 5, 3)
        self.inner = script(nn.Sequential(nn.Conv2d(5, 5, 1), nn.ReLU()))
        self.fc = nn.Linear(180, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.inner(self.conv(x)).flatten(1))


def test_a_scripted_part_is_no_layer_and_is_refused() -> None:
    network = Network(tiny.seeded(Scripted), Input(1, (8, 8)))
    assert list(network.layers) == ["conv", "fc", "output"]
    assert gradient(network, tiny.pictures(network), Logit(0)).abs().sum() > 0
    for _ in range(4):  # scripted code is rewritten after its first runs
        with pytest.raises(RectifierError, match="ReluBackward0"):
            gradient(network, tiny.pictures(network), Logit(0), rule=GUIDED)


@pytest.mark.parametrize("kind", ["module", "F.relu", "x.relu_"])
def test_straight_wakes_what_no_gradient_reaches(kind: str) -> None:
    network = tiny.rectified(RELUS[kind])
    with torch.no_grad():
        network.module.conv1.bias.fill_(-100)  # no unit of conv1 ever opens
    pictures = tiny.pictures(network)
    assert gradient(network, pictures, Channel("conv2", 0)).abs().max() == 0
    straight = gradient(network, pictures, Channel("conv2", 0), rule=STRAIGHT)
    assert straight.abs().max() > 0
