"""Captum as an oracle, on networks where it is right: every ReLU a module of its own.

Captum is given normalised input, so its gradients are per unit of that; the chain rule brings
them to picture space. What is a product with the input needs no factor.
"""

import warnings
from collections.abc import Callable

import captum.attr
import pytest
import torch
from torch import Tensor

from phosphene.attribution import (
    deconvnet,
    gradient,
    gradient_x_input,
    guided,
    integrated_gradients,
)
from phosphene.network import Network
from phosphene.objectives import Logit, Neuron

CLASSES = (3, 0, 2)


@pytest.fixture
def per_picture_value(network: Network) -> Tensor:
    """How much the network's input changes with a picture's value."""
    low, high = network.input.value_range
    return (high - low) / torch.tensor(network.input.std, dtype=torch.double).view(1, -1, 1, 1)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            gradient,
            lambda m, x: captum.attr.Saliency(m).attribute(x, target=list(CLASSES), abs=False),
        ),
        (deconvnet, lambda m, x: captum.attr.Deconvolution(m).attribute(x, target=list(CLASSES))),
        (guided, lambda m, x: captum.attr.GuidedBackprop(m).attribute(x, target=list(CLASSES))),
    ],
)
@pytest.mark.slow
def test_gradients_under_rules(
    ours: Callable[..., Tensor],
    theirs: Callable[..., Tensor],
    network: Network,
    pictures: Tensor,
    per_picture_value: Tensor,
) -> None:
    maps = ours(network, pictures, Logit(CLASSES))
    inputs = network.input.normalise(pictures).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its hooks
        expected = theirs(network.module.eval(), inputs)
    torch.testing.assert_close(maps, expected.detach() * per_picture_value)


@pytest.mark.later
def test_neurons_inside(network: Network, pictures: Tensor, per_picture_value: Tensor) -> None:
    inputs = network.input.normalise(pictures).requires_grad_()
    layer = network.module.get_submodule("conv2")
    expected = captum.attr.NeuronGradient(network.module, layer).attribute(inputs, (3, 1, 0))
    maps = gradient(network, pictures, Neuron("conv2", 3, 1, 0))
    torch.testing.assert_close(maps, expected.detach() * per_picture_value)


def test_gradient_x_input(network: Network, pictures: Tensor) -> None:
    inputs = network.input.normalise(pictures).requires_grad_()
    expected = captum.attr.InputXGradient(network.module).attribute(inputs, target=list(CLASSES))
    maps = gradient_x_input(network, pictures, Logit(CLASSES))
    torch.testing.assert_close(maps, expected.detach())


@pytest.mark.parametrize("steps", [1, 7, 50])
@pytest.mark.slow
def test_integrated_gradients(steps: int, network: Network, pictures: Tensor) -> None:
    start = pictures.flip(0) / 2
    expected = captum.attr.IntegratedGradients(network.module).attribute(
        network.input.normalise(pictures),
        network.input.normalise(start),
        target=list(CLASSES),
        n_steps=steps,
        method="gausslegendre",
    )
    maps = integrated_gradients(network, pictures, Logit(CLASSES), start, steps)
    torch.testing.assert_close(maps, expected)
