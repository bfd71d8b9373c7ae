"""Morphing: one picture, and the distances of a whole data set, against slow references."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import tiny
from heard import heard_in
from laws import unchanged
from mnist_cnn import trained
from phosphene.data import Unreadable, mnist
from phosphene.errors import InputError, NetworkError, ObjectiveError, SizeError
from phosphene.network import Network
from phosphene.probes import MorphDistances, morph, morph_distances
from phosphene.progress import watching

RATE, STEPS = 0.03, 12


def slow_morph(
    network: Network, picture: Tensor, target: int, anything: bool
) -> tuple[Tensor, int]:
    """One picture alone, until it is read as `target`, or as `anything` but what it was."""

    def scores(x: Tensor) -> Tensor:
        mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (INPUTS.mean, INPUTS.std))
        return network.module((x - mean) / std)

    network.module.eval()
    x = picture[None]
    source = int(scores(x).argmax())
    for taken in range(STEPS + 1):
        read = int(scores(x).argmax())
        if (read != source) if anything else (read == target):
            return x[0], taken
        leaf = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(scores(leaf).log_softmax(1)[0, target], leaf)
        if taken < STEPS:
            x = (x + RATE * g / (g.std(unbiased=False) + 1e-8)).clamp(0, 1)
    return x[0], STEPS


INPUTS = tiny.RECTIFIED


@pytest.fixture
def network() -> Network:
    """Reads random pictures as all of its classes, by a shift of the last bias."""
    found = tiny.network("rectified")
    scores = found.class_scores(tiny.pictures(found, 64))
    found.module.fc2.bias.data -= scores.mean(0)
    return found


@pytest.fixture
def data(network: Network) -> TensorDataset:
    return TensorDataset(tiny.pictures(network, 23, seed=5), torch.arange(23) % 4)


class TestMorph:
    def test_frames_lead_to_the_target(self, network: Network) -> None:
        pictures = tiny.pictures(network, 2)
        film = morph(network, pictures, [0, 3], rate=RATE, steps=4)
        assert torch.equal(film.frames[0], pictures)
        assert (film.towards[-1] > film.towards[0]).all()
        torch.testing.assert_close(film.difference, film.pictures - pictures)
        assert film.difference.min() < 0 < film.difference.max()

    def test_one_step_is_rate_times_the_normalised_gradient(self, network: Network) -> None:
        picture = tiny.pictures(network, 1) * 0.5 + 0.25  # away from the borders
        film = morph(network, picture, [2], rate=0.001, steps=1)
        assert film.difference.std(unbiased=False) == pytest.approx(0.001, rel=1e-3)
        x = picture.clone().requires_grad_()
        mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (INPUTS.mean, INPUTS.std))
        network.module.eval()
        p = network.module((x - mean) / std).softmax(1)[0, 2]  # the article's: not its logarithm
        (g,) = torch.autograd.grad(p, x)
        torch.testing.assert_close(
            film.difference, 0.001 * g / g.std(unbiased=False), atol=1e-6, rtol=1e-3
        )

    def test_refusals(self, network: Network) -> None:
        with pytest.raises(SizeError, match="Resize"):
            morph(network, torch.zeros(1, 2, 5, 5), [0])
        with pytest.raises(ObjectiveError, match="9 was asked for"):
            morph(network, tiny.pictures(network, 1), [9])
        with pytest.raises(ObjectiveError, match="no classes were given"):
            morph(network, tiny.pictures(network, 1), [])


@pytest.mark.slow
class TestDistances:
    @pytest.mark.parametrize("targets", [None, [0], [3, 1], [0, 1, 2, 3]])
    def test_are_those_of_one_picture_at_a_time(
        self, targets: list[int] | None, network: Network, data: TensorDataset
    ) -> None:
        found = morph_distances(network, data, targets, rate=RATE, steps=STEPS, batch=7)
        expected = []
        for image, picture in enumerate(data.tensors[0]):
            scores = network.class_scores(picture[None])[0]
            source, second = scores.argsort(descending=True)[:2].tolist()
            for target in [second] if targets is None else targets:
                if target != source:
                    end, taken = slow_morph(network, picture, target, targets is None)
                    read = int(network.class_scores(end[None]).argmax())
                    stated = -1 if targets is None else target
                    change = end - picture
                    row = (image, image % 4, source, stated, read, taken)
                    expected.append((*row, float(change.norm()), float(change.abs().max())))
        columns = zip(*expected, strict=True)
        names = ("images", "labels", "sources", "targets", "ends", "steps", "l2", "linf")
        for name, column in zip(names, columns, strict=True):
            assert getattr(found, name).tolist() == pytest.approx(list(column), abs=1e-3), name
        assert found.steps.unique().numel() > 1 + (targets is not None)
        if targets is None:
            assert torch.equal(found.flipped, found.ends != found.sources)
        else:
            assert torch.equal(found.flipped, found.ends == found.targets)

    def test_do_not_depend_on_the_batch(self, network: Network, data: TensorDataset) -> None:
        small, large = (
            morph_distances(network, data, [0, 2], rate=RATE, steps=STEPS, batch=b)
            for b in (1, 256)
        )
        assert torch.equal(small.images, large.images)
        assert torch.equal(small.steps, large.steps)
        torch.testing.assert_close(small.l2, large.l2, atol=1e-3, rtol=0)

    def test_tell_of_progress(self, network: Network, data: TensorDataset) -> None:
        told: list[tuple[str, float, float, str]] = []
        with watching(heard_in(told)):
            morph_distances(network, data, rate=1.0, batch=10)
        assert [(done, total) for _, done, total, _ in told] == [(10, 23), (20, 23), (23, 23)]

    def test_leave_the_network_as_it_was(self, network: Network, data: TensorDataset) -> None:
        with unchanged(network.module):
            morph_distances(network, data, rate=1.0, steps=2)

    def test_without_labels_and_past_unreadable_pictures(self, network: Network) -> None:
        class Damaged(TensorDataset):
            def __getitem__(self, index: int) -> object:  # type: ignore[override]
                return Unreadable("a.png", "cut") if index < 3 else super().__getitem__(index)[0]

        data = Damaged(tiny.pictures(network, 5))
        found = morph_distances(network, data, rate=1.0, batch=2)
        assert found.images.tolist() == [3, 4]
        assert found.labels.tolist() == [-1, -1]

    def test_of_nothing(self, network: Network) -> None:
        found = morph_distances(network, TensorDataset(torch.zeros(0, 2, 10, 8)))
        assert found.to_json()["morphs"] == 0
        assert found.medians == {}

    @pytest.mark.parametrize("bad", [{"targets": []}, {"rate": 0.0}, {"steps": 0}])
    def test_refusals(self, bad: dict[str, object], network: Network, data: TensorDataset) -> None:
        with pytest.raises(InputError, match="expected a positive rate"):
            morph_distances(network, data, **bad)  # type: ignore[arg-type]
        with pytest.raises(ObjectiveError, match="unit 17"):
            morph_distances(network, data, [17])
        alone = Network(nn.Sequential(nn.Flatten(), nn.Linear(160, 1)), INPUTS, task="sigmoid")
        with pytest.raises(NetworkError, match="one class alone"):
            morph_distances(alone, data)


class TestDistribution:
    def make(self, far: list[float], flipped: list[bool]) -> MorphDistances:
        n = len(far)
        source, target = torch.zeros(n).long(), torch.arange(n) % 2 + 1
        ends = torch.where(torch.tensor(flipped), target, source)
        values = torch.tensor(far)
        index = torch.arange(n)
        return MorphDistances(
            ("a", "b", "c"), 0.1, index, index, source, target, ends, index, values, values / 2
        )

    def test_quantiles_count_what_never_flipped_as_farthest(self) -> None:
        flipped = [i % 4 != 1 for i in range(101)]
        far = [(i * 37) % 101 + 0.5 for i in range(101)]
        found = self.make(far, flipped)
        within = found.quantiles(found.l2)
        for q, value in within.items():
            reached = sum(f and d <= value for d, f in zip(far, flipped, strict=True))
            if value < float("inf"):
                assert reached >= q * 101
                short = sum(f and d < value for d, f in zip(far, flipped, strict=True))
                assert short <= q * 101
            else:
                assert sum(flipped) < q * 101 + 1
        assert within[0.95] == float("inf")

    def test_medians_by_pair_of_classes(self) -> None:
        found = self.make([1.0, 10.0, 3.0, 30.0, 2.0, 20.0], [True, True, True, False, True, False])
        assert found.medians == {(0, 1): 2.0, (0, 2): float("inf")}

    def test_json(self) -> None:
        found = self.make([1.0, 2.0, 3.0, 4.0], [True, True, False, False])
        value = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert (value["morphs"], value["flipped"]) == (4, 2)
        assert value["quantiles"]["l2"]["0.05"] == 2.0
        assert value["quantiles"]["linf"]["0.95"] is None
        assert {"from": "a", "to": "b", "l2": 1.0} in value["median l2"]


@pytest.mark.slow
class TestMnist:
    @pytest.fixture
    def mnist_cnn(self, shared_data: Path) -> Network:
        return trained(shared_data)

    def test_a_seven_becomes_a_three_in_ten_steps(
        self, mnist_cnn: Network, shared_data: Path
    ) -> None:
        data = mnist(shared_data / "mnist", "test")
        seven = data[0]
        assert seven.label == 7
        film = morph(mnist_cnn, seven.picture[None], [3])
        assert film.probabilities[0, 0, 7] > 0.99
        assert film.towards[-1, 0] > 0.99
        (half,) = film.reached(0.5)
        assert half is not None
        assert 3 <= half.step <= 6
        assert half.l2 < 2.5

    def test_most_digits_are_two_from_another(self, mnist_cnn: Network, shared_data: Path) -> None:
        found = morph_distances(mnist_cnn, mnist(shared_data / "mnist", "test").take(slice(0, 300)))
        assert found.flipped.all()
        assert 1.5 < found.l2.median() < 2.5  # of 9.2 that a digit is from black
