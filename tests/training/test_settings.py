"""Recipes as values: epochs, the optimiser's arguments, decay, validation; all of it resumable."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from phosphene.data import ArrayDataset, digits
from phosphene.errors import DataError, SettingError, WeightsError
from phosphene.network import Input, Network
from phosphene.training import (
    Training,
    TrainingStep,
    accuracy,
    seeded,
    train,
)
from phosphene.training import (
    loop as training,
)
from phosphene.training.feed import Feed
from phosphene.transforms import RandomAffine
from phosphene.zoo import bruner

SIZE = (8, 8)
INPUT = Input(1, SIZE)


@pytest.fixture(scope="module")
def data() -> ArrayDataset:
    return digits("train", SIZE).take(slice(60))


@pytest.fixture(autouse=True)
def _save_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 5)


def small() -> nn.Module:
    return seeded(lambda: bruner((1, *SIZE), widths=(3,), dense=(8,)), 0)


def run(
    data: Dataset[object], recipe: Training, path: Path, validate: Dataset[object] | None = None
) -> tuple[nn.Module, list[TrainingStep]]:
    module = small()
    return module, list(train(module, INPUT, data, recipe, path, validate=validate))


def same(one: nn.Module, other: nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


class TestEpochs:
    @pytest.mark.parametrize(("batch", "steps"), [(10, 18), (25, 6), (60, 3), (100, 3)])
    def test_they_are_told_in_steps(
        self, batch: int, steps: int, data: ArrayDataset, tmp_path: Path
    ) -> None:
        _, made = run(data, Training(batch=batch, epochs=3, steps=1), tmp_path / "w")
        assert [step.index for step in made] == list(range(1, steps + 1))

    def test_they_are_the_same_training_as_the_steps(
        self, data: ArrayDataset, tmp_path: Path
    ) -> None:
        one, _ = run(data, Training(batch=20, epochs=2), tmp_path / "w")
        written = (tmp_path / "w").read_bytes()
        other, made = run(data, Training(batch=20, steps=6), tmp_path / "w")
        assert made == []
        assert same(one, other)
        with safe_open(tmp_path / "w", framework="pt") as file:
            told = json.loads(file.metadata()["recipe"])
        assert told["steps"] == 6
        assert "epochs" not in told
        assert written == (tmp_path / "w").read_bytes()


class TestOptimizer:
    @pytest.mark.parametrize(
        ("name", "rate", "arguments"),
        [
            ("Adadelta", 1.0, {"rho": 0.8, "eps": 1e-5}),
            ("SGD", 0.1, {"momentum": 0.9, "nesterov": True}),
            ("Adam", 0.01, {"weight_decay": 0.1}),
        ],
    )
    def test_arguments_reach_it(
        self,
        name: str,
        rate: float,
        arguments: dict[str, float],
        data: ArrayDataset,
        tmp_path: Path,
    ) -> None:
        recipe = Training(name, rate, batch=20, steps=7, arguments=arguments)
        module, _ = run(data, recipe, tmp_path / "w")
        plain, _ = run(data, Training(name, rate, batch=20, steps=7), tmp_path / "plain")
        assert not same(module, plain)
        path = tmp_path / "cut"
        unfinished = train(small(), INPUT, data, recipe, path)
        assert any(step.index == 6 for step in unfinished)
        resumed, rest = run(data, recipe, path)
        assert [step.index for step in rest] == [6, 7]
        assert same(resumed, module)
        with pytest.raises(
            WeightsError,
            match="was not trained by the recipe given: arguments none where the file has",
        ):
            run(data, Training(name, rate, batch=20, steps=7), tmp_path / "w")

    def test_adadelta_steps_as_its_paper_has_them(self, tmp_path: Path) -> None:
        """Zeiler 2012, algorithm 1, on one dense layer, written out."""
        rho, eps = 0.95, 1e-6
        pictures = torch.rand(4, 1, *SIZE, dtype=torch.float32)
        labels = torch.tensor([0, 1, 1, 0])
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        weight, bias = (p.detach().clone() for p in module.parameters())
        squares, updates = torch.zeros_like(weight), torch.zeros_like(weight)
        bias_squares, bias_updates = torch.zeros_like(bias), torch.zeros_like(bias)
        for _ in range(5):
            scores = pictures.flatten(1) @ weight.T + bias
            error = (scores.softmax(1) - nn.functional.one_hot(labels, 2)) / 4
            for values, gradient, g2, d2 in (
                (weight, error.T @ pictures.flatten(1), squares, updates),
                (bias, error.sum(0), bias_squares, bias_updates),
            ):
                g2.mul_(rho).add_((1 - rho) * gradient**2)
                change = -(d2 + eps).sqrt() / (g2 + eps).sqrt() * gradient
                d2.mul_(rho).add_((1 - rho) * change**2)
                values.add_(change)
        recipe = Training("Adadelta", 1.0, batch=4, steps=5, arguments={"rho": rho, "eps": eps})
        data = TensorDataset(pictures, labels)
        for _ in train(module, INPUT, data, recipe, tmp_path / "w"):
            pass
        torch.testing.assert_close(module[1].weight.detach(), weight)
        torch.testing.assert_close(module[1].bias.detach(), bias)

    def test_arguments_that_are_none(self) -> None:
        for name in ("roh", "lr", "params"):
            with pytest.raises(SettingError, match=f"Adadelta has no argument '{name}'; .*rho"):
                Training("Adadelta", arguments={name: 1.0})

    def test_recipes_are_values(self) -> None:
        one, other = (Training("Adadelta", arguments={"rho": 0.95}) for _ in range(2))
        assert one == other
        assert hash(one) == hash(other)
        assert one != Training("Adadelta", arguments={"rho": 0.9})

    def test_the_rate_falls_after_every_epoch(self, data: ArrayDataset, tmp_path: Path) -> None:
        recipe = Training("SGD", 0.5, batch=20, epochs=3, decay=0.1)
        assert [recipe.rate(epoch) for epoch in range(3)] == pytest.approx([0.5, 0.05, 0.005])
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        weights = [module[1].weight.detach().clone()]
        for step in train(module, INPUT, data, recipe, tmp_path / "w"):
            weights.append(module[1].weight.detach().clone())
            assert step.index == len(weights) - 1
        moved = [float((b - a).norm()) for a, b in pairwise(weights)]
        assert min(moved[:3]) > 3 * max(moved[3:6])
        assert min(moved[3:6]) > 3 * max(moved[6:])


class TestValidation:
    @pytest.mark.later
    def test_it_comes_with_the_last_step_of_each_epoch(
        self, data: ArrayDataset, tmp_path: Path
    ) -> None:
        held_out = digits("test", SIZE)
        module = small()
        recipe = Training(learning_rate=1e-2, batch=20, steps=7)
        for step in train(module, INPUT, data, recipe, tmp_path / "w", validate=held_out):
            if step.index in (3, 6, 7):
                assert step.validation == accuracy(Network(module, INPUT), held_out)
            else:
                assert step.validation is None

    @pytest.mark.later
    def test_it_changes_nothing(self, data: ArrayDataset, tmp_path: Path) -> None:
        recipe = Training(batch=20, steps=7)
        one, _ = run(data, recipe, tmp_path / "with", validate=data)
        other, made = run(data, recipe, tmp_path / "without")
        assert same(one, other)
        assert (tmp_path / "with").read_bytes() == (tmp_path / "without").read_bytes()
        assert all(step.validation is None for step in made)


class TestFeed:
    def test_pictures_in_memory_come_as_one_by_one(self, data: ArrayDataset) -> None:
        class OneByOne(Dataset[object]):
            """The same pictures behind another door."""

            def __len__(self) -> int:
                return len(data)

            def __getitem__(self, index: int) -> object:
                return data[index]

        for recipe in (Training(batch=7), Training(batch=7, augment=RandomAffine())):
            fast, slow = Feed(data, recipe), Feed(OneByOne(), recipe)
            for step in (0, 3, 9, 30):
                for one, other in zip(fast.batch(step), slow.batch(step), strict=True):
                    assert torch.equal(one, other)

    def test_pictures_in_memory_without_labels(self, data: ArrayDataset, tmp_path: Path) -> None:
        unlabelled = ArrayDataset(data.pictures, name="bare")
        with pytest.raises(DataError, match=r"picture \d+ has no label"):
            run(unlabelled, Training(steps=1), tmp_path / "w")

    def test_a_step_needs_none_before_it(self, data: ArrayDataset) -> None:
        recipe = Training(batch=7, augment=RandomAffine())
        feed = Feed(data, recipe)
        pictures: list[Tensor] = [feed.batch(step)[0] for step in range(20)]
        assert torch.equal(Feed(data, recipe).batch(17)[0], pictures[17])
        assert torch.equal(feed.batch(2)[0], pictures[2])
