"""Maps against finite differences, hand calculations and their own axioms."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

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
from phosphene.errors import ChannelError, InputError, ObjectiveError, RectifierError
from phosphene.network import DECONVNET, GUIDED, PLAIN, Input, Network, Rule
from phosphene.objectives import L2, Channel, Direction, Logit, Neuron, Probability, Term

pytestmark = pytest.mark.slow  # together more than a few seconds

OBJECTIVES = [
    Logit((0, 3, 2)),
    Probability(1),
    Channel("conv1", (3, 0, 1)),
    Channel("act2", 2),
    Neuron("conv2", (4, 1, 0), y=(0, 1, 1), x=(1, 0, 1)),
    Channel("fc1", (5, 2, 0)),
    Direction("conv2", (1.0, -1.0, 0.5, 0.0, 2.0)),
    Logit((1, 1, 1)) - 0.5 * Channel("conv1", 0) - 0.1 * L2(0.5),
]

every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def score(network: Network, pictures: Tensor, objective: Term) -> Tensor:
    return objective(network.record(pictures, objective.layers)).detach()


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_gradient_equals_finite_differences(
    objective: Term, make_network: Callable[..., Network], make_pictures: Callable[..., Tensor]
) -> None:
    network = make_network(3, activation=nn.Softplus)
    pictures = make_pictures(network) * 0.9 + 0.05
    slow, step = torch.zeros_like(pictures), 1e-5
    for place in range(pictures[0].numel()):  # the pictures of a batch do not see each other
        nudge = torch.zeros_like(pictures)
        nudge.flatten(1)[:, place] = step
        rise = score(network, pictures + nudge, objective)
        fall = score(network, pictures - nudge, objective)
        slow.flatten(1)[:, place] = (rise - fall) / (2 * step)
    torch.testing.assert_close(gradient(network, pictures, objective), slow, rtol=1e-6, atol=1e-8)


def test_rules_equal_a_network_worked_by_hand() -> None:
    first = torch.tensor([[1.0, -2.0, 0.5], [-1.0, 1.0, 1.0], [2.0, 0.0, -1.0]])
    second = torch.tensor([[1.0, -1.0, 2.0]])
    module = nn.Sequential(nn.Flatten(), nn.Linear(3, 3, bias=False), nn.ReLU(), nn.Linear(3, 1))
    module[1].weight.data, module[3].weight.data = first.clone(), second.clone()
    network = Network(module, Input(1, (1, 3)))
    picture = torch.tensor([[[[0.2, 0.5, 0.9]]]])
    hidden = first @ picture.flatten()  # -0.35, 1.2, -0.5: only the second unit is open
    above = second[0]  # 1, -1, 2: the second unit receives a negative gradient
    expected = {
        gradient: (above * (hidden > 0)) @ first,
        deconvnet: above.clamp_min(0) @ first,
        guided: (above * (hidden > 0)).clamp_min(0) @ first,
    }
    assert hidden.gt(0).tolist() == [False, True, False]
    assert expected[deconvnet].tolist() == [5.0, -2.0, -1.5]
    for method, slopes in expected.items():
        torch.testing.assert_close(method(network, picture, Logit(0)).flatten(), slopes)


@pytest.mark.parametrize("objective", [Logit((2, 0, 3)), Channel("act2", 1), Neuron("fc1", 2)])
def test_gradient_x_input_sums_to_the_score_without_biases(
    objective: Term, make_network: Callable[..., Network], make_pictures: Callable[..., Tensor]
) -> None:
    network = make_network(3, bias=False)
    pictures = make_pictures(network)
    maps = gradient_x_input(network, pictures, objective)
    torch.testing.assert_close(maps.sum((1, 2, 3)), score(network, pictures, objective))


@pytest.mark.parametrize("given", [False, True])
def test_integrated_gradients_are_complete(
    given: bool,
    network: Network,
    pictures: Tensor,
    make_network: Callable[..., Network],
    make_pictures: Callable[..., Tensor],
) -> None:
    smooth = make_network(network.input.channels, activation=nn.Softplus)
    start = make_pictures(smooth, seed=5) if given else None
    black = torch.zeros_like(pictures) if start is None else start
    for objective in OBJECTIVES:
        maps = integrated_gradients(smooth, pictures, objective, start, steps=30)
        rise = score(smooth, pictures, objective) - score(smooth, black, objective)
        torch.testing.assert_close(maps.sum((1, 2, 3)), rise, rtol=1e-6, atol=1e-8)
    # The kinks of ReLU slow the quadrature down; more points come closer.
    rise = score(network, pictures, Logit(0)) - score(network, black, Logit(0))
    misses = [
        integrated_gradients(network, pictures, Logit(0), start, n).sum((1, 2, 3)) - rise
        for n in (5, 150)
    ]
    assert misses[1].abs().max() < 2e-3
    assert misses[1].abs().max() < misses[0].abs().max()


def test_integrated_gradients_of_a_line_are_exact_with_one_point(pictures: Tensor) -> None:
    channels, height, width = pictures.shape[1:]
    linear = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 2))
    network = Network(linear, Input(channels, (height, width), mean=0.4, std=0.2))
    weights = linear[1].weight[1].view(pictures.shape[1:]).detach() / 0.2
    maps = integrated_gradients(network, pictures.float(), Logit(1), steps=1)
    torch.testing.assert_close(maps, weights * pictures.float())


@every_method
@pytest.mark.parametrize("objective", [o for o in OBJECTIVES if o.batch == 3], ids=str)
def test_a_batch_of_units_equals_one_by_one(
    method: Attribution, objective: Term, network: Network, pictures: Tensor
) -> None:
    together = method(network, pictures, objective)
    assert together.shape == pictures.shape
    for i in range(len(pictures)):
        alone = method(network, pictures[[i]], objective.take([i]))
        torch.testing.assert_close(alone[0], together[i], rtol=1e-9, atol=1e-12)


@every_method
def test_cross_pairs_every_picture_with_every_unit(
    method: Attribution, network: Network, pictures: Tensor
) -> None:
    paired, objective = cross(pictures, Channel("act2", (4, 0)))
    assert len(paired) == 6
    assert objective == Channel("act2", (4, 0, 4, 0, 4, 0))
    maps = method(network, paired, objective)
    for i in range(3):
        for j, unit in enumerate((4, 0)):
            alone = method(network, pictures[[i]], Channel("act2", unit))
            torch.testing.assert_close(maps[2 * i + j], alone[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", [PLAIN, GUIDED, DECONVNET], ids=str)
@pytest.mark.parametrize("index", [(4, 0, 2), 3], ids=["units", "unit"])
def test_each_gradient_equals_one_pass_for_each_pair(
    index: int | tuple[int, ...],
    rule: Rule,
    make_network: Callable[..., Network],
    make_pictures: Callable[..., Tensor],
) -> None:
    network = make_network()
    pictures, asked = make_pictures(network), Channel("act2", index)
    maps = each_gradient(network, pictures, asked, rule)
    torch.testing.assert_close(maps, gradient(network, *cross(pictures, asked), rule))


def test_cross_with_one_unit_is_the_pictures_themselves(pictures: Tensor) -> None:
    paired, objective = cross(pictures, Channel("act2", 3))
    assert torch.equal(paired, pictures)
    assert objective == Channel("act2", 3)


class TestInputShift:
    """A constant added to the input and taken back by the network must not change a map.

    *Source:* Kindermans et al. 2017, arXiv 1711.00867.
    """

    def shifted(self, network: Network, shift: Tensor) -> tuple[Network, Network]:
        """The same function of `pictures + shift`: compensated in the mean, and in the bias."""
        low, high = network.input.value_range
        moved = torch.tensor(network.input.mean) + shift * (high - low)
        by_mean = Input(
            network.input.channels,
            network.input.size,
            tuple(moved.tolist()),
            network.input.std,
            network.input.value_range,
        )
        conv = network.module.get_submodule("conv1")
        clone = copy.deepcopy(network.module)
        per_channel = shift.double() * (high - low) / torch.tensor(network.input.std).double()
        clone.get_parameter("conv1.bias").data -= conv.weight.data.sum((2, 3)) @ per_channel
        return Network(network.module, by_mean), Network(clone, network.input)

    @every_method
    def test_maps_after_a_shift(
        self, method: Attribution, network: Network, pictures: Tensor
    ) -> None:
        pictures = 0.6 * pictures
        shift = torch.linspace(0.1, 0.4, network.input.channels)
        moved = pictures + shift.view(1, -1, 1, 1)
        by_mean, by_bias = self.shifted(network, shift)
        for other in (by_mean, by_bias):
            torch.testing.assert_close(
                score(other, moved, Logit(1)), score(network, pictures, Logit(1)), atol=1e-6, rtol=0
            )
        before = method(network, pictures, Logit(1))
        if method in (gradient, deconvnet, guided):
            for other in (by_mean, by_bias):
                torch.testing.assert_close(
                    method(other, moved, Logit(1)), before, atol=1e-6, rtol=0
                )
        elif method is gradient_x_input:  # the record knows where zero went; a bias does not
            after = method(by_mean, moved, Logit(1))
            torch.testing.assert_close(after, before, atol=1e-6, rtol=0)
            assert (method(by_bias, moved, Logit(1)) - before).abs().max() > 1e-3


@every_method
def test_the_network_is_given_back_as_it_was(
    method: Attribution,
    make_network: Callable[..., Network],
    make_pictures: Callable[..., Tensor],
) -> None:
    network = make_network(3)
    pictures = make_pictures(network)
    module = network.module.train()
    module.get_parameter("fc1.weight").requires_grad_(False)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    given = pictures.clone()
    method(network, pictures, Logit(0))
    with pytest.raises(ObjectiveError):
        method(network, pictures, Logit(99))
    assert torch.equal(pictures, given)
    assert not pictures.requires_grad
    for name, value in module.state_dict().items():
        assert torch.equal(value, state[name])
    assert all(m.training and not m._forward_hooks for m in module.modules())
    frozen = [name for name, p in module.named_parameters() if not p.requires_grad]
    assert frozen == ["fc1.weight"]
    assert all(p.grad is None for p in module.parameters())


def test_maps_can_be_asked_for_without_gradients_around(network: Network, pictures: Tensor) -> None:
    expected = gradient(network, pictures, Logit(0))
    with torch.no_grad():
        maps = gradient(network, pictures, Logit(0))
    assert torch.equal(maps, expected)
    assert not maps.requires_grad


class TestRefusals:
    @every_method
    @pytest.mark.parametrize("change", [lambda p: p * 255, lambda p: p - 1, lambda p: p / 0])
    def test_values_outside_the_unit_interval(
        self,
        method: Attribution,
        change: Callable[[Tensor], Tensor],
        network: Network,
        pictures: Tensor,
    ) -> None:
        with pytest.raises(InputError, match=r"expected \[0, 1\]"):
            method(network, change(pictures), Logit(0))

    def test_another_number_of_channels(self, network: Network, pictures: Tensor) -> None:
        with pytest.raises(ChannelError):
            gradient(network, pictures.repeat(1, 2, 1, 1), Logit(0))

    def test_another_number_of_pictures(self, network: Network, pictures: Tensor) -> None:
        with pytest.raises(ObjectiveError, match="2 images was given 3"):
            gradient(network, pictures, Logit((0, 1)))

    def test_no_steps(self, network: Network, pictures: Tensor) -> None:
        with pytest.raises(InputError, match="0 steps"):
            integrated_gradients(network, pictures, Logit(0), steps=0)

    @every_method
    def test_layers_cut_off_from_the_picture(self, method: Attribution) -> None:
        class Detached(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x.detach() * 2

        module = nn.Sequential(nn.Conv2d(1, 2, 3), Detached(), nn.Flatten(), nn.Linear(8, 2))
        network = Network(module, Input(1, (4, 4)))
        with pytest.raises(ObjectiveError, match="does not depend on the pictures"):
            method(network, torch.rand(2, 1, 4, 4), Logit(0))

    @pytest.mark.parametrize("method", [deconvnet, guided])
    def test_activations_without_a_rule(
        self,
        method: Attribution,
        make_network: Callable[..., Network],
        make_pictures: Callable[..., Tensor],
    ) -> None:
        network = make_network(1, activation=nn.GELU)
        pictures = make_pictures(network)
        with pytest.raises(RectifierError, match=r"Gelu.*integrated gradients"):
            method(network, pictures, Logit(0))
        assert method(network, pictures, Channel("conv1", 0)).abs().sum() > 0  # before any GELU
