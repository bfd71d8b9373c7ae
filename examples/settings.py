"""How large a run of the walk-throughs is, and where its pictures and weights are.

A full run works on MNIST, from the folder `PHOSPHENE_MNIST`, from `../shared/data/mnist`, or
downloaded. With `PHOSPHENE_QUICK=1` everything is small: the embedded digits, few steps, few
seeds. Weights are kept in `PHOSPHENE_WEIGHTS`, or in `weights/` beside this file, so that nothing
is trained twice.
"""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from phosphene.data import ArrayDataset, digits, mnist
from phosphene.network import Network
from phosphene.training import Training, TrainingStep, train
from phosphene.zoo import Article

T = TypeVar("T")

HERE = Path(__file__).parent
QUICK = os.environ.get("PHOSPHENE_QUICK") == "1"
WEIGHTS = Path(os.environ.get("PHOSPHENE_WEIGHTS", HERE / "weights")) / (
    "digits" if QUICK else "mnist"
)
KEPT_STEPS = 100
"""Of a training every so manieth step is kept, and those with a validation."""


def pick(full: T, quick: T) -> T:
    """The one value or the other, by the size of the run."""
    return quick if QUICK else full


def pictures(split: str) -> ArrayDataset:
    """The handwritten digits of `split`, "train" or "test"."""
    if QUICK:
        return digits(split)
    named, beside = os.environ.get("PHOSPHENE_MNIST"), HERE.parents[1] / "shared/data/mnist"
    if named or beside.is_dir():
        return mnist(named or beside, split)
    return mnist(Path.home() / ".cache/phosphene/mnist", split, download=True)


class Trained(NamedTuple):
    """A network at the end of its training, and the steps that were kept on the way."""

    network: Network
    steps: list[TrainingStep]


def trained(
    name: str, article: Article, seed: int = 0, recipe: Training | None = None, **changes: Any
) -> Trained:
    """The article's network, trained as it says or by `recipe`, or loaded if that was done before.

    `changes` to the network, such as `widths`, go to its factory. A quick run makes 80 steps of
    a rate that suffices for the embedded digits.
    """
    recipe = replace(recipe or article.recipe, seed=seed)
    if QUICK:
        rate = max(recipe.learning_rate, 1e-3)
        recipe = replace(recipe, learning_rate=rate, steps=80, epochs=None)
    path = WEIGHTS / f"{name}.safetensors"
    network = article(seed=seed, **changes)
    training, validation = article.split(pictures("train"))
    steps = train(
        network.module,
        network.input,
        training,
        recipe,
        path,
        validate=validation if len(validation) and recipe.epochs else None,
    )
    return Trained(Network(network.module, network.input, network.labels, name), _kept(steps, path))


def _kept(steps: Any, path: Path) -> list[TrainingStep]:
    """Run a training to its end; the steps worth keeping, also of one that ended earlier."""
    notes = path.with_suffix(".json")
    kept = [
        step
        for step in steps
        if step.index == 1 or step.index % KEPT_STEPS == 0 or step.validation is not None
    ]
    if kept:
        notes.write_text(json.dumps([asdict(step) for step in kept]), encoding="utf-8")
    elif notes.exists():
        kept = [TrainingStep(**step) for step in json.loads(notes.read_text(encoding="utf-8"))]
    return kept
