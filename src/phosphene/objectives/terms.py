"""What can be asked of a unit: channels, neurons, classes, directions, whole layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ObjectiveError
from phosphene.network import Layer
from phosphene.network.recorded import Recording
from phosphene.objectives.algebra import LayerTerm, Term
from phosphene.scores import log_probabilities, probabilities
from phosphene.units import LOGITS, Unit
from phosphene.words import literal

PerImage = int | tuple[int, ...]
"""One number for all images, or one for each."""


def unit_maps(values: Tensor) -> Float[Tensor, "b units positions"]:
    """Layer values as units by positions: `b c h w`, `b t d` (units last) or `b d`."""
    if values.ndim == 4:
        return values.flatten(2)
    if values.ndim == 3:
        return values.transpose(1, 2)
    return values[:, :, None]


def unit_means(values: Tensor) -> Float[Tensor, "b units"]:
    """The mean of every unit over its positions.

    As a sum that is divided: its gradient is one number a unit, which is never written out for all
    places, and so takes whatever order in memory the network's own gradient has.
    """
    places = _places(values)
    return values.sum(places) / prod(values.shape[place] for place in places) if places else values


def unit_variances(values: Tensor) -> Float[Tensor, "b units"]:
    """How far every unit's answers at its positions are apart, as the mean square from their mean.

    The mean has no part in the gradient: the differences from it add up to nothing.
    """
    means, places = unit_means(values.detach()), _places(values)
    for place in places:
        means = means.unsqueeze(place)
    return unit_means((values - means).square())


def _places(values: Tensor) -> tuple[int, ...]:
    """The axes of a layer's values along which its positions are."""
    return {4: (2, 3), 3: (1,)}.get(values.ndim, ())


def unit_map(values: Tensor, index: PerImage) -> Float[Tensor, "b positions"]:
    """The map of unit `index[i]` of image i; of the others nothing is copied."""
    if values.ndim == 4:
        return _pick(values, unit=index).flatten(1)
    return _pick(unit_maps(values), unit=index)


def _pick(values: Float[Tensor, "b n ..."], **wanted: PerImage) -> Float[Tensor, "b ..."]:
    """Entry (index[i], ...) of image i, along as many axes as indices are `wanted`, by name.

    A gradient lies in memory as what was indexed. Maps whose channels lie last are indexed as
    `b h w c`: a gradient that lies otherwise than the network's own makes all below twice as slow.
    """
    images, given = len(values), tuple(wanted.values())
    for (what, index), count in zip(wanted.items(), values.shape[1:], strict=False):
        _refuse_beyond(index, count, what)
        if isinstance(index, tuple) and len(index) != images:
            raise ObjectiveError(f"an objective for {len(index)} images was given {images}")
    places: list[Any] = [slice(None), *given]
    if any(isinstance(index, tuple) for index in given):
        each = ([index] * images if isinstance(index, int) else list(index) for index in given)
        places = [torch.arange(images, device=values.device), *each]
    places += [slice(None)] * (values.ndim - len(places))
    if values.ndim == 4 and _channels_lie_last(values):
        values, places = values.permute(0, 2, 3, 1), [places[axis] for axis in (0, 2, 3, 1)]
    return values[tuple(places)]


def _channels_lie_last(maps: Float[Tensor, "b c h w"]) -> bool:
    return maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()


def _refuse_beyond(index: PerImage, count: int, what: str) -> None:
    chosen = (index,) if isinstance(index, int) else index
    beyond = sorted({i for i in chosen if not 0 <= i < count})
    if beyond:
        raise ObjectiveError(
            f"{what} {_listed(beyond)} was asked for; there are {count}, 0 to {count - 1}"
        )


@dataclass(frozen=True)
class Channel(LayerTerm):
    """The mean of a unit over all its positions.

    score = mean_p a[unit, p], where p runs over the positions of a map or the tokens of a
    sequence. For a dense layer, which has one position, it is the unit's value.

    *Source:* Olah et al. 2017, "Feature Visualization" (channel objective).
    """

    layer: str
    index: PerImage
    batched: ClassVar[tuple[str, ...]] = ("index",)

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The channel's mean, per image."""
        return unit_map(recording[self.layer], self.index).mean(1)

    def __str__(self) -> str:
        return _units(self.layer, self.index)


@dataclass(frozen=True)
class Neuron(LayerTerm):
    """One unit at one position: (y, x), or the centre of the map where they are None.

    For sequences of tokens `x` is the token. The centre of an even extent n is n // 2.
    """

    layer: str
    index: PerImage
    y: PerImage | None = None
    x: PerImage | None = None
    batched: ClassVar[tuple[str, ...]] = ("index", "y", "x")

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The neuron's value, per image."""
        maps = recording[self.layer]
        if maps.ndim != 4:  # tokens or a dense layer: a map one position high
            maps = unit_maps(maps)[:, :, None, :]
        y, x = self.position(maps.shape[2], maps.shape[3])
        return _pick(maps, unit=self.index, row=y, column=x)

    def position(self, height: int, width: int) -> tuple[PerImage, PerImage]:
        """(y, x) in a map of this height and width."""
        return (height // 2 if self.y is None else self.y, width // 2 if self.x is None else self.x)

    def __str__(self) -> str:
        if self.y is None and self.x is None:
            return f"{_units(self.layer, self.index)}@centre"
        where = ",".join("centre" if v is None else _place(v) for v in (self.y, self.x))
        return f"{_units(self.layer, self.index)}@{where}"


@dataclass(frozen=True)
class Energy(LayerTerm):
    """How strongly a unit fires over all its positions, each place counted by its own strength.

    score = 1/2 sum_p max(a[unit, p], 0)², so that the gradient hands every position p what the unit
    answers there. Maps of it keep the place of everything that a unit sees in a picture.

    *Source:* Zeiler & Fergus 2013, arXiv 1311.2901, sec. 2.1: a DeconvNet starts from the rectified
    map of one unit, with all others at zero.
    """

    layer: str
    index: PerImage
    batched: ClassVar[tuple[str, ...]] = ("index",)

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The energy, per image."""
        fired = unit_map(recording[self.layer], self.index).clamp(min=0)
        return fired.square().sum(1) / 2

    def __str__(self) -> str:
        return f"energy of {_units(self.layer, self.index)}"


@dataclass(frozen=True)
class Logit(Term):
    """The score of a class before the softmax, whichever layer the network has it in."""

    index: PerImage
    batched: ClassVar[tuple[str, ...]] = ("index",)

    @property
    def layers(self) -> frozenset[str]:
        """The logits."""
        return frozenset((LOGITS,))

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The logit, per image."""
        return _pick(recording[LOGITS], unit=self.index)

    def __str__(self) -> str:
        return f"logit {_listed(self.index)}"


@dataclass(frozen=True)
class LogProbability(Logit):
    """The logarithm of a class's probability."""

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """log p[index], p by the network's task: softmax(logits) or sigmoid(logits), per image."""
        return _pick(log_probabilities(recording[LOGITS], recording.task), unit=self.index)

    def __str__(self) -> str:
        return f"log p({_listed(self.index)})"


@dataclass(frozen=True)
class Probability(Logit):
    """The probability of a class."""

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """p[index] by the network's task: softmax(logits) or sigmoid(logits), per image."""
        return _pick(probabilities(recording[LOGITS], recording.task), unit=self.index)

    def __str__(self) -> str:
        return f"p({_listed(self.index)})"


@dataclass(frozen=True)
class Direction(LayerTerm):
    """The activation along a direction of a layer's activation space.

    score = mean_p <a[:, p], v> / |v|, or that times max(cos, 0.1)^cosine_power, which favours
    activations that point along v over ones that are merely long.

    *Source:* Olah et al. 2017 and Carter et al. 2019 ("Activation Atlas") for the cosine.
    """

    layer: str
    vector: tuple[float, ...]
    cosine_power: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a vector without length."""
        if not any(self.vector):
            raise ObjectiveError("a direction of zeros alone points nowhere; give another vector")

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The mean projection, per image."""
        maps = unit_maps(recording[self.layer])
        if len(self.vector) != maps.shape[1]:
            raise ObjectiveError(
                f"a direction of {len(self.vector)} numbers was given for layer {self.layer!r}, "
                f"which has {maps.shape[1]} units"
            )
        vector = maps.new_tensor(self.vector)
        along: Tensor = torch.einsum("bup,u->bp", maps, vector / vector.norm())
        if self.cosine_power == 0:
            return along.mean(1)
        cosine: Tensor = along / maps.norm(dim=1).clamp_min(1e-8)
        return torch.mean(along * cosine.clamp_min(0.1).pow(self.cosine_power), dim=1)

    def __str__(self) -> str:
        power = f", cosine^{literal(self.cosine_power)}" if self.cosine_power else ""
        return f"direction in {self.layer} ({len(self.vector)} units{power})"


@dataclass(frozen=True)
class Norm(LayerTerm):
    """The Euclidean length of a layer's values, or of some of its units: DeepDream's objective.

    score = sqrt(mean a²), over all positions and the chosen units; None chooses all units.

    *Source:* Mordvintsev et al. 2015, "Inceptionism".
    """

    layer: str
    units: tuple[int, ...] | None = None

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The root mean square, per image."""
        values = recording[self.layer]
        if self.units is not None:
            values = torch.stack([unit_map(values, unit) for unit in self.units], dim=1)
        squares = values.square().sum(tuple(range(1, values.ndim)))
        # The root of zero has no slope; a hair above zero it has.
        power: Tensor = squares / prod(values.shape[1:]) + 1e-12
        return power.sqrt()

    def __str__(self) -> str:
        return f"|{self.layer if self.units is None else _units(self.layer, self.units)}|"


def of_unit(unit: Unit) -> Term:
    """The objective that `unit` stands for: a neuron if it has a position, else a channel."""
    if unit.y is None:
        return Channel(unit.layer, unit.index)
    return Neuron(unit.layer, unit.index, unit.y, unit.x)


def at_places(layer: Layer, index: int, places: Sequence[int]) -> Term:
    """The objective that asks for one unit at a place of its own in each of several pictures.

    Places are numbers of positions, row by row, or of tokens; a dense layer has only one.
    """
    if len(layer.shape) == 1:
        return Channel(layer.name, index)
    rows, columns = zip(*map(layer.at, places), strict=True)
    return Neuron(layer.name, index, y=rows, x=columns)


def _units(layer: str, index: PerImage) -> str:
    return f"{layer}:{_listed(index)}"


def _place(value: PerImage) -> str:
    return _listed(value) if isinstance(value, int) or len(value) == 1 else str(value)


def _listed(index: Any) -> str:
    return str(index) if isinstance(index, int) else ",".join(str(i) for i in index)
