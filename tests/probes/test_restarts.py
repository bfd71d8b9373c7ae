"""Restarts: groups that are known beforehand, starts that are alike in any company, ranking."""

import json
from collections import deque
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import tiny
from laws import unchanged
from mnist_cnn import trained
from phosphene.canvas import Fourier, Pixels, Spectrum
from phosphene.data import batches, mnist
from phosphene.errors import InputError, UnknownLayerError, UnknownUnitError
from phosphene.evaluation import nearest_neighbours
from phosphene.maximize import Recipe, ascend
from phosphene.maximize.recipe import WIDE
from phosphene.network import Input, Network
from phosphene.objectives import Channel
from phosphene.probes import Restarts, restart
from phosphene.probes.restarts import cluster
from phosphene.streams import Streams
from phosphene.transforms import Identity
from phosphene.units import Unit

QUICK = Recipe(canvas=Fourier(), steps=6, transform=WIDE)


def blobs(*centres: tuple[float, float], each: int = 8) -> Tensor:
    """Points around `centres`, one blob after another."""
    noise = torch.randn(len(centres), each, 2, generator=torch.Generator().manual_seed(0))
    return (torch.tensor(centres)[:, None] + 0.3 * noise).flatten(0, 1)


def slow_silhouette(points: Tensor, labels: list[int]) -> float:
    """Rousseeuw's definition, point by point."""
    values = []
    for i, own in enumerate(labels):
        means = {}
        for label in set(labels):
            others = [j for j, other in enumerate(labels) if other == label and j != i]
            if others:
                far = [float((points[i] - points[j]).norm()) for j in others]
                means[label] = sum(far) / len(far)
        if own not in means:
            values.append(0.0)
            continue
        a, b = means.pop(own), min(means.values())
        values.append((b - a) / max(a, b))
    return sum(values) / len(values)


class TestCluster:
    def test_blobs_are_found(self) -> None:
        points = blobs((0, 0), (5, 0), (0, 5))
        labels, silhouette = cluster(points)
        assert labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
        assert silhouette == pytest.approx(slow_silhouette(points, labels.tolist()), abs=1e-5)

    def test_groups_are_counted_as_they_appear(self) -> None:
        points = blobs((0, 0), (5, 0), (0, 5))[torch.randperm(24)]
        labels, _ = cluster(points)
        assert list(dict.fromkeys(labels.tolist())) == [0, 1, 2]

    @pytest.mark.parametrize(
        "points",
        [
            torch.rand(60, 8, generator=torch.Generator().manual_seed(0)),
            torch.ones(9, 4),
            torch.eye(2),
            torch.eye(1),
        ],
        ids=["one cloud", "all the same", "two", "one"],
    )
    def test_no_groups_are_made_up(self, points: Tensor) -> None:
        labels, silhouette = cluster(points)
        assert labels.tolist() == [0] * len(points)
        assert silhouette == 0


class TestStarts:
    @pytest.mark.parametrize("name", ["rectified", "residual"])
    def test_each_is_an_ascent_of_its_own(self, name: str) -> None:
        network = tiny.network(name)
        unit = Unit("conv1", 2)
        found = restart(network, unit, QUICK, starts=3, seed=4)
        expected = []
        for i in range(3):
            streams = Streams.seeded(4, [f"conv1:2/{i}"])
            canvas = QUICK.canvas.build(streams, network.input.shape)
            steps = ascend(
                network,
                Channel("conv1", 2),
                canvas,
                streams,
                steps=QUICK.steps,
                optimizer=QUICK.optimizer,
                transform=QUICK.transform,
            )
            picture = deque(steps, maxlen=1).pop().pictures
            shown = (picture * 255).round() / 255
            strongest = float(network.record(shown, ["conv1"])["conv1"][0, 2].max())
            expected.append((strongest, shown[0]))
        expected.sort(key=lambda pair: -pair[0])
        assert found.activations.tolist() == pytest.approx([a for a, _ in expected], abs=0.02)
        for picture, (_, other) in zip(found.pictures, expected, strict=True):
            torch.testing.assert_close(picture, other, atol=1.5 / 255, rtol=0)

    def test_the_canvas_may_have_a_size_of_its_own(self) -> None:
        recipe = Recipe(canvas=Fourier(), steps=2, size=(9, 11))
        found = restart(tiny.network("rectified"), Unit("conv1", 2), recipe, starts=2)
        assert found.pictures.shape[2:] == (9, 11)

    def test_fifty_different_ones_by_default(self) -> None:
        network = tiny.network("dense")
        with unchanged(network.module):
            found = restart(network, Unit(network.logits.name, 1), Recipe(steps=1))
        assert found.pictures.shape == (50, 1, 6, 8)
        assert len({tuple(p.flatten().tolist()) for p in found.pictures}) == 50
        scores = network.class_scores(found.pictures)[:, 1]
        torch.testing.assert_close(found.activations, scores, atol=1e-4, rtol=0)
        assert torch.equal(scores.argsort(descending=True), torch.arange(50))

    @pytest.mark.later
    def test_do_not_depend_on_how_they_are_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        network = tiny.network("rectified")
        whole = restart(network, Unit("conv2", 1), QUICK, starts=5)
        monkeypatch.setattr("phosphene.probes.restarts.batch_size", lambda *_: 2)
        parts = restart(network, Unit("conv2", 1), QUICK, starts=5)
        torch.testing.assert_close(whole.pictures, parts.pictures, atol=1.5 / 255, rtol=0)

    @pytest.mark.later
    def test_of_a_neuron(self) -> None:
        network = tiny.network("rectified")
        found = restart(network, Unit("conv1", 0), Recipe("neuron", Fourier(), 4), starts=3)
        top, left, bottom, right = network.patch("conv1").box
        assert found.pictures.shape == (3, 2, bottom - top, right - left)
        placed = restart(network, Unit("conv1", 0, y=2, x=3), QUICK, starts=3)
        values = network.record(placed.pictures, ["conv1"])["conv1"][:, 0, 2, 3]
        torch.testing.assert_close(placed.activations, values, atol=1e-4, rtol=0)

    def test_refusals(self) -> None:
        network = tiny.network("rectified")
        unit = Unit("conv1", 0)
        with pytest.raises(InputError, match="0 starts from 'noise'"):
            restart(network, unit, QUICK, starts=0)
        with pytest.raises(InputError, match="from 'black' were asked for"):
            restart(network, unit, Recipe(canvas=Pixels(start="black")))
        with pytest.raises(UnknownUnitError):
            restart(network, Unit("conv1", 99), QUICK)
        with pytest.raises(UnknownLayerError, match="nearest: conv"):
            restart(network, unit, QUICK, starts=2, layer="conv9")


def two_faced() -> Network:
    """A unit that likes bright left halves and bright right halves, but not both."""
    module = nn.Sequential(nn.Conv2d(1, 2, (4, 8)), nn.ReLU(), nn.Flatten(), nn.Linear(2, 1))
    side = torch.tensor([1.0, -1.0]).repeat_interleave(4) / 8
    module[0].weight.data = torch.stack([side, -side])[:, None, None].expand(2, 1, 4, 8).clone()
    module[0].bias.data.zero_()
    module[3].weight.data.fill_(1)
    return Network(module, Input(1, (4, 8)))


class TestGroups:
    recipe = Recipe(canvas=Pixels(spread=1.0, learning_rate=0.1), steps=40, transform=Identity())

    @pytest.mark.parametrize("layer", ["pixels", "0"])
    @pytest.mark.slow
    def test_what_one_unit_likes_in_two_ways(self, layer: str) -> None:
        found = restart(two_faced(), Unit("3", 0), self.recipe, starts=12, layer=layer)
        left = found.pictures[..., :4].mean((1, 2, 3)) > found.pictures[..., 4:].mean((1, 2, 3))
        assert 0 < left.sum() < 12
        assert torch.equal(found.clusters, (left != left[0]).long())
        assert found.silhouette > 0.9

    def test_its_own_layer_sees_no_difference(self) -> None:
        found = restart(two_faced(), Unit("3", 0), self.recipe, starts=12)
        assert found.clusters.unique().tolist() == [0]


class TestRanking:
    def make(self, activations: list[float], distances: list[float] | None) -> Restarts:
        n = len(activations)
        return Restarts(
            Unit("a", 0),
            torch.zeros(n, 1, 2, 2),
            torch.tensor(activations),
            torch.zeros(n).long(),
            0.0,
            None if distances is None else torch.tensor(distances),
        )

    def test_clear_is_strong_and_near(self) -> None:
        found = self.make([10.0, 9.0, 8.0, 7.9, 1.0], [5.0, 3.0, 4.0, 1.0, 2.0])
        assert found.clear().tolist() == [False, True, False, False, False]
        assert found.clear(nearer=1.0).tolist() == [True, True, True, False, False]
        assert found.clear(strength=0.5).tolist() == [False, True, False, True, False]

    def test_without_distances_clear_is_strong(self) -> None:
        found = self.make([10.0, 8.0, 7.9], None)
        assert found.clear().tolist() == [True, True, False]

    def test_a_silent_unit_has_no_clear_picture(self) -> None:
        assert not self.make([-1.0, -1.1, 0.0], None).clear().any()

    def test_distances_are_asked_of_the_sorted_pictures(self) -> None:
        network = tiny.network("dense")
        found = restart(
            network,
            Unit(network.logits.name, 0),
            QUICK,
            starts=6,
            distance=lambda pictures: pictures.mean((1, 2, 3)),
        )
        assert found.distances is not None
        torch.testing.assert_close(found.distances, found.pictures.mean((1, 2, 3)))

    def test_json(self) -> None:
        network = tiny.network("dense")
        found = restart(network, Unit(network.logits.name, 2), QUICK, starts=3)
        value = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert value["unit"] == f"{network.logits.name}:2"
        assert value["distances"] is None
        assert len(value["activations"]) == len(value["clusters"]) == len(value["clear"]) == 3


@pytest.mark.slow
def test_clear_ones_are_more_often_ones(shared_data: Path) -> None:
    network = trained(shared_data)
    real = mnist(shared_data / "mnist", "test").take(slice(0, 2000))
    found = restart(
        network,
        Unit("fc2", 1),
        Recipe(steps=32),
        spectrum=Spectrum.measure(batch.pictures for batch in batches(real)),
        distance=lambda p: nearest_neighbours(p, batches(real), 5).distances.mean(1),
    )
    clear = found.clear()
    assert 5 <= clear.sum() <= 25
    assert (network.class_scores(found.pictures[clear]).argmax(1) == 1).all()
    votes = nearest_neighbours(found.pictures, batches(real), 5).votes(10)[:, 1]
    assert votes[clear].mean() > votes[~clear].mean() + 0.1
