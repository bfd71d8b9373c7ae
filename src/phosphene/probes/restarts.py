"""Restarts: one unit drawn from many starts, its pictures in groups, the clear ones kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from phosphene.canvas import Spectrum
from phosphene.data import batches
from phosphene.errors import InputError
from phosphene.evaluation import nearest_neighbours
from phosphene.maximize import Recipe, batch_size, on_screen, paint
from phosphene.network import Network
from phosphene.objectives import Neuron, of_unit, unit_maps
from phosphene.precisions import Precision
from phosphene.probes import options
from phosphene.probes.question import UNITS, Question
from phosphene.probes.subject import Subject
from phosphene.progress import counted, telling
from phosphene.results import Result
from phosphene.spellings import Meant, Model, network_of, unit_of
from phosphene.streams import Streams
from phosphene.units import Unit
from phosphene.words import number, plural

Distance = Callable[[Tensor], Tensor]
"""How far each of `b c h w` pictures is from real ones, `(b,)`, such as the mean distance to the
k nearest: `lambda pictures: nearest_neighbours(pictures, batches(data), 5).distances.mean(1)`."""

MOST_CLUSTERS = 10

STRUCTURE = 0.25
"""Below this silhouette there is no substantial structure (Kaufman & Rousseeuw 1990)."""


@dataclass(frozen=True, eq=False)
class Restarts(Result):
    """The pictures of one unit from n starts, strongest first.

    `activations` are the unit's answers to the pictures as a screen shows them (256 levels): its
    largest value over all positions, or a neuron's value. `distances` say how far each picture is
    from real ones, if that was asked for. `clusters` counts the groups from 0, which holds the
    strongest picture; `silhouette` (-1..1, 0 for a single group) says how distinct they are.
    """

    unit: Unit
    pictures: Float[Tensor, "n c h w"]
    activations: Float[Tensor, "n"]
    clusters: Int[Tensor, "n"]
    silhouette: float
    distances: Float[Tensor, "n"] | None

    def clear(self, strength: float = 0.8, nearer: float = 0.5) -> Bool[Tensor, "n"]:
        """Which pictures are clear: strong, and near to real ones as these starts go.

        A picture is strong if its activation is positive and at least `strength` times that of
        the strongest; it is near if its distance is within the `nearer` quantile of all n. Without
        distances every strong picture is clear.
        """
        strong = (self.activations > 0) & (self.activations >= strength * self.activations.max())
        if self.distances is None:
            return strong
        return strong & (self.distances <= self.distances.quantile(nearer))

    @property
    def summary(self) -> str:
        """How many starts, groups and clear pictures."""
        groups = int(self.clusters.max()) + 1
        told = (
            f"{self.unit}: {plural(len(self.pictures), 'start')}, "
            f"{plural(int(self.clear().sum()), 'clear picture')}, {plural(groups, 'group')}."
        )
        if groups > 1:
            told += f" How distinct the groups are (silhouette): {number(self.silhouette)}."
        return told

    def to_json(self) -> dict[str, Any]:
        """The figures of all starts as plain values for JSON, strongest first."""
        return {
            "unit": str(self.unit),
            "activations": self.activations.tolist(),
            "clusters": self.clusters.tolist(),
            "silhouette": self.silhouette,
            "distances": None if self.distances is None else self.distances.tolist(),
            "clear": self.clear().tolist(),
        }


@telling("drawing from other starts")
def restart(
    network: Model,
    unit: Meant,
    recipe: Recipe = Recipe(),
    *,
    starts: int = 50,
    seed: int = 0,
    spectrum: Spectrum | None = None,
    distance: Distance | None = None,
    layer: str | None = None,
) -> Restarts:
    """Draw `unit` from `starts` starts at once, and sort the outcomes.

    Start i has random numbers of its own, from (seed, unit, i). Pictures are grouped by how
    `layer` sees them (its units' means over positions, compared by angle; the unit's own layer
    unless given), or by their pixels if `layer` is "pixels": Ward's agglomerative clustering into
    the number of groups, up to 10, with the largest silhouette; one group where even that is below
    0.25. A class is the unit `Unit(network.logits.name, index)`.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        InputError: fewer than one start, or a recipe that starts all pictures alike.

    *Source:* Hvass Laboratories, TensorFlow Tutorial 13-B, exercises; Rousseeuw 1987,
    "Silhouettes".
    """
    network = network_of(network)
    unit = unit_of(network, unit)
    if starts < 1 or recipe.canvas.start != "noise":
        raise InputError(
            f"{starts} starts from {recipe.canvas.start!r} were asked for; "
            "expected at least one, and a canvas that starts from 'noise', or all end alike"
        )
    names = [f"{unit}/{i}" for i in range(starts)]
    size = batch_size(network, unit.layer)
    drawn = []
    for first in counted(range(0, starts, size)):
        streams = Streams.seeded(seed, names[first : first + size])
        drawn.append(_draw(network, unit, recipe, streams, spectrum))
    whole, pictures, activations = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    order = activations.argsort(descending=True, stable=True)
    pictures = pictures[order]
    seen = _features(network, whole[order], layer or unit.layer)
    clusters, silhouette = cluster(seen)
    distances = None if distance is None else distance(pictures)
    return Restarts(unit, pictures, activations[order], clusters, silhouette, distances)


def cluster(features: Float[Tensor, "n d"]) -> tuple[Int[Tensor, "n"], float]:
    """Group rows by Ward's method: the group of each, and their mean silhouette (0 for one group).

    Groups are counted in the order in which they first appear.
    """
    from sklearn.cluster import AgglomerativeClustering  # noqa: PLC0415 - slow to import
    from sklearn.metrics import silhouette_score  # noqa: PLC0415

    rows = features.double().numpy()
    labels, best = [0] * len(rows), 0.0
    for count in range(2, min(MOST_CLUSTERS, len(rows) - 1) + 1):
        grouped = AgglomerativeClustering(n_clusters=count).fit_predict(rows)
        silhouette = float(silhouette_score(rows, grouped))
        if silhouette > max(best, STRUCTURE):
            labels, best = grouped.tolist(), silhouette
    places = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    return torch.tensor([places[label] for label in labels]), best


def _draw(
    network: Network, unit: Unit, recipe: Recipe, streams: Streams, spectrum: Spectrum | None
) -> tuple[Tensor, Tensor, Tensor]:
    """What the network saw at the end, the part of it that the unit sees, and its activations."""
    objective, shape, box = of_unit(unit), None, None
    if recipe.aim == "neuron":
        patch = network.patch(unit.layer)
        objective = Neuron(unit.layer, unit.index, patch.y, patch.x)
        shape, box = (network.input.channels, *patch.size), patch.box
    shown = on_screen(paint(network, objective, recipe, streams, shape=shape, spectrum=spectrum))
    with torch.no_grad():
        recording = network.record(shown, [unit.layer])
    if isinstance(objective, Neuron):
        activations = objective(recording)
    else:
        activations = unit_maps(recording[unit.layer])[:, unit.index].amax(1)
    top, left, bottom, right = box or (0, 0, *shown.shape[2:])
    return shown.cpu(), shown[:, :, top:bottom, left:right].cpu(), activations.cpu()


@torch.no_grad()
def _features(
    network: Network, pictures: Float[Tensor, "n c h w"], layer: str
) -> Float[Tensor, "n d"]:
    if layer == "pixels":
        return pictures.flatten(1)
    means = [
        unit_maps(network.record(some, [layer])[layer]).mean(2).cpu()
        for some in pictures.split(batch_size(network, layer))
    ]
    return F.normalize(torch.cat(means), dim=1)


@dataclass(frozen=True)
class Restarting(Question):
    """Draw one unit from many starts, sort the pictures into groups, keep the clear ones."""

    name, panel = "restarts", UNITS
    unit: str = options.unit()
    starts: int = options.option("count", "How often.", 50, least=1)
    steps: int = options.steps(256)
    precision: Precision = options.precision()

    def title(self, subject: Subject) -> str:
        """How many of what."""
        return f"{self.starts} starts of {self.unit}"

    def rests_on_data(self, subject: Subject) -> bool:
        """Where there are any: they have the spectrum, and classes are held against them."""
        return subject.has_data

    def ask(self, subject: Subject) -> Restarts:
        """The pictures in their groups."""
        unit = subject.unit(self.unit)

        def distance(pictures: Tensor) -> Tensor:
            return nearest_neighbours(pictures, batches(subject.data), 5).distances.mean(1)

        return restart(
            subject.network,
            unit,
            Recipe(steps=self.steps, precision=self.precision),
            starts=self.starts,
            seed=subject.seed,
            spectrum=subject.spectrum,
            distance=distance if subject.has_data and subject.is_class(unit) else None,
        )
