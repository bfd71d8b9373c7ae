"""One streaming pass against a slow one that holds everything in memory."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor, nn
from torch.utils.data import Dataset

from cells import some
from phosphene.data import Batch, Unreadable, batches
from phosphene.errors import DataError, UnknownLayerError
from phosphene.network import Input, Network
from phosphene.survey import LayerSurvey, Moments, Survey, most_correlated
from phosphene.units import LOGITS

LAYERS = ["conv", "relu", "tokens", "fc"]
K, CLASSES = 5, 7


class Tokens(nn.Module):
    """Maps as tokens `b t d`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


def make_network(seed: int) -> Network:
    """conv's unit 1 is constant, 2 never fires, 4 repeats 3 at twice the size, 5 is its mirror.

    All weights are eighths, so that sums are exact and equal pictures answer equally in every
    batch, in whatever order a convolution adds.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential()
        module.add_module("conv", nn.Conv2d(2, 6, 3))
        module.add_module("relu", nn.ReLU(inplace=True))
        module.add_module("tokens", Tokens())
        module.add_module("flat", nn.Flatten())
        module.add_module("fc", nn.Linear(6 * 6, CLASSES))
        for p in module.parameters():
            p.data = (8 * torch.randn_like(p)).round() / 8
    weight, bias = module.get_parameter("conv.weight").data, module.get_parameter("conv.bias").data
    weight[1], bias[1] = 0, 0.375
    bias[2] = -50
    weight[4], bias[4] = 2 * weight[3], 2 * bias[3] + 0.5
    weight[5], bias[5] = -weight[3], -bias[3]
    return Network(module, Input(2, (5, 4), mean=0.5, std=0.25))


class Pictures(Dataset[Any]):
    """Random pictures on a coarse grid, so that many repeat; some unlabelled, some unreadable."""

    def __init__(
        self, count: int, seed: int, unlabelled: bool = False, broken: tuple[int, ...] = ()
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        kinds = torch.randint(0, 2, (count // 2, 2, 5, 4), generator=generator).float()
        self.pictures = kinds[torch.randint(0, len(kinds), (count,), generator=generator)]
        self.labels = torch.randint(0, CLASSES - 1, (count,), generator=generator)
        self.labels[::4] = -1  # class 6 is never seen
        if unlabelled:
            self.labels[:] = -1
        self.broken = broken

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Any:
        if index in self.broken:
            return Unreadable(f"{index}.png", "cut short")
        return self.pictures[index], int(self.labels[index])


def survey(network: Network, data: Dataset[Any], size: int) -> Survey:
    found = Survey(network, LAYERS, k=K, keep=4, neighbours=True)
    for batch in batches(data, size):
        found.add(batch)
    return found


class Slow:
    """Everything a survey says, from all values held at once."""

    def __init__(self, network: Network, data: Pictures) -> None:
        self.kept = [i for i in range(len(data)) if i not in data.broken]
        pictures = data.pictures[self.kept]
        self.labels = data.labels[self.kept].numpy()
        recording = network.record(pictures, [*LAYERS, LOGITS])
        self.values: dict[str, np.ndarray[Any, Any]] = {}
        for name in LAYERS:
            values = recording[name].detach().double()
            if values.ndim == 3:
                values = values.transpose(1, 2)
            self.values[name] = values.reshape(len(values), values.shape[1], -1).numpy()
        self.logits = recording[LOGITS].detach().numpy()

    def top(self, layer: str, unit: int) -> list[tuple[float, int, int]]:
        rows = self.values[layer][:, unit]
        found = [(row.max(), i, int(row.argmax())) for i, row in zip(self.kept, rows, strict=True)]
        return sorted(found, key=lambda entry: -entry[0])[:K]  # stable: the earlier comes first


@pytest.fixture(params=[0, 1], scope="module")
def network(request: pytest.FixtureRequest) -> Network:
    return make_network(request.param)


DATA = {
    "plain": Pictures(61, 0),
    "unreadable": Pictures(61, 1, broken=(0, 1, 2, 3, 17, 60)),
    "few": Pictures(4, 3),
}


@pytest.fixture(params=DATA, scope="module")
def data(request: pytest.FixtureRequest) -> Pictures:
    return DATA[request.param]


@pytest.fixture(params=some([1, 3, 4, 7, 61, 100], quick=(4, 7, 100)), scope="module")
def found(request: pytest.FixtureRequest, network: Network, data: Pictures) -> Survey:
    return survey(network, data, request.param)


@pytest.fixture(scope="module")
def slow(network: Network, data: Pictures) -> Slow:
    return Slow(network, data)


class TestAgainstEverythingInMemory:
    @pytest.mark.slow
    def test_top_examples(self, found: Survey, slow: Slow) -> None:
        for name, layer in found.layers.items():
            units = slow.values[name].shape[1]
            assert layer.top.values.shape == (units, min(K, len(slow.kept)))
            for unit in range(units):
                values, images, places = zip(*slow.top(name, unit), strict=True)
                assert layer.top.images[unit].tolist() == list(images)
                assert layer.top.places[unit].tolist() == list(places)
                assert_allclose(layer.top.values[unit], values, rtol=1e-6)
                assert layer.top.strongest[unit] == pytest.approx(values[0], rel=1e-6)

    def test_firing(self, found: Survey, slow: Slow) -> None:
        for name, layer in found.layers.items():
            assert layer.firing.tolist() == (slow.values[name].max(2) > 0).sum(0).tolist()
        assert found.layers["relu"].firing[2] == 0

    def test_moments(self, found: Survey, slow: Slow) -> None:
        for name, layer in found.layers.items():
            values = np.moveaxis(slow.values[name], 1, 0).reshape(layer.layer.units, -1)
            assert layer.moments.count == values.shape[1]
            assert_allclose(layer.moments.mean, values.mean(1), rtol=1e-5, atol=1e-6)
            assert_allclose(layer.moments.deviation, values.std(1), rtol=1e-4, atol=1e-5)

    def test_correlations(self, found: Survey, slow: Slow) -> None:
        for name, layer in found.layers.items():
            values = np.moveaxis(slow.values[name], 1, 0).reshape(layer.layer.units, -1)
            alive = values.std(1) > 1e-5
            correlation = layer.moments.correlation.numpy()
            expected = np.corrcoef(values[alive])
            assert_allclose(correlation[np.ix_(alive, alive)], expected, atol=2e-4)
            assert np.isnan(correlation[~alive]).all()
            assert np.isnan(correlation[:, ~alive]).all()
        assert not found.layers["conv"].moments.correlation[1].isfinite().any(), "constant"

    def test_correlations_with_the_layers_beside_it(self, found: Survey, slow: Slow) -> None:
        assert found.next == dict(pairwise(LAYERS))
        for name, pair in found.between.items():
            one, other = slow.values[name].max(2), slow.values[found.next[name]].max(2)
            assert pair.count == len(one)
            for i, a in enumerate(one.T):
                for j, b in enumerate(other.T):
                    told = float(pair.correlation[i, j])
                    if a.std() > 1e-5 and b.std() > 1e-5:
                        assert told == pytest.approx(np.corrcoef(a, b)[0, 1], abs=2e-4)
                    else:
                        assert np.isnan(told)
        same = found.between["relu"].correlation.diagonal()
        assert same[0] == pytest.approx(1.0, abs=1e-5), "tokens are the same values"

    def test_twins(self, found: Survey, slow: Slow) -> None:
        twins = found.layers["conv"].moments.twins()
        assert twins[3] == (4, pytest.approx(1.0, abs=1e-4))
        assert twins[4] == (3, pytest.approx(1.0, abs=1e-4))
        assert twins[1] is None, "a constant unit resembles nothing"
        assert twins[5] is None, "the mirror image is no twin"
        for name, layer in found.layers.items():
            values = np.moveaxis(slow.values[name], 1, 0).reshape(layer.layer.units, -1)
            for i, twin in enumerate(layer.moments.twins(0.5)):
                with np.errstate(all="ignore"):
                    others = {
                        j: np.corrcoef(values[i], values[j])[0, 1]
                        for j in range(len(values))
                        if j != i and values[i].std() > 1e-5 and values[j].std() > 1e-5
                    }
                best = max(others.values(), default=-1)
                if twin is None:
                    assert best < 0.5 + 1e-3
                else:
                    assert others[twin[0]] == pytest.approx(best, abs=1e-3)
                    assert twin[1] == pytest.approx(best, abs=1e-3)

    def test_histograms(self, found: Survey, slow: Slow) -> None:
        for name, layer in found.layers.items():
            for unit in range(layer.layer.units):
                responses = slow.values[name][:, unit].max(1)
                bins = layer.histograms.bins(unit)
                edges = bins.low + bins.width * np.arange(len(bins.counts) + 1)
                assert list(bins.counts) == np.histogram(responses, edges)[0].tolist()
                assert sum(bins.counts) == len(responses)
                assert min(bins.counts[0], bins.counts[-1]) > 0

    def test_class_means_and_selectivity(self, found: Survey, slow: Slow) -> None:
        labels = slow.labels
        seen = [c for c in range(CLASSES) if (labels == c).any()]
        for name, layer in found.layers.items():
            rectified = slow.values[name].max(2).clip(0)
            means = np.zeros((CLASSES, layer.layer.units))
            for c in seen:
                means[c] = rectified[labels == c].mean(0)
            assert_allclose(layer.classes.means, means, rtol=1e-5, atol=1e-7)
            assert layer.classes.counts.tolist() == [(labels == c).sum() for c in range(CLASSES)]
            for unit in range(layer.layer.units):
                profile = means[seen, unit]
                preferred, degree = layer.classes.selectivity
                if profile.max() <= 0:
                    assert (int(preferred[unit]), float(degree[unit])) == (-1, 0.0)
                    continue
                top = profile.argmax()
                rest = np.delete(profile, top).mean()
                expected = (profile[top] - rest) / (profile[top] + rest)
                assert profile[seen.index(int(preferred[unit]))] == pytest.approx(profile[top])
                assert float(degree[unit]) == pytest.approx(expected, abs=1e-5)

    def test_predictions(self, found: Survey, slow: Slow) -> None:
        assert found.predictions is not None
        known = [i for i, label in enumerate(slow.labels) if label >= 0]
        confusion, five, right, wrong = np.zeros((CLASSES, CLASSES), int), 0, 0, []
        for i in known:
            label, scores = slow.labels[i], slow.logits[i]
            guess = int(scores.argmax())
            confusion[label, guess] += 1
            right += guess == label
            five += int((scores > scores[label]).sum() < 5)
            if guess != label:
                wrong.append(slow.kept[i])
        assert found.predictions.confusion.tolist() == confusion.tolist()
        assert found.predictions.count == len(known)
        assert found.predictions.accuracy == pytest.approx(right / len(known))
        assert found.predictions.top5 == pytest.approx(five / len(known))
        labels = {slow.kept[i]: int(slow.labels[i]) for i in known}
        guesses = {slow.kept[i]: int(slow.logits[i].argmax()) for i in known}
        assert found.predictions.examples == spread(labels, lambda i: labels[i])
        assert found.predictions.errors == spread(wrong, lambda i: (labels[i], guesses[i]))
        off = [(t, p, int(confusion[t, p])) for t in range(CLASSES) for p in range(CLASSES)]
        off = sorted([e for e in off if e[0] != e[1] and e[2]], key=lambda e: -e[2])
        assert found.predictions.most_confused(3) == off[:3]

    def test_what_was_read(self, found: Survey, slow: Slow, data: Pictures) -> None:
        assert found.count == len(slow.kept)
        assert [u.path for u in found.skipped] == [f"{i}.png" for i in data.broken]


def spread(images: Iterable[int], group: Callable[[int], object], keep: int = 4) -> list[int]:
    """The first image of each group in order, then the second of each, and so on."""
    rounds: list[list[int]] = []
    seen: dict[object, int] = {}
    for image in images:
        place = seen[group(image)] = seen.get(group(image), -1) + 1
        rounds += [[]] if place == len(rounds) else []
        rounds[place].append(image)
    return [image for found in rounds for image in found][:keep]


class TestWithoutLabels:
    def test_statistics_stay_and_classes_are_empty(self, network: Network) -> None:
        data = Pictures(30, 0)
        bare = Pictures(30, 0, unlabelled=True)
        labelled, found = survey(network, data, 8), survey(network, bare, 8)
        assert found.predictions is not None
        assert found.predictions.count == 0
        assert found.predictions.accuracy == 0
        assert found.predictions.most_confused() == []
        for name, layer in found.layers.items():
            assert torch.equal(layer.top.images, labelled.layers[name].top.images)
            assert not layer.classes.counts.any()
            assert not layer.classes.means.any()
            preferred, degree = layer.classes.selectivity
            assert (preferred == -1).all()
            assert not degree.any()

    def test_a_network_that_is_no_classifier(self) -> None:
        network = Network(nn.Conv2d(2, 3, 3), Input(2, (5, 4)))
        found = Survey(network, list(network.layers), classes=CLASSES)
        for batch in batches(Pictures(20, 0), 6):
            found.add(batch)
        assert found.predictions is None
        assert found.count == 20
        (layer,) = found.layers.values()
        assert layer.classes.counts.sum() == 15


class TestRefusals:
    def test_unknown_layers(self, network: Network) -> None:
        with pytest.raises(UnknownLayerError, match="nearest: conv"):
            Survey(network, ["conv7"])

    def test_labels_beyond_the_classes(self, network: Network) -> None:
        batch = Batch(torch.tensor([5]), torch.rand(1, 2, 5, 4), torch.tensor([CLASSES]), ())
        with pytest.raises(DataError, match=f"label {CLASSES} of picture 5.*{CLASSES} classes"):
            Survey(network, LAYERS).add(batch)


def endless(batch: int) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(0)
    start = 0
    while True:
        yield Batch(
            torch.arange(start, start + batch),
            torch.rand(batch, 2, 5, 4, generator=generator),
            torch.randint(0, CLASSES, (batch,), generator=generator),
            (),
        )
        start += batch


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data(network: Network) -> None:
    found, sizes = Survey(network, LAYERS, k=K), {}
    for number, batch in zip(range(1, 101), endless(8), strict=False):
        found.add(batch)
        parts = (found.layers["conv"], found.layers["tokens"], found.layers["fc"])
        sizes[number] = len(pickle.dumps([vars(part) for part in parts]))
    assert found.count == 800
    assert abs(sizes[100] - sizes[10]) < 0.001 * sizes[10]  # integers need more digits


def held(thing: object) -> int:
    """How many numbers the tensors in `thing` hold."""
    if isinstance(thing, Tensor):
        return thing.numel()
    parts = thing.values() if isinstance(thing, dict) else vars(thing).values()
    return sum(held(p) for p in parts if isinstance(p, dict | Tensor) or hasattr(p, "__dict__"))


def test_the_most_correlated_are_the_strongest_above_zero() -> None:
    nan = float("nan")
    rows = torch.tensor([[0.2, 0.9, nan, -0.5], [nan, nan, nan, nan], [-1.0, -0.1, 0.0, 0.3]])
    found = most_correlated(rows, 2)
    assert [[column for column, _ in row] for row in found] == [[1, 0], [], [3]]
    assert found[0][0][1] == pytest.approx(0.9)
    assert most_correlated(rows, 9)[0] == [(1, pytest.approx(0.9)), (0, pytest.approx(0.2))]


def test_layers_whose_units_make_too_many_pairs_are_not_compared(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phosphene.survey.between.MOST_BETWEEN", 37)
    found = Survey(network, LAYERS, neighbours=True)
    assert found.next == {"conv": "relu", "relu": "tokens"}  # 6 x 6, and not 6 x 7
    assert Survey(network, LAYERS).next == {}


@pytest.fixture
def many() -> LayerSurvey:
    """A survey of 21,841 classes' logits, two pictures of which are labelled."""
    count = 21_841
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, count))
    network = Network(module, Input(1, (2, 2)))
    found = Survey(network, ["1"])
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(3, 1, 2, 2, generator=generator)
    found.add(Batch(torch.arange(3), pictures, torch.tensor([5, -1, 21_840]), ()))
    assert found.predictions.count == 2
    assert held(found.predictions) == 0
    with pytest.raises(DataError, match=r"of 21,841 classes was asked for, .* of 4,096 at most"):
        _ = found.predictions.confusion
    return found.layers["1"]


def test_memory_grows_with_many_units_but_not_with_their_square(many: LayerSurvey) -> None:
    assert held(many.top) + held(many.histograms) + held(many.moments) < 200 * 21_841
    assert held(many.classes) == 21_841
    for line, what in zip(many.left_out, ("Twins were not", "Answers to classes"), strict=True):
        assert line.startswith(what)


def test_what_is_left_out_of_many_units_is_refused_with_the_reason(many: LayerSurvey) -> None:
    with pytest.raises(DataError, match=r"21,841 units are not compared .* 4,096 at most"):
        many.moments.twins()
    with pytest.raises(DataError, match=r"no means of 21,841 units for 21,841 classes"):
        _ = many.classes.means
    assert (many.classes.selectivity.preferred == -1).all()
    assert not many.classes.selectivity.degree.any()


def test_moments_of_uncompared_units_are_those_of_compared_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = torch.rand(3, 8, 6, 5, generator=torch.Generator().manual_seed(0)) + 3
    compared = Moments(6)
    monkeypatch.setattr("phosphene.survey.moments.MOST_COMPARED", 5)
    alone = Moments(6)
    assert (compared.compared, alone.compared) == (True, False)
    for batch in values:
        compared.add(batch.movedim(2, 1))
        alone.add(batch.movedim(2, 1))
    assert_allclose(alone.deviation, compared.deviation, rtol=1e-6)
    assert alone.scatter.shape == (6,)


def test_the_network_is_given_back_as_it_was(network: Network) -> None:
    module = network.module.train()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    survey(network, Pictures(10, 0), 4)
    assert all(m.training and not m._forward_hooks for m in module.modules())
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
