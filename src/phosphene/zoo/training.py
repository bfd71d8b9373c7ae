"""One training loop: a generator of steps that saves, resumes and ends with a weights file."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Dataset

from phosphene.data import Unreadable, read
from phosphene.data.dataset import length
from phosphene.errors import DataError, SpecError, WeightsError, nearest
from phosphene.network import Input, load_weights
from phosphene.streams import derived

SAVE_EVERY = 500

_OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    name: kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type)
    and issubclass(kind, torch.optim.Optimizer)
    and name not in {"Optimizer", "LBFGS", "SparseAdam"}  # these do not step on plain gradients
}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: optimiser of `torch.optim` by name, batch size, steps, seed.

    Raises `SpecError` for an optimiser that is none, with the nearest names.
    """

    optimizer: str = "Adam"
    learning_rate: float = 1e-4
    batch: int = 64
    steps: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse names that are no optimiser's."""
        if self.optimizer not in _OPTIMIZERS:
            raise SpecError(
                f"no optimiser {self.optimizer!r}; {nearest(self.optimizer, _OPTIMIZERS)}"
            )


@dataclass(frozen=True)
class TrainingStep:
    """`index` counts from 1; `loss` and `accuracy` are those of the step's own batch."""

    index: int
    loss: float
    accuracy: float


def seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A freshly initialised module whose weights depend on `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def train(
    module: nn.Module, input: Input, dataset: Dataset[Any], recipe: Recipe, path: str | Path
) -> Iterator[TrainingStep]:
    """Train `module` by cross-entropy and write its weights to `path` (safetensors).

    At the start and every 500 steps the state is saved beside `path`; an interrupted training
    goes on from there and ends with the very weights of an uninterrupted one. Where `path`
    already holds the result of this recipe on a module of this shape, it is loaded and no step
    is made. The module is left in eval mode.

    Raises:
        WeightsError: `path` holds the weights of another recipe or of another network.
        DataError: a picture without a label.
    """
    path, state_path = Path(path), Path(path).with_suffix(".training")
    identity = {"recipe": json.dumps(asdict(recipe) | {"module": _shape_of(module)})}
    if path.exists():
        _check_identity(path, identity)
        load_weights(module, path)
        module.eval()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    optimizer = _OPTIMIZERS[recipe.optimizer](module.parameters(), lr=recipe.learning_rate)
    if not state_path.exists():
        _save(_training_state(module, optimizer), state_path, identity | {"step": "0"})
    done = _restore(module, optimizer, state_path, identity)
    order = _Order(length(dataset), recipe)
    for index in range(done + 1, recipe.steps + 1):
        pictures, labels = _gather(dataset, order.batch(index - 1))
        yield _step(module, optimizer, (input.normalise(pictures), labels), index, recipe.seed)
        if index % SAVE_EVERY == 0 and index < recipe.steps:
            _save(_training_state(module, optimizer), state_path, identity | {"step": str(index)})
    module.eval()
    _save(module.state_dict(), path, identity)
    state_path.unlink(missing_ok=True)


def _step(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: tuple[Tensor, Tensor],
    index: int,
    seed: int,
) -> TrainingStep:
    device = next(module.parameters()).device
    inputs, labels = (tensor.to(device) for tensor in batch)
    module.train()
    with torch.random.fork_rng(devices=[]):  # dropout draws from the global generator
        torch.manual_seed(derived(seed, "dropout", index))
        scores = module(inputs)
        loss = F.cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    accuracy = (scores.argmax(1) == labels).float().mean()
    return TrainingStep(index, float(loss.detach()), float(accuracy))


class _Order:
    """Which pictures make up which step: every epoch in a new order that its seed alone decides."""

    def __init__(self, count: int, recipe: Recipe) -> None:
        if count == 0:
            raise DataError("training was asked for with no pictures")
        self.count, self.seed = count, recipe.seed
        self.size = min(recipe.batch, count)
        self.epoch = -1
        self.permutation: list[int] = []

    def batch(self, step: int) -> list[int]:
        per_epoch = self.count // self.size
        epoch, position = divmod(step, per_epoch)
        if epoch != self.epoch:
            generator = torch.Generator().manual_seed(derived(self.seed, "epoch", epoch))
            self.epoch = epoch
            self.permutation = torch.randperm(self.count, generator=generator).tolist()
        return self.permutation[position * self.size : (position + 1) * self.size]


def _gather(dataset: Dataset[Any], indices: list[int]) -> tuple[Tensor, Tensor]:
    pictures, labels = [], []
    for index in indices:
        item = read(dataset[index])
        if isinstance(item, Unreadable):
            continue
        if item.label is None:
            raise DataError(f"picture {index} has no label; training needs one for each")
        pictures.append(item.picture)
        labels.append(item.label)
    if not pictures:
        raise DataError(f"none of the pictures {indices[:5]}… can be read")
    return torch.stack(pictures), torch.tensor(labels)


def _training_state(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = {f"module.{k}": v for k, v in module.state_dict().items()}
    for index, values in optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
    return state


def _restore(
    module: nn.Module, optimizer: torch.optim.Optimizer, path: Path, identity: dict[str, str]
) -> int:
    metadata = _check_identity(path, identity)
    state = load_file(path)
    module.load_state_dict(
        {k.removeprefix("module."): v for k, v in state.items() if k.startswith("module.")}
    )
    saved: dict[int, dict[str, Tensor]] = {}
    for key, value in state.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            saved.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": saved})
    return int(metadata["step"])


def _save(state: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    part = path.with_name(path.name + ".part")  # a kill must not leave half a file at `path`
    save_file({k: v.detach().cpu().contiguous() for k, v in state.items()}, part, metadata)
    part.replace(path)


def _check_identity(path: Path, identity: dict[str, str]) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(
            f"{path} is there and is no safetensors file ({error}); give another path"
        ) from error
    found = metadata.get("recipe")
    if found != identity["recipe"]:
        raise WeightsError(
            f"{path} was trained as {found or 'something unknown'}, not as {identity['recipe']}; "
            "give another path, or delete the file to train anew"
        )
    return metadata


def _shape_of(module: nn.Module) -> str:
    text = ",".join(f"{k}{tuple(v.shape)}" for k, v in module.state_dict().items())
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
