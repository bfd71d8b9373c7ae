"""Networks side by side: how well they read, which units idle, what their classes look like."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.canvas import Spectrum
from phosphene.data import batches
from phosphene.errors import DataError, NetworkError, SettingError
from phosphene.maximize import Recipe
from phosphene.network import Network
from phosphene.precisions import Precision
from phosphene.probes import options, retraining
from phosphene.probes.ablation import Census, census
from phosphene.probes.question import TRAIN, Question
from phosphene.probes.subject import Subject
from phosphene.probes.transfers import class_pictures
from phosphene.progress import counted, telling
from phosphene.results import Result
from phosphene.survey import Survey
from phosphene.words import percent, plural


@dataclass(frozen=True, eq=False)
class Side:
    """One of the networks: its size, its accuracy, a census of each hidden layer, its classes.

    `pictures` is empty where no class pictures were asked for.
    """

    name: str
    parameters: int
    accuracy: float
    censuses: tuple[Census, ...]
    pictures: Float[Tensor, "classes c h w"]

    @property
    def units(self) -> int:
        """How many hidden units it has."""
        return sum(found.units for found in self.censuses)

    @property
    def silent(self) -> int:
        """How many of them never fire."""
        return sum(len(found.silent) for found in self.censuses)

    @property
    def redundant(self) -> int:
        """How many could go if one of each set of near-duplicates stayed."""
        return sum(found.redundant for found in self.censuses)

    @property
    def summary(self) -> str:
        """Its figures in one sentence."""
        return (
            f"{self.name}: {percent(self.accuracy, 2)} right with {self.parameters:,} parameters; "
            f"of {plural(self.units, 'hidden unit')} {self.silent} never fire and {self.redundant} "
            "repeat others."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "network": self.name,
            "parameters": self.parameters,
            "accuracy": self.accuracy,
            "units": self.units,
            "silent": self.silent,
            "redundant": self.redundant,
            "layers": [found.to_json() for found in self.censuses],
        }


@dataclass(frozen=True, eq=False)
class Comparison(Result):
    """Networks of the same classes on the same data."""

    data: str
    classes: tuple[str, ...]
    sides: tuple[Side, ...]

    @property
    def summary(self) -> str:
        """A sentence for each network."""
        return "\n".join(side.summary for side in self.sides)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"data": self.data, "networks": [side.to_json() for side in self.sides]}


@telling("comparing networks")
def compare(
    networks: Mapping[str, Network],
    dataset: Dataset[Any],
    *,
    recipe: Recipe | None = Recipe(),
    spectrum: Spectrum | None = None,
    threshold: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Read `dataset` with each of `networks`, count their idle units and draw their classes.

    The layers are those that a study looks at, but for the logits. Class pictures are drawn by
    `recipe` on `spectrum`, that of the data unless given; without a recipe none are drawn.

    Raises:
        NetworkError: no network, one that does not classify, or networks of different classes.
        DataError: no labelled picture at all, or a label that a network has no class for.

    *Source:* Hvass Laboratories, TensorFlow Tutorial 13-B, exercises.
    """
    counts = {name: len(network.classes) for name, network in networks.items()}
    if len(set(counts.values())) != 1:
        raise NetworkError(f"networks of {counts} classes; expected one or more, of the same")
    if recipe is not None and spectrum is None:
        spectrum = Spectrum.measure(batch.pictures for batch in batches(dataset))
    sides = []
    for name, network in counted(list(networks.items())):
        hidden = [la.name for la in network.default_layers if la.name != network.logits.name]
        survey = Survey(network, hidden).over(dataset)
        if survey.predictions is None or survey.predictions.count == 0:
            raise DataError("no labelled picture was given; accuracy needs pictures with classes")
        drawn = torch.zeros(0, *network.input.shape)
        if recipe is not None:
            drawn, _ = class_pictures(network, recipe, seed=seed, spectrum=spectrum)
        censuses = tuple(census(survey.layers[layer], threshold) for layer in hidden)
        sides.append(Side(name, network.parameters, survey.predictions.accuracy, censuses, drawn))
    name = str(getattr(dataset, "name", type(dataset).__name__))
    return Comparison(name, next(iter(networks.values())).classes, tuple(sides))


@dataclass(frozen=True)
class Varying(Question):
    """Retrain with fewer features or more layers; accuracy, idle units, pictures side by side."""

    name, panel = "variants", TRAIN
    train_on: str | None = retraining.data_option()
    variant: tuple[str, ...] = options.option(
        "texts", "Such as 'widths=8,18 dense=64', one network each.", (), key=None
    )
    network: str = retraining.network_option()
    folder: str = retraining.folder_option("variants")
    training_steps: int | None = retraining.steps_option()
    learning_rate: float | None = retraining.rate_option()
    shift: float = options.option(
        "number", "Train on copies shifted up to this share of the side.", 0.0, key=None
    )
    steps: int = options.steps(256, "Steps of each class picture.")
    precision: Precision = options.precision()

    def title(self, subject: Subject) -> str:
        """What beside what."""
        return f"{subject.network.name} beside {plural(len(set(self.variant)), 'variant')}"

    def key(self, subject: Subject) -> dict[str, Any]:
        """The networks, and the steps of their pictures."""
        others = {name: net.fingerprint for name, net in self.networks(subject).items()}
        return super().key(subject) | {"others": others}

    def rests_on_data(self, subject: Subject) -> bool:
        """They are read by all networks."""
        return True

    def ask(self, subject: Subject) -> Comparison:
        """The networks side by side."""
        recipe = Recipe(steps=self.steps, precision=self.precision)
        return compare(self.networks(subject), subject.data, recipe=recipe, seed=subject.seed)

    def networks(self, subject: Subject) -> dict[str, Network]:
        """The network itself and its variants, which are trained where they are not there."""
        if not self.variant:
            raise SettingError(
                "no variant was given; give --variant 'widths=8,18 dense=64', or several"
            )
        told = self.train_on, self.network, self.folder, self.training_steps, self.learning_rate
        trainer = retraining.Retraining(*told, self.shift)
        found = {subject.network.name: subject.network}
        for text in self.variant:
            plain = text.replace("=", "").replace(" ", "-").replace(",", "-")
            name = f"{self.network}-{plain}"
            found[text] = trainer.trained(subject, subject.seed, name, **_assignments(text))
        return found


def _assignments(text: str) -> dict[str, str | None]:
    """`widths=8,18 dense=64` as names and values."""
    found: dict[str, str | None] = {}
    for part in text.split():
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise SettingError(
                f"--variant {text!r} is not name=value, such as 'widths=8,18 dense=64'"
            )
        found[name] = value
    return found
