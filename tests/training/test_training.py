"""Training that can be cut short anywhere and ends with the very same weights."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from phosphene.data import Unreadable, digits
from phosphene.errors import DataError, SettingError, WeightsError
from phosphene.network import Input, Network, load_weights
from phosphene.training import Training, TrainingStep, seeded, train
from phosphene.training import loop as training
from phosphene.zoo import hvass

SIZE = (8, 8)
INPUT = Input(1, SIZE, mean=0.3, std=0.4)
STEPS = 23

Make = Callable[[], nn.Module]


def dropout() -> nn.Module:
    """With dropout and batch statistics: state beside the weights, and random numbers."""
    return seeded(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(4 * 36, 3),
        ),
        0,
    )


def plain() -> nn.Module:
    return seeded(lambda: hvass((1, *SIZE), 3, widths=(4,), dense=(6,)), 0)


@pytest.fixture(autouse=True)
def _save_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 5)


@pytest.fixture(scope="module")
def data() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (50,), generator=generator)
    pictures = torch.rand(50, 1, *SIZE, generator=generator) * 0.5
    pictures[:, 0, 0] += 0.25 * labels[:, None]
    return TensorDataset(pictures, labels)


def run(
    make: Make, data: TensorDataset, path: Path, **changes: object
) -> tuple[nn.Module, list[TrainingStep]]:
    recipe = Training(**{"learning_rate": 0.01, "batch": 8, "steps": STEPS} | changes)  # type: ignore[arg-type]
    module = make()
    return module, list(train(module, INPUT, data, recipe, path))


def same(one: nn.Module, other: nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


@pytest.mark.parametrize("make", [plain, dropout])
@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop", "NAdam"])
@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights(
    make: Make, optimizer: str, data: TensorDataset, tmp_path: Path
) -> None:
    whole, steps = run(make, data, tmp_path / "whole.safetensors", optimizer=optimizer)
    path = tmp_path / "cut.safetensors"
    recipe = Training(optimizer, 0.01, 8, STEPS)
    rng, seen = random.Random(optimizer), {}
    for stop in sorted(rng.sample(range(1, STEPS), 4)):
        torch.manual_seed(stop)
        unfinished = train(make(), INPUT, data, recipe, path)
        for step in unfinished:
            assert seen.setdefault(step.index, step) == step
            if step.index >= stop:
                break
        unfinished.close()  # type: ignore[attr-defined]
        assert not path.exists()
    resumed = make()
    rest = list(train(resumed, INPUT, data, recipe, path))
    assert rest[0].index > 1, "it went on from what was saved"
    assert [seen.get(s.index, s) for s in steps] == steps
    assert steps[-len(rest) :] == rest
    assert same(resumed, whole)
    assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.safetensors", "whole.safetensors"]


@pytest.mark.parametrize("stop", [1, 4, 5, 6, 10, 22])
@pytest.mark.slow
def test_the_same_module_can_go_on(stop: int, data: TensorDataset, tmp_path: Path) -> None:
    whole, _ = run(dropout, data, tmp_path / "whole.safetensors")
    module, path = dropout(), tmp_path / "cut.safetensors"
    for step in train(module, INPUT, data, Training("Adam", 0.01, 8, STEPS), path):
        if step.index == stop:
            break
    steps = list(train(module, INPUT, data, Training("Adam", 0.01, 8, STEPS), path))
    assert [s.index for s in steps] == list(range((stop - 1) // 5 * 5 + 1, STEPS + 1))
    assert same(module, whole)


@pytest.mark.parametrize("make", [plain, dropout])
def test_a_finished_training_is_loaded(make: Make, data: TensorDataset, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "w.safetensors"
    module, steps = run(make, data, path)
    assert [s.index for s in steps] == list(range(1, STEPS + 1))
    assert not module.training
    written = path.read_bytes()
    again, none = run(make, data, path)
    assert none == []
    assert same(module, again)
    assert not again.training
    assert path.read_bytes() == written
    fresh = make()
    load_weights(fresh, path)
    assert same(module, fresh)


@pytest.mark.slow
def test_numbers_depend_on_the_seed_alone(data: TensorDataset, tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    first, steps = run(dropout, data, tmp_path / "1")
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(1)
    again, repeated = run(dropout, data, tmp_path / "2")
    other, others = run(dropout, data, tmp_path / "3", seed=1)
    assert same(first, again)
    assert steps == repeated
    assert not same(first, other)
    assert steps[0] != others[0]


def test_the_global_generator_is_untouched_between_steps(
    data: TensorDataset, tmp_path: Path
) -> None:
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    for _ in train(dropout(), INPUT, data, Training(steps=7, batch=8), tmp_path / "w"):
        assert torch.equal(torch.random.get_rng_state(), state)


def test_other_devices_are_not_seeded(
    data: TensorDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    run(dropout, data, tmp_path / "w")
    assert seeds == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_the_generator_of_the_device_is_put_back(data: TensorDataset, tmp_path: Path) -> None:
    state = torch.cuda.get_rng_state()
    steps = [
        list(train(dropout().cuda(), INPUT, data, Training(steps=7, batch=8), tmp_path / name))
        for name in ("one", "two")
    ]
    assert steps[0] == steps[1]
    assert torch.equal(torch.cuda.get_rng_state(), state)


def test_steps_tell_loss_and_accuracy(data: TensorDataset, tmp_path: Path) -> None:
    module = plain()
    recipe = Training("SGD", 0.0, batch=50, steps=1)
    (step,) = train(module, INPUT, data, recipe, tmp_path / "w")
    network, (pictures, labels) = Network(module, INPUT), data.tensors
    scores = network.class_scores(pictures)
    right = sum(int(s.argmax()) == int(t) for s, t in zip(scores, labels, strict=True))
    loss = sum(-float(s.log_softmax(0)[int(t)]) for s, t in zip(scores, labels, strict=True))
    assert step.accuracy == pytest.approx(right / 50)
    assert step.loss == pytest.approx(loss / 50, rel=1e-5)


def test_dropout_drops_something_else_at_each_step(tmp_path: Path) -> None:
    data = TensorDataset(torch.ones(4, 1, *SIZE), torch.zeros(4, dtype=torch.long))
    recipe = Training("SGD", 0.0, batch=4, steps=6)
    module = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(64, 3)), 0)
    losses = [step.loss for step in train(module, INPUT, data, recipe, tmp_path / "w")]
    assert len(set(losses)) == 6


def test_every_picture_is_seen_once_per_epoch(tmp_path: Path) -> None:
    class Watching(TensorDataset):
        """Remembers what was asked of it."""

        asked: list[int]

        def __getitem__(self, index: int) -> tuple[Tensor, ...]:
            self.asked.append(index)
            return super().__getitem__(index)

    data = Watching(torch.rand(20, 1, *SIZE), torch.zeros(20, dtype=torch.long))
    data.asked = []
    list(train(plain(), INPUT, data, Training(batch=4, steps=10), tmp_path / "w"))
    first, second = data.asked[:20], data.asked[20:]
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second != sorted(second)


@pytest.mark.later
def test_it_learns(tmp_path: Path) -> None:
    data = digits("train", SIZE)
    module = seeded(lambda: hvass((1, *SIZE), widths=(8,), dense=(32,)), 0)
    recipe = Training(learning_rate=5e-3, batch=32, steps=150)
    steps = list(train(module, Input(1, SIZE), data, recipe, tmp_path / "w"))
    assert steps[0].loss > 1.5
    assert sum(s.accuracy for s in steps[-20:]) / 20 > 0.9


class TestFiles:
    def test_the_weights_know_their_recipe(self, data: TensorDataset, tmp_path: Path) -> None:
        path = tmp_path / "w.safetensors"
        run(plain, data, path)
        with safe_open(path, framework="pt") as file:
            recipe = json.loads(file.metadata()["recipe"])
        assert recipe | {"module": ""} == {
            "optimizer": "Adam",
            "learning_rate": 0.01,
            "batch": 8,
            "steps": STEPS,
            "seed": 0,
            "module": "",
        }

    @pytest.mark.parametrize(
        "change", [{"seed": 1}, {"steps": 24}, {"learning_rate": 0.1}, {"make": dropout}]
    )
    @pytest.mark.parametrize("finished", [True, False])
    def test_another_recipe_or_network_is_refused(
        self, change: dict[str, object], finished: bool, data: TensorDataset, tmp_path: Path
    ) -> None:
        path = tmp_path / "w.safetensors"
        recipe = Training("Adam", 0.01, 8, STEPS)
        for step in train(plain(), INPUT, data, recipe, path):
            if not finished and step.index == 7:
                break
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        with pytest.raises(WeightsError, match=r"not trained by the recipe given: .*another path"):
            run(**{"make": plain, "data": data, "path": path} | change)  # type: ignore[arg-type]
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before

    @pytest.mark.parametrize("finished", [True, False])
    def test_other_data_is_refused(self, finished: bool, tmp_path: Path) -> None:
        path, recipe = tmp_path / "w.safetensors", Training(batch=8, steps=7)
        data = digits("train", SIZE).subset(("0", "1", "2"))
        for step in train(plain(), INPUT, data, recipe, path):
            if not finished and step.index == 6:
                break
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        with pytest.raises(WeightsError, match=r"on other data.*give another path"):
            list(train(plain(), INPUT, data.take(slice(0, 60)), recipe, path))
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
        again = digits("train", SIZE).subset(("0", "1", "2"))
        assert len(list(train(plain(), INPUT, again, recipe, path))) == (0 if finished else 2)

    def test_weights_from_before_data_was_noted_are_loaded(self, tmp_path: Path) -> None:
        path, recipe = tmp_path / "w.safetensors", Training(batch=8, steps=2)
        data = digits("train", SIZE).subset(("0", "1", "2"))
        list(train(plain(), INPUT, data, recipe, path))
        with safe_open(path, framework="pt") as file:
            told = json.loads(file.metadata()["recipe"])
        del told["data"]
        save_file(load_file(path), path, {"recipe": json.dumps(told)})
        assert list(train(plain(), INPUT, data, recipe, path)) == []

    def test_weights_of_somebody_else(self, data: TensorDataset, tmp_path: Path) -> None:
        path = tmp_path / "w.safetensors"
        path.write_text("these are no weights, but somebody may want to keep them")
        with pytest.raises(WeightsError, match=r"w\.safetensors is there and is no safetensors"):
            run(plain, data, path)
        assert path.read_text().startswith("these are no weights")


class TestRefusals:
    def test_pictures_without_labels(self, tmp_path: Path) -> None:
        for data in (
            TensorDataset(torch.rand(9, 1, *SIZE)),
            TensorDataset(torch.rand(9, 1, *SIZE), torch.full((9,), -1)),
        ):
            with pytest.raises(DataError, match=r"picture \d has no label"):
                run(plain, data, tmp_path / "w")

    def test_no_pictures(self, tmp_path: Path) -> None:
        data = TensorDataset(torch.rand(0, 1, *SIZE), torch.zeros(0, dtype=torch.long))
        with pytest.raises(DataError, match="no pictures"):
            run(plain, data, tmp_path / "w")

    def test_optimizers_that_are_none(self) -> None:
        for name in ("Adm", "lr_scheduler", "Optimizer", "LBFGS"):
            with pytest.raises(SettingError, match=f"no optimiser '{name}'; .*Ada"):
                Training(name)

    def test_unreadable_pictures_are_passed_over(self, tmp_path: Path) -> None:
        class Damaged(TensorDataset):
            """Every second picture cannot be decoded."""

            share = 2

            def __getitem__(self, index: int) -> object:  # type: ignore[override]
                if index % self.share == 0:
                    return Unreadable(f"{index}.png", "cut short")
                return super().__getitem__(index)

        data = Damaged(torch.rand(20, 1, *SIZE), torch.zeros(20, dtype=torch.long))
        steps = list(train(plain(), INPUT, data, Training(batch=10, steps=4), tmp_path / "w"))
        assert len(steps) == 4
        data.share = 1
        with pytest.raises(DataError, match="none of the pictures"):
            list(train(plain(), INPUT, data, Training(batch=10, steps=4), tmp_path / "v"))
