"""LRP and RelP as rules, against relevance shared out term by term, and their sums."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tiny
from phosphene.attribution import gradient, gradient_x_input
from phosphene.errors import InputError, RectifierError
from phosphene.network import RELP, ZPLUS, Input, Network, Rule, epsilon
from phosphene.objectives import Logit


def net(bias: bool = True, activation: Callable[[], nn.Module] = nn.ReLU) -> Network:
    def build() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 3, 3, stride=2, padding=1, bias=bias), activation(), nn.MaxPool2d(2),
            nn.Conv2d(3, 2, 2, bias=bias), activation(), nn.AvgPool2d((1, 2), stride=1),
            nn.Flatten(), nn.Linear(4, 5, bias=bias), activation(), nn.Linear(5, 3, bias=bias),
        ).double()  # fmt: skip

    class Double(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.double())

    return Network(tiny.seeded(lambda: Double(build())), Input(1, (12, 12), mean=0.4, std=0.3))


def pictures(network: Network) -> Tensor:
    return tiny.pictures(network).double()


def matrix(module: nn.Module, x: Tensor) -> Tensor:
    """What each number of x adds to each number that a linear module makes of it."""
    bias = getattr(module, "bias", None)
    empty = module(torch.zeros_like(x)).flatten()
    columns = []
    for i in range(x.numel()):
        basis = torch.zeros_like(x)
        basis.view(-1)[i] = 1
        columns.append(module(basis).flatten() - (0 if bias is None else empty))
    return torch.stack(columns, dim=1)


def of_terms(terms: Tensor, total: Tensor, rule: str, eps: float) -> Tensor:
    """The share of each term of one sum."""
    if rule == "z+":
        terms = terms.clamp(min=0)
        total = terms.sum()
    elif rule == "epsilon":
        total = total + (-eps if total < 0 else eps)
    return terms / total if total != 0 else torch.zeros_like(terms)


def shared_out(network: Network, picture: Tensor, unit: int, rule: str, eps: float) -> Tensor:
    """The relevance of one picture's numbers, term by term from the last layer to the first."""
    values = [network.input.normalise(picture[None])]
    layers = list(network.module[0])
    for layer in layers:
        values.append(layer(values[-1]))
    relevance = torch.zeros(3, dtype=torch.double)
    relevance[unit] = values[-1][0, unit]
    for layer, x, y in zip(layers[::-1], values[-2::-1], values[:0:-1], strict=True):
        if isinstance(layer, nn.ReLU | nn.Flatten):
            continue
        before = torch.zeros(x.numel(), dtype=torch.double)
        if isinstance(layer, nn.MaxPool2d):
            _, places = F.max_pool2d(x, 2, return_indices=True)
            channels = torch.arange(x.shape[1])[:, None, None] * x[0, 0].numel()
            for place, part in zip((places + channels).flatten(), relevance, strict=True):
                before[place] += part
        else:
            own = "mean" if isinstance(layer, nn.AvgPool2d) else rule
            terms = matrix(layer, x) * x.flatten()
            for j, total in enumerate(y.flatten()):
                before += of_terms(terms[j], total, own, eps) * relevance[j]
        relevance = before
    return relevance.view(picture.shape)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("rule", "name", "eps"), [(epsilon(0.02), "epsilon", 0.02), (ZPLUS, "z+", 0.0)], ids=str
)
@torch.no_grad()
def test_relevance_is_shared_out_term_by_term(
    rule: Rule, name: str, eps: float, bias: bool
) -> None:
    network = net(bias)
    shown = pictures(network)
    found = gradient_x_input(network, shown, Logit((0, 1, 2)), rule=rule)
    for unit, (picture, map_) in enumerate(zip(shown, found, strict=True)):
        expected = shared_out(network, picture, unit, name, eps)
        assert expected.abs().max() > 1e-5
        torch.testing.assert_close(map_, expected, rtol=1e-6, atol=1e-10)


def positive(bias: bool = False) -> Network:
    """A network each of whose sums has something that is above zero."""
    network = net(bias)
    with torch.no_grad():
        for module in network.module.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight += 0.15
    return network


def test_by_z_plus_nothing_is_lost_or_added() -> None:
    network = positive(bias=True)
    shown = pictures(network)
    scores = network.class_scores(shown)[:, 1]
    assert (scores > 0.01).all()
    for at in (None, "0.0", "0.3", "0.7"):
        found = gradient_x_input(network, shown, Logit(1), rule=ZPLUS, at=at)
        torch.testing.assert_close(found.flatten(1).sum(1), scores)


def test_epsilon_keeps_what_it_takes() -> None:
    network = net(bias=False)
    shown = pictures(network)
    scores = network.class_scores(shown)[:, 2]
    sums = [
        gradient_x_input(network, shown, Logit(2), rule=epsilon(size)).flatten(1).sum(1)
        for size in (0.0, 1e-9, 1.0)
    ]
    torch.testing.assert_close(sums[0], scores)
    torch.testing.assert_close(sums[1], scores, rtol=1e-5, atol=1e-7)
    assert (sums[2].abs() < scores.abs()).all()


def test_epsilon_of_nothing_is_gradient_times_input() -> None:
    network = net()
    shown = pictures(network)
    expected = gradient_x_input(network, shown, Logit(0))
    found = gradient_x_input(network, shown, Logit(0), rule=epsilon(0.0))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("rule", [epsilon(), ZPLUS, RELP], ids=str)
def test_the_values_are_the_networks_own(rule: Rule) -> None:
    network = net()
    shown = pictures(network)
    before = gradient(network, shown, Logit(0))
    gradient(network, shown, Logit(0), rule=rule)
    assert torch.equal(gradient(network, shown, Logit(0)), before)


class Attentive(nn.Module):
    """Attention, a gated product, GELU and SiLU without biases, by functions or written out."""

    def __init__(self, written_out: bool) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, 4, bias=False)
        self.norm1, self.norm2 = nn.LayerNorm(8, bias=False), nn.LayerNorm(8, bias=False)
        self.qkv = nn.Linear(8, 24, bias=False)
        self.up, self.gate = nn.Linear(8, 12, bias=False), nn.Linear(8, 12, bias=False)
        self.down = nn.Linear(12, 8, bias=False)
        self.head = nn.Linear(8, 3, bias=False)
        self.written_out = written_out

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.written_out:
            return (q @ k.transpose(1, 2) / 8**0.5).softmax(-1) @ v
        return F.scaled_dot_product_attention(q, k, v)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.attend(*self.qkv(self.norm1(x)).chunk(3, -1))
        y = self.norm2(x)
        x = x + self.down(F.gelu(self.up(y)) * F.silu(self.gate(y)))
        return self.head(x.mean(1))


ATTENTIVE = Input(1, (12, 12), mean=0.4, std=0.3)


@pytest.mark.parametrize("written_out", [False, True])
def test_by_relp_a_transformer_is_a_linear_map(written_out: bool) -> None:
    network = Network(tiny.seeded(lambda: Attentive(written_out)), ATTENTIVE)
    shown = tiny.pictures(network)
    scores = network.class_scores(shown)[:, 1]
    for at in (None, "patches"):
        found = gradient_x_input(network, shown, Logit(1), rule=RELP, at=at)
        torch.testing.assert_close(found.flatten(1).sum(1), scores, rtol=1e-4, atol=1e-6)
        plain = gradient_x_input(network, shown, Logit(1), at=at)
        assert not torch.allclose(plain.flatten(1).sum(1), scores, rtol=0.05)


def test_relp_by_hand() -> None:
    network = Network(tiny.seeded(lambda: Attentive(True)), ATTENTIVE)
    shown = tiny.pictures(network)
    own = network.module
    with torch.no_grad():
        x0 = own.patches(network.input.normalise(shown)).flatten(2).transpose(1, 2)
        q, k, _ = own.qkv(own.norm1(x0)).chunk(3, -1)
        weights = (q @ k.transpose(1, 2) / 8**0.5).softmax(-1)
        x1 = x0 + weights @ own.qkv(own.norm1(x0)).chunk(3, -1)[2]
        y = own.norm2(x1)
        first, second = own.up(y), own.gate(y)
        gates = F.gelu(first) / first, F.silu(second) / second
        held = F.gelu(first), F.silu(second)

    def centred(x: Tensor, of: Tensor, norm: nn.LayerNorm) -> Tensor:
        spread = (of.var(-1, unbiased=False, keepdim=True) + norm.eps).sqrt()
        return (x - x.mean(-1, keepdim=True)) / spread * norm.weight

    def linear(x: Tensor) -> Tensor:
        x = x + weights @ own.qkv(centred(x, x0, own.norm1)).chunk(3, -1)[2]
        y = centred(x, x1, own.norm2)
        one, other = own.up(y) * gates[0], own.gate(y) * gates[1]
        return own.head((x + own.down((one * held[1] + held[0] * other) / 2)).mean(1))

    leaf = x0.clone().requires_grad_()
    (expected,) = torch.autograd.grad(linear(leaf)[:, 2].sum(), leaf)
    found = gradient(network, shown, Logit(2), rule=RELP, at="patches")
    torch.testing.assert_close(found.flatten(2).transpose(1, 2), expected, rtol=1e-4, atol=1e-6)


class TestRefusals:
    @pytest.mark.parametrize("rule", [epsilon(), ZPLUS], ids=str)
    @pytest.mark.parametrize(
        ("activation", "named"),
        [(nn.GELU, "GeluBackward0"), (nn.Sigmoid, "SigmoidBackward0"), (nn.ReLU6, "Hardtanh")],
    )
    def test_activations_that_are_no_gate(
        self, rule: Rule, activation: Callable[[], nn.Module], named: str
    ) -> None:
        network = net(activation=activation)
        with pytest.raises(RectifierError, match=rf"'{rule.name[0]}.*{named}"):
            gradient(network, pictures(network), Logit(0), rule=rule)

    @pytest.mark.parametrize("rule", [epsilon(), ZPLUS], ids=str)
    def test_attention(self, rule: Rule) -> None:
        network = Network(tiny.seeded(lambda: Attentive(False)), ATTENTIVE)
        with pytest.raises(RectifierError, match="Backward"):
            gradient(network, tiny.pictures(network), Logit(0), rule=rule)

    def test_batch_normalisation_by_z_plus(self) -> None:
        network = tiny.network("residual")
        with pytest.raises(RectifierError, match="fuse_conv_bn_eval"):
            gradient(network, tiny.pictures(network), Logit(0), rule=ZPLUS)
        assert gradient(network, tiny.pictures(network), Logit(0), rule=epsilon()).any()

    def test_weights_made_of_the_picture(self) -> None:
        class Made(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc, self.head = nn.Linear(4, 4), nn.Linear(1, 2)

            def forward(self, x: Tensor) -> Tensor:
                weight = self.fc(x.flatten(1)).view(-1, 1, 2, 2)
                made = F.conv2d(x.reshape(1, -1, 2, 2), weight, groups=len(x))
                return self.head(made.reshape(-1, 1))

        network = Network(tiny.seeded(Made), Input(1, (2, 2)))
        with pytest.raises(RectifierError, match="made of the picture"):
            gradient(network, torch.rand(1, 1, 2, 2), Logit(0), rule=epsilon())

    @pytest.mark.parametrize("rule", [epsilon(), ZPLUS], ids=str)
    def test_what_python_does_not_see(self, rule: Rule) -> None:
        encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        module = nn.Sequential(
            nn.Conv2d(1, 8, 4, 4), nn.Flatten(2), Swapped(), encoder, nn.Flatten(), nn.Linear(72, 3)
        )
        network = Network(module, ATTENTIVE)
        with pytest.raises(RectifierError, match="Backward"):
            gradient(network, tiny.pictures(network), Logit(0), rule=rule)

    def test_epsilon_below_zero(self) -> None:
        with pytest.raises(InputError, match="epsilon of -1"):
            epsilon(-1)


class ByHand(nn.Module):
    """What `nn.MultiheadAttention` does, in operations that a rule sees one by one."""

    def __init__(self, packed: nn.MultiheadAttention) -> None:
        super().__init__()
        self.packed = packed

    def forward(self, x: Tensor) -> Tensor:
        inner, heads = self.packed, self.packed.num_heads
        mixed = F.linear(x, inner.in_proj_weight, inner.in_proj_bias)
        q, k, v = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in mixed.chunk(3, dim=2))
        weights = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(-1)
        return inner.out_proj((weights @ v).transpose(1, 2).flatten(2))


class Packed(ByHand):
    def forward(self, x: Tensor) -> Tensor:
        return self.packed(x, x, x, need_weights=False)[0]


def test_relp_holds_the_weights_of_attention_that_is_one_call() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    found = []
    for kind in (ByHand, Packed):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(1, 8, 4, 4),
            nn.Flatten(2),
            Swapped(),
            kind(attention),
            nn.Flatten(),
            nn.Linear(72, 3),
        )
        network = Network(module, ATTENTIVE)
        found.append(gradient(network, tiny.pictures(network), Logit(0), rule=RELP))
        plain = gradient(network, tiny.pictures(network), Logit(0))
    torch.testing.assert_close(found[0], found[1])
    assert not torch.allclose(found[1], plain)


class Swapped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)
