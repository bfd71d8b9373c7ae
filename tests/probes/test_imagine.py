"""Imagined classes: each picture an ascent of its own, and figures that are checked by hand."""

import json
import sys
from collections import deque
from pathlib import Path

import pytest
import torch

import tiny
from laws import unchanged
from phosphene.canvas import Decoded, Fourier, Pixels
from phosphene.data import batches, digits
from phosphene.errors import ChannelError, InputError, NetworkError, SizeError
from phosphene.evaluation import Neighbours, nearest_neighbours
from phosphene.maximize import Recipe, ascend
from phosphene.maximize.recipe import WIDE
from phosphene.network import Network
from phosphene.objectives import Logit
from phosphene.probes import Closeness, Imagined, imagine
from phosphene.streams import Streams
from phosphene.training import Training, seeded, train
from phosphene.zoo import HVASS, VariationalAutoencoder, train_decoder


def quick(network: Network, steps: int = 4) -> Recipe:
    decoded = Decoded(decoder=tiny.decoder(network.input.shape))
    return Recipe(canvas=decoded, steps=steps, transform=WIDE)


class TestPictures:
    @pytest.mark.parametrize("name", ["rectified", "residual"])
    def test_each_is_an_ascent_of_its_own(self, name: str) -> None:
        network = tiny.network(name)
        recipe, classes = quick(network), len(network.classes)
        found = imagine(network, recipe, per_class=2, seed=4)
        assert found.targets == tuple(c for c in range(classes) for _ in range(2))
        for i in (0, 3):
            streams = Streams.seeded(4, [f"{network.logits.name}:{i // 2}/{i % 2}"])
            steps = ascend(
                network,
                Logit(i // 2),
                recipe.canvas.build(streams, network.input.shape),
                streams,
                steps=recipe.steps,
                optimizer=recipe.optimizer,
                transform=recipe.transform,
            )
            expected = deque(steps, maxlen=1).pop().pictures[0]
            torch.testing.assert_close(found.pictures[i], expected, atol=1.5 / 255, rtol=0)

    def test_eight_different_ones_of_each_class_by_default(self) -> None:
        network = tiny.network("dense")
        with unchanged(network.module):
            found = imagine(network, quick(network, steps=1))
        assert found.targets == (0,) * 8 + (1,) * 8 + (2,) * 8
        assert found.pictures.shape == (24, 1, 6, 8)
        assert len({tuple(p.flatten().tolist()) for p in found.pictures}) == 24
        torch.testing.assert_close(found.logits, network.class_scores(found.pictures))
        assert torch.equal(found.pictures, (found.pictures * 255).round() / 255)

    def test_do_not_depend_on_how_they_are_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        network = tiny.network("rectified")
        recipe = Recipe(canvas=Fourier(), steps=4)
        whole = imagine(network, recipe, per_class=3)
        monkeypatch.setattr(sys.modules[imagine.__module__], "batch_size", lambda *_: 5)
        parts = imagine(network, recipe, per_class=3)
        torch.testing.assert_close(whole.pictures, parts.pictures, atol=1.5 / 255, rtol=0)
        assert whole.targets == parts.targets

    def test_a_single_one_may_start_anywhere(self) -> None:
        network = tiny.network("dense")
        found = imagine(network, Recipe(canvas=Pixels(start="grey"), steps=2), per_class=1)
        assert found.targets == (0, 1, 2)

    def test_refusals(self) -> None:
        network = tiny.network("dense")
        with pytest.raises(InputError, match="0 pictures of each class from 'noise'"):
            imagine(network, quick(network), per_class=0)
        with pytest.raises(InputError, match="8 pictures of each class from 'black'"):
            imagine(network, Recipe(canvas=Pixels(start="black")))
        with pytest.raises(InputError, match="aim 'channel', not 'neuron'"):
            imagine(network, Recipe("neuron", Fourier()))
        with pytest.raises(InputError, match="`nearest` and `held_out` together"):
            imagine(network, quick(network), held_out=torch.rand(2, 1, 6, 8))
        with pytest.raises(
            SizeError, match=r"draws pictures of 1 x 6 x 9; the canvas is 1 x 6 x 8"
        ):
            imagine(network, Recipe(canvas=Decoded(decoder=tiny.decoder((1, 6, 9)))))
        with pytest.raises(ChannelError, match=r"draws pictures of 3 x 6 x 8"):
            imagine(network, Recipe(canvas=Decoded(decoder=tiny.decoder((3, 6, 8)))))
        maps = tiny.network("maps")
        with pytest.raises(NetworkError, match="has no logits"):
            imagine(maps, quick(maps))


class TestFigures:
    def test_pictures_held_out_that_are_among_the_others_are_refused(self) -> None:
        network = tiny.network("dense")

        def nearest(pictures: torch.Tensor) -> Neighbours:
            some = torch.zeros(len(pictures), 1, dtype=torch.long)
            return Neighbours(torch.zeros(len(pictures), 1), some, some)

        with pytest.raises(InputError, match="are among those they are compared with"):
            imagine(network, quick(network), nearest=nearest, held_out=torch.rand(3, 1, 6, 8))

    def test_neighbours_are_asked_about_pictures_and_real_ones(self) -> None:
        network = tiny.network("dense")
        asked = []

        def nearest(pictures: torch.Tensor) -> Neighbours:
            asked.append(pictures)
            value = 3.0 if len(asked) == 1 else 2.0
            labels = torch.tensor([1, 1, 0]).expand(len(pictures), 3)
            return Neighbours(torch.full((len(pictures), 3), value), labels, labels)

        real = torch.rand(5, 1, 6, 8)
        found = imagine(network, quick(network), per_class=2, nearest=nearest, held_out=real)
        assert torch.equal(asked[0], found.pictures)
        assert torch.equal(asked[1], real)
        assert found.closeness is not None
        assert found.closeness.ratios.tolist() == [1.5] * 6
        assert found.voted is not None
        assert found.voted.tolist() == [False, False, True, True, False, False]
        value = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert value["votes"] == pytest.approx([1 / 3] * 2 + [2 / 3] * 2 + [0] * 2)
        assert value["distance_ratios"] == [1.5] * 6
        assert value["targets"] == ["0", "0", "1", "1", "2", "2"]

    def test_what_the_network_reads(self) -> None:
        logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
        pictures = torch.zeros(3, 1, 2, 2)
        found = Imagined((0, 0, 1), ("cat", "dog"), Recipe(), pictures, logits, None)
        assert found.read.tolist() == [True, False, False]
        expected = torch.tensor([0.8808, 0.2689, 0.5])
        torch.testing.assert_close(found.towards, expected, atol=1e-4, rtol=0)
        assert found.voted is None
        assert found.summary.startswith("3 pictures of 2 classes; read as meant by the network: 33")
        assert found.to_json()["votes"] is None
        votes = torch.tensor([[0.6, 0.4], [0.2, 0.8], [0.0, 1.0]])
        near = Closeness(votes, torch.tensor([1.0, 2.0, 3.0]), usual=4.0)
        found = Imagined((0, 0, 1), ("cat", "dog"), Recipe(), pictures, logits, near)
        assert "vote of the nearest real pictures: 67" in found.summary
        assert found.summary.endswith("0.5 times that of real pictures.")


@pytest.mark.slow
def test_imagined_digits_are_nearer_to_real_ones_than_drawn_ones(tmp_path: Path) -> None:
    real, test = digits("train", (8, 8)), digits("test", (8, 8))
    network = HVASS((1, 8, 8), widths=(16,), dense=(32,))
    training = Training(learning_rate=4e-3, batch=32, steps=300)
    deque(train(network.module, network.input, real, training, tmp_path / "w"), 0)
    decoder = seeded(lambda: VariationalAutoencoder((1, 8, 8), 10, (16, 32)), 0)
    training = Training(learning_rate=4e-3, batch=64, steps=400)
    deque(train_decoder(decoder, real, tmp_path / "d", training), 0)
    found = [
        imagine(
            network,
            Recipe(canvas=canvas, steps=64),
            per_class=4,
            nearest=lambda pictures: nearest_neighbours(pictures, batches(real), 5),
            held_out=torch.stack([test[i].picture for i in range(200)]),
        )
        for canvas in (Decoded(decoder=decoder), Fourier())
    ]
    imagined, drawn = found
    assert imagined.read.float().mean() >= 0.7
    assert imagined.voted is not None
    assert imagined.voted.float().mean() >= 0.7
    assert imagined.closeness is not None
    assert drawn.closeness is not None
    assert imagined.closeness.ratios.mean() < 1.3
    assert imagined.closeness.ratios.mean() < 0.8 * drawn.closeness.ratios.mean()
