"""The measurements of `peers.py`: each runs both sides, one after the other, and gives figures."""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from opponents import captum_maps, lucent
from torch import Tensor
from torch.nn import functional as F

from phosphene import (
    Channel,
    Fourier,
    Network,
    Neuron,
    RandomAffine,
    Recipe,
    Spectrum,
    Survey,
    Unit,
    draw,
    each_gradient,
)
from phosphene.data import Batch
from phosphene.maximize import Usual
from phosphene.maximize.recipe import follow
from phosphene.network import GUIDED, PLAIN, frozen
from phosphene.objectives import Term
from phosphene.streams import Streams

STEPS, LOOK = 512, 4
FREE = Recipe(canvas=Fourier(learning_rate=0.05), transform=RandomAffine(), steps=STEPS)
"""As free as Lucent's canvas, with moves as small and steps as long as Lucent's."""
NEVER = float("inf")


@dataclass(frozen=True)
class Race:
    """Some units of a layer: seconds for each, Lucent's and ours to the same activation."""

    lucent: list[float]
    ours: list[float]
    steps: list[float]
    standard: float
    standard_activation: list[float]

    @property
    def ratios(self) -> list[float]:
        return [a / b for a, b in zip(self.lucent, self.ours, strict=True) if b != NEVER]

    @property
    def wins(self) -> int:
        return len(self.ratios)


def race(network: Network, layer: str, count: int, spectrum: Spectrum, usual: Usual) -> Race:
    """Race `count` units of `layer`, leaving out those that Lucent's picture does not excite."""
    units, seconds, reached = [], [], []
    for unit in range(network.layer(layer).units):
        started = time.perf_counter()
        picture = lucent(network, layer, unit, STEPS)
        took = time.perf_counter() - started
        whole = F.interpolate(picture, network.input.size, mode="bilinear", align_corners=True)
        answer = float(answers(network, layer, [unit], whole))
        if answer > 0:
            units, seconds, reached = [*units, unit], [*seconds, took], [*reached, answer]
        if len(units) == count:
            break
    ours, steps = until(network, layer, units, spectrum, reached)
    started = time.perf_counter()
    drawn = draw(network, [Unit(layer, u) for u in units], spectrum=spectrum, usual=usual)
    standard = (time.perf_counter() - started) / len(units)
    last = torch.stack([drawing.picture for drawing in drawn])
    shown = answers(network, layer, units, last) / torch.tensor(reached)
    return Race(seconds, ours, steps, standard, shown.tolist())


def until(
    network: Network,
    layer: str,
    units: Sequence[int],
    spectrum: Spectrum,
    wanted: Sequence[float],
) -> tuple[list[float], list[float]]:
    """Seconds per unit, and steps, until each unit answers its picture as strongly as wanted."""
    took, steps = [NEVER] * len(units), [NEVER] * len(units)
    clock, started = 0.0, time.perf_counter()
    for index, pictures in enumerate(climb(network, layer, units, FREE, spectrum)):
        clock += time.perf_counter() - started
        if index % LOOK == 0:
            found = answers(network, layer, units, pictures).tolist()
            for i, (value, goal) in enumerate(zip(found, wanted, strict=True)):
                if value >= goal and took[i] == NEVER:
                    took[i], steps[i] = clock / len(units), index
            if NEVER not in took:
                break
        started = time.perf_counter()
    return took, steps


def climb(
    network: Network, layer: str, units: Sequence[int], recipe: Recipe, spectrum: Spectrum
) -> Iterator[Tensor]:
    """The pictures of each step, the units' means driven together on one canvas."""
    streams = Streams.seeded(0, [Unit(layer, unit) for unit in units])
    shape = (network.input.channels, *network.window(layer))
    objective = Channel(layer, tuple(units))
    for step in follow(network, objective, recipe, streams, shape=shape, spectrum=spectrum):
        yield step.pictures


@torch.no_grad()
def answers(network: Network, layer: str, units: Sequence[int], pictures: Tensor) -> Tensor:
    """The mean of each unit's map on its own picture."""
    return Channel(layer, tuple(units))(network.record(pictures, [layer]))


def centre(network: Network, layer: str, units: Sequence[int]) -> Term:
    """Each unit, at the centre position where it has positions."""
    found = network.layer(layer)
    if not found.spatial:
        return Channel(layer, tuple(units))
    return Neuron(layer, tuple(units), y=found.shape[1] // 2, x=found.shape[2] // 2)


def maps(
    network: Network, layer: str, units: Sequence[int], pictures: Tensor, repeats: int = 5
) -> dict[str, tuple[list[float], list[float], float]]:
    """Milliseconds per map, Captum's and ours, and how far apart the maps are, for two rules."""
    count, rows = len(units) * len(pictures), {}
    for name, rule in (("gradient", PLAIN), ("guided", GUIDED)):
        theirs, ours = [], []
        for _ in range(repeats):
            with warnings.catch_warnings(), frozen(network.module):
                warnings.simplefilter("ignore")  # Captum's, about its hooks
                started = time.perf_counter()
                slow = captum_maps(network, layer, pictures, units, guided=rule is GUIDED)
                theirs.append(1000 * (time.perf_counter() - started) / count)
            started = time.perf_counter()
            fast = each_gradient(network, pictures, centre(network, layer, units), rule)
            ours.append(1000 * (time.perf_counter() - started) / count)
        per_input = fast * fast.new_tensor(network.input.std).view(1, -1, 1, 1)  # as theirs is
        rows[name] = (theirs, ours, float((per_input - slow).abs().max() / slow.abs().max()))
    return rows


def stream(
    network: Network, layers: Sequence[str], made: Callable[[], Iterable[Batch]], repeats: int = 3
) -> tuple[list[float], list[float]]:
    """Seconds of a bare forward pass and of the survey, over the same batches."""
    bare, ours = [], []
    for _ in range(repeats):
        started = time.perf_counter()
        with torch.no_grad(), frozen(network.module):
            for batch in made():
                network.module(network.input.normalise(batch.pictures))
        bare.append(time.perf_counter() - started)
        started = time.perf_counter()
        survey = Survey(network, layers)
        for batch in made():
            survey.add(batch)
        ours.append(time.perf_counter() - started)
    return bare, ours


def irreducible(
    network: Network, layer: str, units: int, spectrum: Spectrum, repeats: int = 5
) -> list[float]:
    """The share of an ascent's step that forward and backward of the network alone take."""
    index = tuple(range(units))
    steps = climb(network, layer, index, Recipe(steps=10**6), spectrum)
    pictures = next(steps).clone()
    objective, shares = Channel(layer, index), []
    for _ in range(repeats):
        started = time.perf_counter()
        for _ in range(4):
            next(steps)
        whole = time.perf_counter() - started
        leaf = pictures.clone().requires_grad_()
        started = time.perf_counter()
        for _ in range(4):
            with frozen(network.module):
                score = objective(network.record(leaf, [layer])).sum()
            torch.autograd.grad(score, leaf)
        shares.append((time.perf_counter() - started) / whole)
    return shares
