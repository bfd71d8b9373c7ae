"""Gradients with respect to a layer's values, against the network cut in two by hand."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import tiny
from cells import crossed
from phosphene.attribution import (
    METHODS,
    Attribution,
    cross,
    deconvnet,
    each_gradient,
    gradient,
    gradient_x_input,
    guided,
    integrated_gradients,
)
from phosphene.errors import (
    InputError,
    NetworkError,
    ObjectiveError,
    RectifierError,
    UnknownLayerError,
)
from phosphene.network import DECONVNET, GUIDED, PLAIN, STRAIGHT, Input, Network, Rule
from phosphene.objectives import L2, Channel, Logit, Neuron, Probability, Term

LAYERS = ("conv1", "act1", "pool", "conv2", "flat", "fc1", "act3", "fc2")

every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def parts(network: Network, layer: str) -> tuple[nn.Module, nn.Module]:
    """The network up to `layer` and from there on: net(x) = tail(head(x))."""
    children = list(network.module.named_children())
    cut = [name for name, _ in children].index(layer) + 1
    modules = [child for _, child in children]
    return nn.Sequential(*modules[:cut]), nn.Sequential(*modules[cut:])


def slope(function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    leaf = values.detach().clone().requires_grad_()
    (found,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_the_gradient_is_that_of_the_tail(layer: str, network: Network, pictures: Tensor) -> None:
    head, tail = parts(network, layer)
    values = head(network.input.normalise(pictures))
    expected = slope(lambda a: tail(a)[:, 2], values)
    found = gradient(network, pictures, Logit(2), at=layer)
    torch.testing.assert_close(found, expected)
    assert found.shape == network.record(pictures, [layer])[layer].shape


def test_of_a_deeper_layer_it_goes_back_to_the_earlier_one(
    network: Network, pictures: Tensor
) -> None:
    head, tail = parts(network, "conv1")
    expected = slope(
        lambda a: tail[:3](a)[:, 3].mean((1, 2)), head(network.input.normalise(pictures))
    )
    assert expected.any()
    torch.testing.assert_close(
        gradient(network, pictures, Channel("conv2", 3), at="conv1"), expected
    )


def test_at_the_objectives_own_layer_it_is_what_the_objective_does_with_it(
    network: Network, pictures: Tensor
) -> None:
    found = gradient(network, pictures, Neuron("conv2", 1, 0, 1), at="conv2")
    expected = torch.zeros_like(found)
    expected[:, 1, 0, 1] = 1
    assert torch.equal(found, expected)


class Steps(torch.autograd.Function):
    """ReLU whose gradient is written down for the rule of that name."""

    @staticmethod
    def forward(ctx, x, rule):
        ctx.save_for_backward(x)
        ctx.rule = rule
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        if ctx.rule in {"plain", "guided"}:
            grad = grad * (x > 0)
        return (grad.clamp(min=0) if ctx.rule in {"deconvnet", "guided"} else grad), None


@pytest.mark.parametrize("rule", [PLAIN, GUIDED, DECONVNET, STRAIGHT], ids=str)
@pytest.mark.parametrize("layer", ["conv1", "act2", "fc1"])
def test_rules_act_on_the_rectifiers_after_the_layer(
    rule: Rule, layer: str, network: Network, pictures: Tensor
) -> None:
    head, tail = parts(network, layer)

    def by_hand(values: Tensor) -> Tensor:
        for module in tail:
            relu = isinstance(module, nn.ReLU)
            values = Steps.apply(values, rule.name) if relu else module(values)
        return values[:, 1]

    expected = slope(by_hand, head(network.input.normalise(pictures)))
    torch.testing.assert_close(gradient(network, pictures, Logit(1), rule, at=layer), expected)


def test_each_method_by_name_is_its_rule(network: Network, pictures: Tensor) -> None:
    for method, rule in ((guided, GUIDED), (deconvnet, DECONVNET)):
        expected = gradient(network, pictures, Logit(0), rule, at="act1")
        assert torch.equal(method(network, pictures, Logit(0), at="act1"), expected)


def test_rectifiers_before_the_layer_need_no_rule(make_network: Callable[..., Network]) -> None:
    network = make_network(1, activation=nn.GELU)
    pictures = torch.rand(2, *network.input.shape, dtype=torch.double)
    with pytest.raises(RectifierError, match="Gelu"):
        guided(network, pictures, Logit(0), at="fc1")
    plain = gradient(network, pictures, Logit(0), at="act3")
    assert torch.equal(guided(network, pictures, Logit(0), at="act3"), plain)


@pytest.mark.parametrize("layer", LAYERS[:-1])
def test_gradient_times_value_sums_to_the_score_without_biases(
    layer: str, make_network: Callable[..., Network], make_pictures: Callable[..., Tensor]
) -> None:
    network = make_network(3, bias=False)
    pictures = make_pictures(network)
    found = gradient_x_input(network, pictures, Logit(3), at=layer)
    score = network.class_scores(pictures)[:, 3]
    torch.testing.assert_close(found.flatten(1).sum(1), score)
    values = network.record(pictures, [layer])[layer]
    slopes = gradient(network, pictures, Logit(3), at=layer)
    base = torch.linspace(0, 1, values[:1].numel(), dtype=values.dtype).view_as(values[:1])
    shifted = gradient_x_input(network, pictures, Logit(3), base, at=layer)
    torch.testing.assert_close(shifted, slopes * (values - base))


@pytest.mark.parametrize(("layer", "given"), crossed(LAYERS, [False, True]))
def test_integrated_gradients_at_a_layer_are_complete(
    layer: str,
    given: bool,
    make_network: Callable[..., Network],
    make_pictures: Callable[..., Tensor],
) -> None:
    network = make_network(3, activation=nn.Softplus)
    pictures = make_pictures(network)
    head, tail = parts(network, layer)
    values = head(network.input.normalise(pictures))
    base = values.roll(1, 0) if given else None
    maps = integrated_gradients(network, pictures, Probability(1), base, steps=30, at=layer)
    before = torch.zeros_like(values) if base is None else base
    rise = (tail(values).softmax(1) - tail(before).softmax(1))[:, 1]
    torch.testing.assert_close(maps.flatten(1).sum(1), rise, rtol=1e-6, atol=1e-8)


def test_the_pictures_can_have_another_baseline(network: Network, pictures: Tensor) -> None:
    base = 0.5 * pictures
    expected = gradient(network, pictures, Logit(0)) * (pictures - base)
    assert torch.equal(gradient_x_input(network, pictures, Logit(0), base), expected)


@every_method
def test_a_batch_of_units_equals_one_by_one(
    method: Attribution, network: Network, pictures: Tensor
) -> None:
    objective = Logit((2, 0, 3))
    together = method(network, pictures, objective, at="conv1")
    for i in range(len(pictures)):
        alone = method(network, pictures[[i]], objective.take([i]), at="conv1")
        torch.testing.assert_close(alone[0], together[i], rtol=1e-9, atol=1e-12)


def test_each_gradient_equals_one_pass_for_each_pair(network: Network, pictures: Tensor) -> None:
    asked = Logit((2, 0))
    found = each_gradient(network, pictures, asked, GUIDED, at="act2")
    paired, objective = cross(pictures, asked)
    torch.testing.assert_close(found, gradient(network, paired, objective, GUIDED, at="act2"))


@pytest.mark.parametrize("name", tiny.NETWORKS)
def test_every_layer_of_every_build_gives_back_its_own_shape(name: str) -> None:
    net = tiny.network(name)
    pictures = tiny.pictures(net)
    last = next(reversed(net.layers))
    for layer in net.layers:
        try:
            found = gradient(net, pictures, Channel(last, 1), at=layer)
        except ObjectiveError:
            continue  # a part of an output that nothing follows
        assert found.shape == (3, *net.layers[layer].shape), layer


def test_around_the_layer_the_network_is_held_as_it_was() -> None:
    net = tiny.network("residual")
    pictures = tiny.pictures(net)
    maps = gradient_x_input(net, pictures, Logit(0), at="bn2")
    stem = gradient_x_input(net, pictures, Logit(0), at="shortcut")
    join = gradient_x_input(net, pictures, Logit(0), at="relu@2")
    together, whole = (maps + stem).flatten(1).sum(1), join.flatten(1).sum(1)
    torch.testing.assert_close(together, whole, rtol=1e-4, atol=1e-6)


def test_pictures_that_are_shown_in_parts_have_each_their_own_values() -> None:
    class Fours(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 3, 3), nn.Linear(48, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.conv(x).relu().reshape(4, 48))

    net = Network(tiny.seeded(Fours), Input(1, (6, 6)))
    assert net.feed.batch == 4
    pictures = tiny.pictures(net, 7)
    values = net.record(pictures, ["conv"])["conv"]
    expected = slope(lambda a: net.module.fc(a.relu().flatten(1))[:, 1], values)
    torch.testing.assert_close(gradient(net, pictures, Logit(1), at="conv"), expected)


def test_the_network_is_given_back_as_it_was(network: Network, pictures: Tensor) -> None:
    before = network.class_scores(pictures)
    for method in METHODS.values():
        method(network, pictures, Logit(0), at="conv2")
    assert torch.equal(network.class_scores(pictures), before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.module.modules())


class TestRefusals:
    @every_method
    def test_unknown_layers(self, method: Attribution, network: Network, pictures: Tensor) -> None:
        with pytest.raises(UnknownLayerError, match=r"no layer 'conv3'; nearest: conv"):
            method(network, pictures, Logit(0), at="conv3")

    @every_method
    @pytest.mark.parametrize("objective", [Channel("conv1", 0), L2(0.5)], ids=str)
    def test_layers_after_the_objectives(
        self, method: Attribution, objective: Term, network: Network, pictures: Tensor
    ) -> None:
        said = r"does not depend on the values of layer 'conv2'.*Give an earlier layer"
        with pytest.raises(ObjectiveError, match=said):
            method(network, pictures, objective, at="conv2")

    def test_layers_on_another_branch(self) -> None:
        net = tiny.network("residual")
        with pytest.raises(ObjectiveError, match="another branch"):
            gradient(net, tiny.pictures(net), Channel("shortcut", 0), at="conv2")

    def test_baselines_of_another_shape(self, network: Network, pictures: Tensor) -> None:
        for method in (gradient_x_input, integrated_gradients):
            with pytest.raises(InputError, match=r"baseline of shape \(3, 7\).*\(3, 6\)"):
                method(network, pictures, Logit(0), torch.zeros(3, 7), at="fc1")

    def test_pictures_outside_the_unit_interval(self, network: Network, pictures: Tensor) -> None:
        with pytest.raises(InputError, match=r"expected \[0, 1\]"):
            gradient(network, pictures * 255, Logit(0), at="fc1")

    @pytest.mark.slow
    def test_networks_that_compute_parts_anew(self) -> None:
        class Anew(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.fc = nn.Conv2d(1, 3, 3), nn.Linear(48, 2)

            def forward(self, x: Tensor) -> Tensor:
                inner = checkpoint(lambda x: self.conv(x).exp(), x, use_reentrant=False)
                return self.fc(inner.flatten(1))

        net = Network(tiny.seeded(Anew), Input(1, (6, 6)))
        with pytest.raises(NetworkError, match="gradient at layer 'conv' cannot reach"):
            integrated_gradients(net, tiny.pictures(net), Logit(0), at="conv")
