"""Networks trained anew for a question, once: an article's, or a decoder of the data."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from phosphene.data import ArrayDataset, ImageDataset, load_data
from phosphene.errors import SettingError, nearest
from phosphene.network import Network
from phosphene.probes import options
from phosphene.probes.subject import Subject
from phosphene.probes.texts import numbers
from phosphene.progress import tell
from phosphene.training import Training, seeded, train
from phosphene.transforms import RandomAffine
from phosphene.zoo import ARTICLES, DECODER, Article, VariationalAutoencoder, train_decoder


def data_option() -> Any:
    """The option `--train`."""
    help = "What to train on: digits, mnist:FOLDER, a folder."
    return options.option("data", help, None, flag="--train", key=None)


def network_option() -> Any:
    """The option `--network`, one of the articles'."""
    return options.option("text", f"One of {', '.join(ARTICLES)}.", "hvass", key=None)


def folder_option(default: str) -> Any:
    """The option `--folder`."""
    return options.option(
        "folder", "Where trained weights are kept and taken from.", default, key=None
    )


def steps_option(help: str = "Default: the article's.") -> Any:
    """The option `--training-steps`."""
    return options.option("count", help, None, least=1, key=None)


def rate_option() -> Any:
    """The option `--learning-rate`."""
    return options.option("number", "Default: the article's.", None, key=None)


@dataclass(frozen=True)
class Retraining:
    """How networks are trained for a subject: like an article's, with what was said instead."""

    data: str | None
    network: str
    folder: str
    steps: int | None
    learning_rate: float | None
    shift: float = 0.0

    def trained(self, subject: Subject, seed: int, name: str, **widths: str | None) -> Network:
        """The network `name` for the subject's classes, trained, or loaded where that was done."""
        article = article_called(self.network)
        settings = factory_settings(article.factory, **widths)
        return subject.once(name, lambda: self._trained(subject, seed, name, settings))

    def _trained(self, subject: Subject, seed: int, name: str, settings: dict[str, Any]) -> Network:
        input, classes = subject.network.input, subject.network.classes
        article = article_called(self.network)
        recipe = changed(
            article.recipe,
            seed,
            steps=self.steps,
            learning_rate=self.learning_rate,
            shift=self.shift,
        )
        pictures = pictures_of(
            load_data(required(self.data), input.channels, input.size, "train"),
            ",".join(classes),
            article,
        )
        fresh = article(input.shape, classes, seed, **settings)
        fresh.module.to(subject.network.device)
        total = recipe.for_pictures(len(pictures)).steps
        path = Path(self.folder) / f"{name}.safetensors"
        for step in train(fresh.module, input, pictures, recipe, path):
            tell(step.index, total)
        return Network(fresh.module, input, classes, path.stem)


def decoder(
    subject: Subject, pictures: Dataset[Any], folder: str, codes: int, steps: int | None
) -> VariationalAutoencoder:
    """A decoder of `pictures`, trained, or loaded where that was done."""
    made = seeded(lambda: VariationalAutoencoder(subject.network.input.shape, codes), subject.seed)
    recipe = replace(DECODER, seed=subject.seed, steps=steps or DECODER.steps)
    for step in train_decoder(
        made, pictures, Path(folder) / f"decoder-{codes}.safetensors", recipe
    ):
        tell(step.index, recipe.steps)
    return made.to(subject.network.device)


def required(data: str | None) -> str:
    """The name of data to train on; raises `SettingError` where none was given."""
    if data is None:
        raise SettingError("training needs pictures: give --train digits, mnist:FOLDER or a folder")
    return data


def article_called(name: str) -> Article:
    """The article whose network has that name; raises `SettingError` with the nearest."""
    if name not in ARTICLES:
        raise SettingError(f"no network {name!r}; {nearest(name, ARTICLES, listing=True)}")
    return ARTICLES[name]


def pictures_of(dataset: Dataset[Any], names: str | None, article: Article) -> ImageDataset:
    """Pictures of the classes that are named, else of the article's, else of all there are."""
    if not isinstance(dataset, ImageDataset) or not dataset.classes:
        raise SettingError(
            "training needs data with classes: one folder for each, or digits or MNIST"
        )
    chosen = tuple(names.split(",")) if names else article.classes
    if chosen == dataset.classes or (not names and not set(chosen) <= set(dataset.classes)):
        return dataset
    if not isinstance(dataset, ArrayDataset):
        raise SettingError(f"--classes {','.join(chosen)} of a folder: leave out the other folders")
    return dataset.subset(chosen)


def factory_settings(factory: Callable[..., Any], **given: str | None) -> dict[str, Any]:
    """Those of `given` that were set, in the form in which `factory` takes them."""
    known, settings = inspect.signature(factory).parameters, {}
    for name, text in given.items():
        if text is None:
            continue
        if name not in known:
            raise SettingError(f"--{name} does not go with {factory.__name__}, which has none")
        counts = tuple(int(number) for number in numbers(text, f"--{name}", "16,36"))
        settings[name] = counts[0] if isinstance(known[name].default, int) else counts
    return settings


def changed(
    article: Training,
    seed: int,
    *,
    steps: int | None,
    learning_rate: float | None,
    batch: int | None = None,
    shift: float = 0.0,
) -> Training:
    """The article's training with what was asked for instead."""
    instead: dict[str, Any] = {"seed": seed}
    if steps is not None:
        instead |= {"steps": steps, "epochs": None}
    if learning_rate is not None:
        instead["learning_rate"] = learning_rate
    if batch is not None:
        instead["batch"] = batch
    if shift:
        instead["augment"] = RandomAffine(shift=shift, rotate=0.0, scale=(1.0, 1.0))
    return replace(article, **instead)
