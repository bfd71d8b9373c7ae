"""What a study does: which layers, which pictures, with which settings, as a value."""

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, ClassVar

from torch.utils.data import Dataset

from phosphene.circuits.general import K
from phosphene.data import fingerprint
from phosphene.data.dataset import length
from phosphene.errors import SettingError, UnknownLayerError, nearest
from phosphene.maximize import Recipe, batch_size
from phosphene.network import Layer, Network
from phosphene.study.chosen import choose_units, matches
from phosphene.study.vocabulary import Vocabulary, agree
from phosphene.values import Value

_MEMORY = 2**32  # bytes; a pass forward keeps less than the ascent that batch_size is made for

CHANNELS = Recipe("channel")
NEURONS = Recipe("neuron")
"""How each layer's are held and moved is chosen when they are drawn: see `maximize.chosen`."""


@dataclass(frozen=True)
class Settings(Value):
    """The choices of a study; they are part of every job's key.

    `examples` is how many top pictures each unit keeps, `recipes` how units are drawn: neuron
    recipes apply to layers with positions only, a recipe's size to layers that take it. `workers`
    processes read pictures ahead; that changes nothing but the time. `units` chooses what is shown
    of a layer, as in `conv2:0-9` (see `choose_units`); of a layer that it does not name all is.
    `edges` is how many of the strongest edges are kept of each unit, from the layer before and to
    the layer after; 0 to measure none. No channel's picture is larger than `largest` (h, w), where
    a layer takes that.
    """

    called: ClassVar[str] = "study's settings"
    layers: tuple[str, ...] = ()
    recipes: tuple[Recipe, ...] = (CHANNELS, NEURONS)
    examples: int = 9
    seed: int = 0
    batch: int = 256
    workers: int = 0
    units: tuple[str, ...] = ()
    edges: int = K
    largest: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Refuse to keep no examples, and counts below zero; raises `SettingError`.

        One layer, and one choice of units, may be given as it is.
        """
        for name in ("layers", "units"):
            if isinstance(one := getattr(self, name), str):
                object.__setattr__(self, name, (one,))
        if self.workers < 0:
            raise SettingError(
                f"{self.workers} workers; expected 0, to read in this process, or more"
            )
        if self.edges < 0:
            raise SettingError(
                f"{self.edges} edges of each unit; expected 0, to measure none, or more"
            )
        if self.examples < 1 or self.batch < 1:
            raise SettingError(
                f"{self.examples} examples in batches of {self.batch}; both are at least 1"
            )


@dataclass(frozen=True)
class Study:
    """A network, its data and the settings: everything the jobs need."""

    network: Network
    data: Dataset[Any]
    settings: Settings = Settings()
    source: Mapping[str, str] = field(default_factory=dict)
    """How the command line makes network and data again; no job depends on it."""
    data_fingerprint: str = field(init=False)
    layers: tuple[Layer, ...] = field(init=False)
    vocabulary: Vocabulary = field(init=False)
    chosen: Mapping[str, tuple[int, ...]] = field(init=False)
    """The units that are shown, of the layers of which not all are."""

    def __post_init__(self) -> None:
        """Resolve layers and classes; labels of the data become the network's numbers.

        Raises:
            UnknownLayerError, UnknownUnitError: with the nearest names.
            NetworkError: as many labels as classes are expected, or it cannot be computed in the
                precision that a recipe says; `SettingError` where the device has none.
        """
        for precision in {recipe.precision for recipe in self.settings.recipes}:
            self.network.lowered(precision)  # refused now, and not for one layer after another
        data, vocabulary = agree(self.network, self.data)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "vocabulary", vocabulary)
        object.__setattr__(self, "data_fingerprint", fingerprint(self.data))
        object.__setattr__(self, "layers", choose(self.network, self.settings.layers))
        object.__setattr__(self, "chosen", choose_units(self.layers, self.settings.units))

    def over(self, names: Collection[str]) -> "Study":
        """The same study of the layers of these names, in the order the network runs them."""
        every = tuple(self.network.layers.values())
        chosen = choose_units(every, self.settings.units)
        other = copy(self)
        layers = tuple(layer for layer in every if layer.name in names)
        object.__setattr__(other, "layers", layers)
        object.__setattr__(other, "chosen", {k: v for k, v in chosen.items() if k in names})
        return other

    def under(self, settings: Settings) -> "Study":
        """The same layers and data with other settings."""
        other = copy(self)
        object.__setattr__(other, "settings", settings)
        object.__setattr__(other, "chosen", choose_units(self.layers, settings.units))
        return other

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the data's labels: the network's classes where they are the same."""
        return self.vocabulary.labels

    @property
    def data_name(self) -> str:
        """What to call the data."""
        return str(getattr(self.data, "name", type(self.data).__name__))

    @property
    def batch(self) -> int:
        """How many pictures go through the network at once.

        As many as the settings say, but no more than a few gibibytes of values: see `batch_size`.
        """
        *_, deepest = self.network.layers
        return min(self.settings.batch, batch_size(self.network, deepest, _MEMORY))

    def units(self, layer: Layer) -> Sequence[int]:
        """The units of `layer` that are shown: those chosen, else all of them."""
        return self.chosen.get(layer.name, range(layer.units))

    def recipes(self, layer: Layer) -> list[Recipe]:
        """How units of `layer` are drawn: neurons where it has positions, sizes where it can."""
        return [
            replace(recipe, size=self._size(layer, recipe))
            for recipe in self.settings.recipes
            if recipe.aim == "channel" or layer.spatial
        ]

    def _size(self, layer: Layer, recipe: Recipe) -> tuple[int, int] | None:
        """The canvas, None where it is left to the layer."""
        name, size, largest = layer.name, recipe.size, self.settings.largest
        if size is not None and not self.network.takes(size, name):
            size = None
        if largest is None or recipe.aim == "neuron" or not self.network.takes(largest, name):
            return size
        own = size or self.network.window(name)
        return largest if prod(largest) < prod(own) else size

    def describe_network(self) -> dict[str, Any]:
        """The document `network` of an atlas."""
        height, width = self.network.input.size
        record = self.network.to_json()
        record["input"] |= {"height": height, "width": width}
        return record | {"labels": list(self.vocabulary.outputs)}

    def describe_reading(self) -> dict[str, Any]:
        """The document `reading` of an atlas: which layer has the classes, and what is called what.

        `labels` are the names of the data's classes, `shared` says that they are the network's.
        """
        network, words = self.network, self.vocabulary
        read = network.reading if network.classifies else None
        return {
            "task": network.task,
            "layer": None if read is None else read.layer,
            "how": None if read is None else read.how,
            "told": network.unread if read is None else str(read),
            "labels": list(words.labels),
            "shared": words.shared,
            "said": words.words,
        }

    def describe_data(self) -> dict[str, Any]:
        """The document `data` of an atlas."""
        return {
            "name": self.data_name,
            "note": str(getattr(self.data, "note", "")),
            "count": length(self.data),
            "classes": list(getattr(self.data, "classes", ())),
            "fingerprint": self.data_fingerprint,
        }


def choose(network: Network, patterns: Sequence[str]) -> tuple[Layer, ...]:
    """The layers whose names match any of `patterns` (`*` and `?` are wild), or the default ones.

    Raises:
        UnknownLayerError: a pattern that matches nothing, with the nearest names.
    """
    if not patterns:
        return tuple(network.default_layers)
    for pattern in patterns:
        if not any(matches(name, pattern) for name in network.layers):
            network.layer(pattern)  # names a reused module, if it is one
            raise UnknownLayerError(
                f"no layer of {network.name} matches {pattern!r}; "
                f"{nearest(pattern, network.layers)}"
            )
    return tuple(
        layer
        for layer in network.layers.values()
        if any(matches(layer.name, pattern) for pattern in patterns)
    )
