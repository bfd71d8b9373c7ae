"""A layer's weights: how large they are, as pictures, beside what they see and what they like."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import NetworkError, nearest
from phosphene.maximize import Drawing, Recipe, StrongestPatch, draw, strongest_patches
from phosphene.network import Network
from phosphene.probes import options
from phosphene.probes.question import UNITS, Question
from phosphene.probes.subject import Subject
from phosphene.results import Result
from phosphene.spellings import Model, Shown, network_of, picture_of
from phosphene.units import Unit
from phosphene.words import class_name, number, plural


@dataclass(frozen=True, eq=False)
class Weights(Result):
    """The smallest and largest weight of each unit of a layer, and their Euclidean norm.

    `pictures` are the weights of units that look at the network's input itself, laid out like it;
    None for others, and then `unseen` says why. `names` are what the units are called.
    """

    layer: str
    kind: str
    names: tuple[str, ...]
    low: Float[Tensor, "units"]
    high: Float[Tensor, "units"]
    norm: Float[Tensor, "units"]
    pictures: Float[Tensor, "units c h w"] | None
    unseen: str = ""

    @property
    def summary(self) -> str:
        """How far the weights reach, and which unit has the largest norm."""
        largest = int(self.norm.argmax())
        return (
            f"{self.layer}: weights of {plural(len(self.norm), 'unit')} from "
            f"{number(float(self.low.min()))} to {number(float(self.high.max()))}; "
            f"unit {largest} has the largest norm, {number(float(self.norm[largest]))}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "layer": self.layer,
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "norm": self.norm.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Filters(Result):
    """A convolution's channels: what each is, sees in a picture, and likes.

    `strongest` are the patches that no other exceeds, known where the layer looks at the input
    itself; `drawings` may be of some channels only.
    """

    weights: Weights
    kernels: Float[Tensor, "units n ky kx"]
    picture: Float[Tensor, "c h w"]
    maps: Float[Tensor, "units rows columns"]
    drawings: tuple[Drawing, ...]
    strongest: tuple[StrongestPatch, ...]

    @property
    def summary(self) -> str:
        """How far the weights reach, and which channel has the largest norm."""
        return self.weights.summary

    def to_json(self) -> dict[str, Any]:
        """The figures of the weights."""
        return self.weights.to_json()


def weights(network: Model, layer: str) -> Weights:
    """Measure the weights of a layer's units.

    Raises:
        UnknownLayerError: with the nearest names.
        NetworkError: the layer has no weights; with the nearest that have.
    """
    network = network_of(network)
    found = network.weights(layer)
    if found is None:
        there = [name for name in network.layers if network.weights(name) is not None]
        raise NetworkError(f"layer {layer!r} has no weights; {nearest(layer, there)}")
    flat, site = found.float().cpu().flatten(1), network.layer(layer)
    outputs = network.classifies and site.name == network.logits.name
    names = [f"class {class_name(network.classes, i)}" if outputs else f"unit {i}"
             for i in range(len(flat))]  # fmt: skip
    pictures = _pictures(network, layer)
    return Weights(
        site.name,
        site.kind,
        tuple(names),
        flat.amin(1),
        flat.amax(1),
        flat.norm(dim=1),
        pictures,
        _unseen(network, layer) if pictures is None else "",
    )


@torch.no_grad()
def filters(
    network: Model,
    layer: str,
    picture: Shown,
    drawings: Sequence[Drawing] = (),
) -> Filters:
    """What each channel of a convolution is, sees in `picture`, and likes: from `drawings`.

    Raises:
        UnknownLayerError: with the nearest names.
        NetworkError: the layer is no convolution; with the layers that are.
        InputError, ChannelError, SizeError: the picture does not fit.
    """
    network = network_of(network)
    shown = picture_of(network, picture)
    site, kernels = network.layer(layer), _kernels(network, layer)
    if kernels is None:
        there = [found for found in network.layers if _kernels(network, found) is not None]
        raise NetworkError(
            f"layer {layer!r} of {network.name} is no convolution; {nearest(layer, there)}"
        )
    return Filters(
        weights(network, layer),
        kernels,
        shown.cpu(),
        network.record(shown[None], [layer])[layer][0].float().cpu(),
        tuple(d for d in drawings if network.layer(d.unit.layer).name == site.name),
        tuple(strongest_patches(network, layer) or ()),
    )


def _kernels(network: Network, layer: str) -> Float[Tensor, "units n h w"] | None:
    """The kernels of a convolution's channels; None for any other layer."""
    found = network.weights(layer)
    if found is None or found.ndim != 4 or not network.layer(layer).spatial:
        return None
    return found.float().cpu()


def _pictures(network: Network, layer: str) -> Float[Tensor, "units c h w"] | None:
    """The weights of units that look at the picture itself, as pictures; None for others."""
    found, shape = network.weights(layer), network.input.shape
    # Numbers that fit do not suffice: maps further up may have as many values as the picture.
    first = next((site.weights for site in network.layers.values() if site.weights), None)
    if found is None or network.layer(layer).weights != first:
        return None
    if found.ndim == 2 and found.shape[1] == prod(shape):
        found = found.view(-1, *shape)
    if found.ndim != 4 or found.shape[1] != shape[0] or max(found.shape[2:]) == 1:
        return None
    return found.float().cpu()


def _unseen(network: Network, layer: str) -> str:
    there = [found for found in network.layers if _pictures(network, found) is not None]
    return (
        f"the weights of layer {layer!r} of {network.name} are no pictures: they do not "
        f"look at its input of {network.input} itself; {nearest(layer, there)}"
    )


@dataclass(frozen=True)
class Weighing(Question):
    """Show a layer's weights as pictures, or filter, activation and picture of each channel."""

    name, panel = "weights", UNITS
    layer: str | None = options.option("layer", "Which layer. Default: the first.", None)
    image: str | None = options.image(
        None, "Show the filters' activations on this picture, and what they like."
    )
    steps: int = options.steps(64)

    @property
    def kind(self) -> str:
        """The weights alone, or with what they see."""
        return "weights" if self.image is None else "filters"

    def title(self, subject: Subject) -> str:
        """Of which layer, on which picture."""
        layer = self._layer(subject)
        if self.image is None:
            return f"The weights of {layer}"
        return f"The filters of {layer} on image {Path(self.image).name}"

    def key(self, subject: Subject) -> dict[str, Any]:
        """The layer; with a picture, that too and the steps of what is drawn."""
        found = super().key(subject) | {"layer": self._layer(subject)}
        return {"layer": found["layer"]} if self.image is None else found

    def ask(self, subject: Subject) -> Weights | Filters:
        """The weights, or the filters."""
        network, layer = subject.network, self._layer(subject)
        if self.image is None:
            return weights(network, layer)
        picture, _ = subject.picture(self.image)
        every = [Unit(layer, i) for i in range(network.layer(layer).units)]
        drawn = draw(network, every, Recipe("neuron", steps=self.steps), seed=subject.seed)
        return filters(network, layer, picture, drawn)

    def _layer(self, subject: Subject) -> str:
        network = subject.network
        there = (name for name in network.layers if network.weights(name) is not None)
        return self.layer or next(there)
