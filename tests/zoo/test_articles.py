"""The articles' networks, for any picture and any number of classes, and their trainings."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cells import crossed, some
from phosphene.data import ArrayDataset, digits, mnist
from phosphene.errors import DataError, SettingError
from phosphene.network import Input, Network, load_network
from phosphene.training import accuracy, seeded, train
from phosphene.zoo import (
    ARTICLES,
    HVASS,
    KRISHNA,
    PYTORCH,
    SOFTMAX,
    Article,
    bruner,
    krishna,
    pytorch_example,
    softmax_regression,
)

LAYERS = {
    "softmax": [("fc1", (10,))],
    "krishna": [("conv1", (20, 24, 24)), ("conv2", (50, 8, 8)), ("fc1", (256,)), ("fc2", (2,))],
    "bruner": [("conv1", (32, 28, 28)), ("conv2", (64, 14, 14)), ("fc1", (1024,)), ("fc2", (10,))],
    "hvass": [("conv1", (16, 28, 28)), ("conv2", (36, 14, 14)), ("fc1", (128,)), ("fc2", (10,))],
    "pytorch": [("conv1", (32, 26, 26)), ("conv2", (64, 24, 24)), ("fc1", (128,)), ("fc2", (10,))],
}
PARAMETERS = {
    "softmax": 7_850,
    "krishna": 26 * 20 + 501 * 50 + 801 * 256 + 257 * 2,
    "bruner": 26 * 32 + 801 * 64 + 3137 * 1024 + 1025 * 10,
    "hvass": 242_062,
    "pytorch": 1_199_882,  # as the example's own network counts
}
EVERY = pytest.mark.parametrize("name", ARTICLES)


@EVERY
def test_networks_are_those_of_the_articles(name: str) -> None:
    network = ARTICLES[name]()
    assert [(layer.name, layer.shape) for layer in network.default_layers] == LAYERS[name]
    assert sum(p.numel() for p in network.module.parameters()) == PARAMETERS[name]
    assert network.logits.name == LAYERS[name][-1][0]
    assert network.classes == (("1", "7") if name == "krishna" else tuple("0123456789"))


@pytest.mark.parametrize(
    ("name", "shape"), crossed(ARTICLES, [(3, 32, 32), (1, 16, 40), (2, 33, 17)])
)
def test_any_picture_and_any_number_of_classes(name: str, shape: tuple[int, int, int]) -> None:
    network = ARTICLES[name](shape, ("a", "b", "c"))
    assert network.class_scores(torch.rand(2, *shape)).shape == (2, 3)
    assert network.classes == ("a", "b", "c")


@pytest.mark.parametrize("name", ["krishna", "bruner", "hvass"])
def test_widths_and_dense_layers_are_settings(name: str) -> None:
    network = ARTICLES[name]((1, 64, 64), widths=(3, 4, 5), dense=(6, 7))
    units = {layer.name: layer.units for layer in network.default_layers}
    last = len(network.classes)
    assert units == {"conv1": 3, "conv2": 4, "conv3": 5, "fc1": 6, "fc2": 7, "fc3": last}
    thin = PYTORCH(widths=(3, 4), dense=5)
    assert [layer.units for layer in thin.default_layers] == [3, 4, 5, 10]


@EVERY
def test_each_is_a_factory_by_name(name: str) -> None:
    network = load_network(f"phosphene.zoo:{name.upper()}")
    article = ARTICLES[name]
    assert network.input == Input(1, (28, 28), article.mean, article.std)
    assert network.labels == article.classes
    assert network.name == article.title


@pytest.mark.parametrize(
    ("make", "smallest", "message"),
    [
        (krishna, 16, "2 unpadded convolutions of 5 x 5 and 2 poolings by 2 leave nothing"),
        (bruner, 4, "^2 poolings by 2 leave nothing of a picture of 3 x 9"),
        (pytorch_example, 6, "two convolutions of 3x3 and a pooling by 2 leave nothing"),
    ],
)
def test_pictures_too_small(make: Callable[..., nn.Module], smallest: int, message: str) -> None:
    shape = (1, smallest, smallest + 6)
    assert make(shape, 4)(torch.rand(1, *shape)).shape == (1, 4)
    with pytest.raises(SettingError, match=message):
        make((1, smallest - 1, smallest + 5), 4)


class TestFirstWeights:
    def test_softmax_starts_undecided(self) -> None:
        network = SOFTMAX()
        assert torch.equal(
            network.probabilities(torch.rand(2, 1, 28, 28)), torch.full((2, 10), 0.1)
        )

    def test_krishna_is_glorot_uniform_with_relu_gain(self) -> None:
        module = seeded(krishna, 0)
        for layer in (module.conv2, module.fc1):
            area = layer.weight[0, 0].numel() if layer.weight.ndim == 4 else 1
            fans = (layer.weight.shape[0] + layer.weight.shape[1]) * area
            bound = math.sqrt(2) * math.sqrt(6 / fans)
            assert 0.98 * bound < layer.weight.abs().max() <= bound
            assert layer.weight.detach().std() == pytest.approx(bound / math.sqrt(3), rel=0.03)
            assert not layer.bias.any()

    @pytest.mark.later
    def test_bruner_is_normal_within_two_deviations(self) -> None:
        module = seeded(bruner, 0)
        weight = module.fc1.weight.detach()
        assert 0.19 < weight.abs().max() <= 0.2
        assert weight.std() == pytest.approx(0.1 * 0.8796, rel=0.01)  # what the cut leaves of 0.1
        assert all(torch.all(p == 0.1) for n, p in module.named_parameters() if n.endswith("bias"))

    @pytest.mark.parametrize("name", some(ARTICLES, quick=ARTICLES.keys() - {"bruner"}))
    def test_they_depend_on_the_seed_alone(self, name: str) -> None:
        article = ARTICLES[name]
        one, again, other = article(seed=3), article(seed=3), article(seed=4)
        assert one.fingerprint == again.fingerprint
        assert (one.fingerprint == other.fingerprint) == (name == "softmax")


class TestOutputs:
    def test_pytorch_gives_log_probabilities(self) -> None:
        network = PYTORCH()
        pictures = torch.rand(3, 1, 28, 28)
        with torch.no_grad():
            output = network.module.eval()(network.input.normalise(pictures))
        torch.testing.assert_close(output.exp().sum(1), torch.ones(3))
        torch.testing.assert_close(output.exp(), network.probabilities(pictures))

    def test_cross_entropy_of_log_probabilities_is_that_of_logits(self) -> None:
        logits = (3 * torch.randn(5, 4, dtype=torch.float64)).requires_grad_()
        labels = torch.tensor([0, 1, 2, 3, 0])
        plain = F.cross_entropy(logits, labels)
        twice = F.cross_entropy(logits.log_softmax(1), labels)
        torch.testing.assert_close(plain, twice)
        gradients = [torch.autograd.grad(loss, logits)[0] for loss in (plain, twice)]
        torch.testing.assert_close(*gradients)

    @pytest.mark.later
    def test_dropout_keeps_half(self) -> None:
        module = bruner()
        values = module.dropout.train()(torch.ones(10_000))
        assert values.unique().tolist() == [0.0, 2.0]
        assert values.mean() == pytest.approx(1.0, abs=0.06)


class TestData:
    @EVERY
    def test_every_picture_is_in_one_part(self, name: str) -> None:
        article, data = ARTICLES[name], digits("train")
        training, validation = article.split(data)
        chosen = article.pictures(data)
        start, stop = article.held_out
        assert len(training) + len(validation) == len(chosen)
        assert training.classes == validation.classes == chosen.classes == article.classes
        assert len(validation) == pytest.approx((stop - start) * len(chosen), rel=0.15)

    def test_parts_keep_their_order(self) -> None:
        pictures = torch.arange(24, dtype=torch.uint8).view(24, 1, 1, 1)
        labels = torch.arange(24) % 10
        data = ArrayDataset(pictures, labels, name="d", classes=tuple("0123456789"))
        training, validation = SOFTMAX.split(data)
        assert validation.pictures.flatten().tolist() == [0, 1]
        assert training.pictures.flatten().tolist() == list(range(2, 24))
        training, validation = KRISHNA.split(data)
        assert training.pictures.flatten().tolist() == [1, 7, 11, 17]
        assert training.labels.tolist() == [0, 1, 0, 1]
        assert validation.pictures.flatten().tolist() == [21]
        training, validation = PYTORCH.split(data)
        assert (len(training), len(validation)) == (24, 0)

    def test_classes_that_are_not_there(self) -> None:
        data = ArrayDataset(
            torch.zeros(2, 1, 4, 4, dtype=torch.uint8),
            torch.tensor([0, 1]),
            name="pair",
            classes=("dark", "light"),
        )
        with pytest.raises(DataError, match="no class '1' in 'pair"):
            KRISHNA.split(data)

    @pytest.mark.later
    def test_the_tutorials_split_of_mnist(self, shared_data: Path) -> None:
        data = mnist(shared_data / "mnist")
        training, validation = SOFTMAX.split(data)
        assert (len(training), len(validation)) == (55_000, 5_000)
        assert torch.equal(validation.pictures, data.pictures[:5_000])


@pytest.mark.parametrize(
    ("article", "share"),
    [(SOFTMAX, 0.85), (KRISHNA, 0.98), (replace(HVASS, classes=("3", "5")), 0.9), (PYTORCH, 0.9)],
    ids=lambda value: value.title if isinstance(value, Article) else "",
)
@pytest.mark.slow
def test_they_learn(article: Article, share: float, tmp_path: Path) -> None:
    training, _ = article.split(digits("train", (16, 16)))
    network = article((1, 16, 16))
    recipe = replace(article.recipe, batch=32, epochs=None, steps=120)
    if recipe.optimizer == "Adam":
        recipe = replace(recipe, learning_rate=2e-3)
    for _ in train(network.module, network.input, training, recipe, tmp_path / "w"):
        pass
    assert accuracy(network, article.pictures(digits("test", (16, 16)))) > share


def test_accuracy_is_the_share_of_right_answers() -> None:
    data = digits("test", (8, 8))
    module = softmax_regression((1, 8, 8))
    generator = torch.Generator().manual_seed(0)
    nn.init.normal_(module.fc1.weight, generator=generator)
    network = Network(module, Input(1, (8, 8)))
    right = sum(
        int((module.fc1.weight @ picture.flatten()).argmax()) == label
        for picture, label in (data[i] for i in range(len(data)))
    )
    assert accuracy(network, data) == pytest.approx(right / len(data))


def test_accuracy_on_nothing_is_refused() -> None:
    _, nothing = PYTORCH.split(digits("train"))
    with pytest.raises(DataError, match="no labelled picture"):
        accuracy(PYTORCH(), nothing)
