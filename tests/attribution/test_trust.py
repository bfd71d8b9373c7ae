"""What maps depend on: guided ones hardly on the last layer or the class asked about.

*Source:* Adebayo et al. 2018, arXiv 1810.03292; Nie et al. 2018, arXiv 1805.07039; Sixt et al.
2020, arXiv 1912.09818. The bounds are far from what was measured there and on small networks.
"""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from phosphene.attribution import deconvnet, gradient, guided
from phosphene.data import digits
from phosphene.network import Input, Network
from phosphene.objectives import Logit
from phosphene.training import Training, seeded, train
from phosphene.zoo import hvass

pytestmark = pytest.mark.slow

SIZE = (16, 16)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A small network that reads handwritten digits."""
    path: Path = tmp_path_factory.mktemp("weights") / "digits.safetensors"
    module = seeded(lambda: hvass((1, *SIZE), widths=(8, 16), dense=(32,)), 0)
    record = Input(1, SIZE)
    recipe = Training(learning_rate=3e-3, batch=64, steps=300)
    for _ in train(module, record, digits("train", SIZE), recipe, path):
        pass
    return Network(module, record)


@pytest.fixture(scope="module")
def held_out() -> tuple[Tensor, Tensor]:
    data = digits("test", SIZE)
    items = [data[i] for i in range(150)]
    return torch.stack([x.picture for x in items]), torch.tensor([x.label for x in items])


def cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.cosine_similarity(a.flatten(1), b.flatten(1)).mean())


def test_the_network_is_worth_asking(network: Network, held_out: tuple[Tensor, Tensor]) -> None:
    pictures, labels = held_out
    assert (network.class_scores(pictures).argmax(1) == labels).float().mean() > 0.93


def test_only_the_gradient_notices_a_new_last_layer(
    network: Network, held_out: tuple[Tensor, Tensor]
) -> None:
    pictures, labels = held_out
    asked = Logit(tuple(labels.tolist()))
    for seed in range(3):
        module = copy.deepcopy(network.module)
        last = module.get_submodule("fc2")
        assert isinstance(last, nn.Linear)
        generator = torch.Generator().manual_seed(seed)
        nn.init.xavier_uniform_(last.weight, generator=generator)
        other = Network(module, network.input)
        alike = {
            method: cosine(method(network, pictures, asked), method(other, pictures, asked))
            for method in (gradient, deconvnet, guided)
        }
        assert alike[gradient] < 0.3
        assert alike[guided] > 0.8
        assert alike[gradient] < alike[deconvnet]


def test_only_the_gradient_notices_another_class(
    network: Network, held_out: tuple[Tensor, Tensor]
) -> None:
    pictures, _ = held_out
    first, second = network.class_scores(pictures).topk(2).indices.unbind(1)
    alike = {
        method: cosine(
            method(network, pictures, Logit(tuple(first.tolist()))),
            method(network, pictures, Logit(tuple(second.tolist()))),
        )
        for method in (gradient, deconvnet, guided)
    }
    assert alike[gradient] < 0.3
    assert alike[guided] > 0.8
    assert alike[gradient] < alike[deconvnet]
