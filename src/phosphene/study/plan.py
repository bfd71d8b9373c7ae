"""What a study does: which layers, which pictures, with which settings, as a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from torch.utils.data import Dataset

from phosphene.data import fingerprint
from phosphene.data.dataset import length
from phosphene.errors import SpecError, UnknownLayerError, nearest
from phosphene.maximize import Recipe, batch_size
from phosphene.network import Layer, Network

_MEMORY = 2**32  # bytes; a pass forward keeps less than the ascent that batch_size is made for

CHANNELS = Recipe("channel")
NEURONS = Recipe("neuron")
"""How each layer's are held and moved is chosen when they are drawn: see `maximize.chosen`."""


@dataclass(frozen=True)
class Settings:
    """The choices of a study; they are part of every job's key.

    `examples` is how many top pictures each unit keeps, `recipes` how units are drawn: neuron
    recipes apply to layers with positions only, a recipe's size to layers that take it. `workers`
    processes read pictures ahead; that changes nothing but the time.
    """

    layers: tuple[str, ...] = ()
    recipes: tuple[Recipe, ...] = (CHANNELS, NEURONS)
    examples: int = 9
    seed: int = 0
    batch: int = 256
    workers: int = 0

    def __post_init__(self) -> None:
        """Refuse to keep no examples, and counts below zero; raises `SpecError`."""
        if self.workers < 0:
            raise SpecError(f"{self.workers} workers; expected 0, to read in this process, or more")
        if self.examples < 1 or self.batch < 1:
            raise SpecError(
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
    classes: tuple[str, ...] = field(init=False)
    """The names of the classes: the network's labels, else the data's, else numbers."""

    def __post_init__(self) -> None:
        """Resolve layers and classes.

        Raises:
            UnknownLayerError: with the nearest names.
            NetworkError: as many labels as classes are expected.
        """
        object.__setattr__(self, "classes", _classes(self.network, self.data))
        object.__setattr__(self, "data_fingerprint", fingerprint(self.data))
        object.__setattr__(self, "layers", choose(self.network, self.settings.layers))

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

    def recipes(self, layer: Layer) -> list[Recipe]:
        """How units of `layer` are drawn: neurons where it has positions, sizes where it can."""
        return [
            recipe
            if recipe.size is None or self.network.takes(recipe.size, layer.name)
            else replace(recipe, size=None)
            for recipe in self.settings.recipes
            if recipe.aim == "channel" or layer.spatial
        ]

    def describe_network(self) -> dict[str, Any]:
        """The document `network` of an atlas."""
        height, width = self.network.input.size
        record = self.network.to_json()
        record["input"] |= {"height": height, "width": width}
        return record | {"labels": list(self.classes)}

    def describe_data(self) -> dict[str, Any]:
        """The document `data` of an atlas."""
        return {
            "name": self.data_name,
            "note": str(getattr(self.data, "note", "")),
            "count": length(self.data),
            "classes": list(getattr(self.data, "classes", ())),
            "fingerprint": self.data_fingerprint,
        }


def _classes(network: Network, data: Dataset[Any]) -> tuple[str, ...]:
    of_data = tuple(getattr(data, "classes", ()))
    if not network.classifies:
        return of_data
    unnamed = not network.labels and len(of_data) == len(network.classes)
    return of_data if unnamed else network.classes


def choose(network: Network, patterns: Sequence[str]) -> tuple[Layer, ...]:
    """The layers whose names match any of `patterns` (`*` and `?` are wild), or the default ones.

    Raises:
        UnknownLayerError: a pattern that matches nothing, with the nearest names.
    """
    if not patterns:
        return tuple(network.default_layers)
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in network.layers):
            network.layer(pattern)  # names a reused module, if it is one
            raise UnknownLayerError(
                f"no layer of {network.name} matches {pattern!r}; "
                f"{nearest(pattern, network.layers)}"
            )
    return tuple(
        layer
        for layer in network.layers.values()
        if any(_matches(layer.name, pattern) for pattern in patterns)
    )


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))  # brackets are part of layers' names
