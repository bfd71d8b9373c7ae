"""Transfer: the matrix against a double loop, and networks that must and must not agree."""

import json
from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.canvas import Pixels
from phosphene.errors import InputError, NetworkError, ObjectiveError, SizeError
from phosphene.maximize import Recipe, draw
from phosphene.network import Input, Network
from phosphene.probes import Transfer, class_pictures, fool, morph, shown_to, transfer
from phosphene.units import Unit


def linear(weights: Tensor, name: str) -> Network:
    """Classes are rows of `weights` over the pixels of 1 x 4 x 4 pictures."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, len(weights)))
    module[1].weight.data = weights.clone()
    module[1].bias.data.zero_()
    return Network(module, Input(1, (4, 4), mean=0.5, std=0.5), name=name)


@pytest.fixture
def networks() -> list[Network]:
    """The second reads as the first does, the third the other way round."""
    weights = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    return [
        linear(weights, "one"),
        linear(2 * weights, "double"),
        linear(-weights, "opposite"),
    ]


def fooled(network: Network) -> tuple[Tensor, range]:
    return fool(network, start="grey").pictures, range(3)


class TestMatrix:
    @pytest.mark.slow
    def test_is_that_of_a_double_loop(self) -> None:
        networks = [tiny.rectified(nn.ReLU(), seed) for seed in range(3)]

        def make(network: Network) -> tuple[Tensor, tuple[int, ...]]:
            count = 2 + networks.index(network)  # not as many for each
            targets = tuple(i % 4 for i in range(count))
            return fool(network, targets, tiny.pictures(network, count)).pictures, targets

        found = transfer(networks, make)
        for i, maker in enumerate(networks):
            pictures, targets = make(maker)
            for j, reader in enumerate(networks):
                right, total = 0, 0.0
                for picture, target in zip(pictures, targets, strict=True):
                    p = reader.probabilities(picture[None])[0]
                    right += int(p.argmax()) == target
                    total += float(p[target])
                assert found.convinced[i, j] == pytest.approx(right / len(targets))
                assert found.probability[i, j] == pytest.approx(total / len(targets), abs=1e-4)
        others = [float(found.convinced[i, j]) for i in range(3) for j in range(3) if i != j]
        assert found.carried == pytest.approx(sum(others) / 6)
        assert found.own == pytest.approx(sum(float(found.convinced[i, i]) for i in range(3)) / 3)

    def test_of_networks_that_agree_and_disagree(self, networks: list[Network]) -> None:
        found = transfer(networks, fooled)
        assert found.names == ("one", "double", "opposite")
        expected = [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        assert found.convinced.tolist() == expected
        assert (found.own, found.carried) == (1.0, pytest.approx(1 / 3))

    @pytest.mark.slow
    def test_of_morphs_and_class_pictures(self, networks: list[Network]) -> None:
        start = torch.full((1, 1, 4, 4), 0.5)

        def morphed(network: Network) -> tuple[Tensor, range]:
            return morph(network, start, range(3), rate=0.1).pictures, range(3)

        def drawn(network: Network) -> tuple[Tensor, tuple[int, ...]]:
            return class_pictures(network, Recipe(canvas=Pixels(start="grey"), steps=20))

        for make in (morphed, drawn):
            found = transfer(networks, make)
            assert found.convinced[:2, :2].eq(1).all()
            assert found.convinced[2, 2] == 1
            assert found.carried < 0.5

    def test_json(self, networks: list[Network]) -> None:
        value = json.loads(json.dumps(transfer(networks, fooled).to_json(), allow_nan=False))
        assert value["chance"] == pytest.approx(1 / 3)
        assert value["convinced"][2] == [0, 0, 1]
        alone = json.loads(json.dumps(transfer(networks[:1], fooled).to_json(), allow_nan=False))
        assert alone["carried"] is None


class TestShown:
    def test_pictures_of_one_network_to_many(self, networks: list[Network]) -> None:
        pictures, targets = fooled(networks[0])
        reading = shown_to(networks, pictures, targets)
        assert reading.convinced.tolist() == [1, 1, 0]
        for j, network in enumerate(networks):
            torch.testing.assert_close(reading.probabilities[j], network.probabilities(pictures))
            diagonal = network.probabilities(pictures).diagonal()
            torch.testing.assert_close(reading.probability[j], diagonal.mean())

    def test_many_pictures_are_read_in_parts(self, networks: list[Network]) -> None:
        pictures = torch.rand(600, 1, 4, 4, generator=torch.Generator().manual_seed(1))
        reading = shown_to(networks, pictures, [i % 3 for i in range(600)])
        torch.testing.assert_close(
            reading.probabilities[0], networks[0].probabilities(pictures), atol=1e-6, rtol=0
        )

    def test_refusals(self, networks: list[Network]) -> None:
        pictures = torch.zeros(2, 1, 4, 4)
        with pytest.raises(NetworkError, match=r"networks of \[\] classes"):
            transfer([], fooled)
        with pytest.raises(NetworkError, match=r"networks of \[3, 2\] classes"):
            transfer([networks[0], linear(torch.ones(2, 16), "two")], fooled)
        with pytest.raises(InputError, match="2 pictures for 3 targets"):
            shown_to(networks, pictures, [0, 1, 2])
        with pytest.raises(InputError, match="0 pictures"):
            shown_to(networks, pictures[:0], [])
        with pytest.raises(InputError, match=r"targets \[0, 3\]; the classes are 0 to 2"):
            shown_to(networks, pictures, [0, 3])
        with pytest.raises(SizeError):
            shown_to(networks, torch.zeros(1, 1, 5, 5), [0])
        with pytest.raises(ObjectiveError):
            transfer(networks, lambda n: (fool(n, [7]).pictures, [7]))


@pytest.mark.later
def test_class_pictures_are_those_of_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny.network("rectified")
    recipe = Recipe(steps=4)
    expected = draw(network, [Unit(network.logits.name, i) for i in range(4)], recipe, seed=2)
    monkeypatch.setattr(import_module("phosphene.probes.transfers"), "batch_size", lambda *_: 3)
    pictures, targets = class_pictures(network, recipe, seed=2)
    assert targets == (0, 1, 2, 3)
    stacked = torch.stack([drawing.picture for drawing in expected])
    torch.testing.assert_close(pictures, stacked, atol=1 / 255 + 1e-6, rtol=0)


def test_a_single_network_has_no_others() -> None:
    one = torch.ones(1, 1)
    assert torch.tensor(Transfer(("a",), ("x", "y"), one, one).carried).isnan()
