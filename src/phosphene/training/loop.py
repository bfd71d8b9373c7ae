"""One training loop: a generator of steps that saves, resumes and ends with a weights file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from phosphene.data.dataset import length
from phosphene.errors import DataError
from phosphene.network import Input, Network, load_weights
from phosphene.streams import derived
from phosphene.survey import Survey
from phosphene.training.checkpoint import (
    ABOUT,
    check_identity,
    identity,
    restore,
    save,
    training_state,
)
from phosphene.training.feed import Feed
from phosphene.training.settings import Training

SAVE_EVERY = 500

M = TypeVar("M", bound=nn.Module)
S = TypeVar("S")


@dataclass(frozen=True)
class TrainingStep:
    """`index` counts from 1; `loss` and `accuracy` are those of the step's own batch.

    `validation` is the accuracy on the validation data after the step, at the last step of each
    epoch and of the training; None at the others, and where there is no such data.
    """

    index: int
    loss: float
    accuracy: float
    validation: float | None = None


def seeded(make: Callable[[], M], seed: int) -> M:
    """A freshly initialised module whose weights depend on `seed` alone."""
    with _seeded_draws(seed, torch.device("cpu")):
        return make()


@contextmanager
def _seeded_draws(seed: int, device: torch.device) -> Iterator[None]:
    """What modules on `device` draw from torch's global generators follows from `seed` alone.

    Only the generators of the CPU and of `device` are seeded, and put back afterwards;
    `torch.manual_seed` would seed those of every GPU there is.
    """
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        if gpus:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        yield


def accuracy(network: Network, dataset: Dataset[Any]) -> float:
    """The share of labelled pictures that `network` reads as their class.

    Raises:
        DataError: no labelled picture at all.
    """
    survey = Survey(network, []).over(dataset)
    if survey.predictions is None or survey.predictions.count == 0:
        raise DataError("no labelled picture among those that accuracy was to be measured on")
    return survey.predictions.accuracy


def train(
    module: nn.Module,
    input: Input,
    dataset: Dataset[Any],
    recipe: Training,
    path: str | Path,
    *,
    validate: Dataset[Any] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Iterator[TrainingStep]:
    """Train `module` by cross-entropy and write its weights to `path` (safetensors).

    The module gives logits, or log-probabilities, which log-softmax leaves as they are. Accuracy
    on `validate` comes with the last step of each epoch. `about` is kept in the file, which then
    knows its network: `Trained(...).to_json()`, see `read_trained`.

    At the start and every 500 steps the state is saved beside `path`; an interrupted training
    goes on from there and ends with the very weights of an uninterrupted one. Where `path`
    already holds the result of this recipe on a module of this shape and these data, it is loaded
    and no step is made. The module is left in eval mode.

    Raises:
        WeightsError: `path` holds the weights of another recipe or network, or of other data
            (where the data can tell: `ImageDataset`).
        DataError: a picture without a label, or none at all.
    """
    recipe = recipe.for_pictures(length(dataset))
    feed = Feed(dataset, recipe)

    def step(optimizer: torch.optim.Optimizer, index: int) -> TrainingStep:
        pictures, labels = feed.batch(index - 1)
        batch = (input.normalise(pictures), labels)
        loss, right = _step(module, optimizer, batch, derived(recipe.seed, "dropout", index))
        validated = None
        if validate is not None and (index % feed.steps_per_epoch == 0 or index == recipe.steps):
            validated = accuracy(Network(module, input), validate)
        return TrainingStep(index, loss, right, validated)

    yield from resumable(module, feed, path, step, **({ABOUT: about} if about else {}))


def resumable(
    module: nn.Module,
    feed: Feed,
    path: str | Path,
    step: Callable[[torch.optim.Optimizer, int], S],
    **record: object,
) -> Iterator[S]:
    """Make the steps of the feed's recipe, from where they were interrupted, as `train` tells.

    `step(optimizer, index)` makes one of them; what it does must follow from the module, the
    optimiser and `index`, which counts from 1, alone. `record` is what else the file at `path`
    says about its training.

    Raises:
        WeightsError: `path` holds the weights of another training.
    """
    path, state_path = Path(path), Path(path).with_suffix(".training")
    recipe = feed.recipe
    known = identity(recipe, module, feed.dataset, **record)
    if path.exists():
        check_identity(path, known)
        load_weights(module, path)
        module.eval()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    optimizer = recipe.optimize(module)
    if not state_path.exists():
        save(training_state(module, optimizer), state_path, known | {"step": "0"})
    done = restore(module, optimizer, state_path, known)
    for index in range(done + 1, recipe.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate((index - 1) // feed.steps_per_epoch)
        yield step(optimizer, index)
        if index % SAVE_EVERY == 0 and index < recipe.steps:
            save(training_state(module, optimizer), state_path, known | {"step": str(index)})
    module.eval()
    save(module.state_dict(), path, known)
    state_path.unlink(missing_ok=True)


def _step(
    module: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, Tensor], seed: int
) -> tuple[float, float]:
    device = next(module.parameters()).device
    inputs, labels = (tensor.to(device) for tensor in batch)
    module.train()
    with _seeded_draws(seed, device):  # dropout's
        scores = module(inputs)
        loss = F.cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    right = (scores.argmax(1) == labels).float().mean()
    return float(loss.detach()), float(right)
