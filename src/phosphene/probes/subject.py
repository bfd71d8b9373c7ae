"""What questions are put to: a network, its data, and the words for their parts."""

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset, Subset

from phosphene.canvas import Spectrum
from phosphene.data import Batch, Example, Resize, batches, read, read_image
from phosphene.data.dataset import length
from phosphene.data.ground import border
from phosphene.errors import DataError, SettingError
from phosphene.network import Network, load_weights
from phosphene.probes.texts import file_hash, span
from phosphene.progress import tell
from phosphene.spellings import class_number, class_numbers
from phosphene.units import Unit

Made = TypeVar("Made")


def warned(text: str) -> None:
    """Tell something as a warning of Python's."""
    warnings.warn(text, stacklevel=3)


class Subject(ABC):
    """A network and its data. Both may be made when they are first asked for.

    `tell` is called with sentences that a person should see.
    """

    seed: int = 0
    tell: Callable[[str], None] = staticmethod(warned)

    @property
    @abstractmethod
    def network(self) -> Network:
        """The network itself."""

    @property
    @abstractmethod
    def data(self) -> Dataset[Any]:
        """The pictures asked about; raises `SettingError` where there are none."""

    @property
    @abstractmethod
    def has_data(self) -> bool:
        """Whether there are any."""

    def data_for(self, other: Network, resize: Resize | None = None) -> Dataset[Any]:
        """The same pictures in the same order as another network takes them.

        `resize` says how image files come to its size.

        Raises:
            SettingError: there are none, or they are not made anew for another input.
        """
        own, asked = self.network.input, other.input
        if asked.shape != own.shape:
            raise SettingError(
                f"the data are {own.channels} x {own.size[0]} x {own.size[1]} and {other.name} "
                f"takes {asked.channels} x {asked.size[0]} x {asked.size[1]}; name them as "
                "`phosphene build` does, and they are made for both"
            )
        return self.data

    @property
    def resize(self) -> Resize | None:
        """How image files come to the input's size."""
        return None

    @abstractmethod
    def sibling(self, weights: Path) -> Network:
        """A network like this one with other weights."""

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` makes under that name, made once for all who ask for it."""
        if name not in self._made:
            self._made[name] = make()
        made: Made = self._made[name]
        return made

    @cached_property
    def _made(self) -> dict[str, Any]:
        return {}

    def named(self, weights: str) -> Network:
        """A network like this one with other weights, called as their file is."""
        network = self.once(weights, lambda: self.sibling(Path(weights)))
        network.name = Path(weights).stem
        return network

    @cached_property
    def spectrum(self) -> Spectrum | None:
        """That of the data, where there is any; they are gone over when it is first asked for."""
        if not self.has_data:
            return None
        return Spectrum.measure(batch.pictures for batch in batches(self.data))

    def picture(self, image: str) -> tuple[Float[Tensor, "c h w"], int | None]:
        """A picture and its class, by its number in the data or from an image file."""
        if image.isdecimal():
            index = int(image)
            if index >= length(self.data):
                raise DataError(f"--image {index}: the data has 0 to {length(self.data) - 1}")
            item = read(self.data[index])
            if not isinstance(item, Example):
                raise DataError(f"--image {index} cannot be read: {item.reason}")
            return item.picture, item.label
        input = self.network.input
        picture = read_image(image, input.channels, input.size, self.resize)
        if self.has_data and input.channels == 1:
            ground = float(border(next(iter(batches(self.data, 64))).pictures.mean(0)))
            if (ground < 0.5) != (float(border(picture)) < 0.5):
                self.tell(f"{image} is light where the data is dark; it was inverted.")
                picture = 1 - picture
        return picture, None

    def batches(self, data: Dataset[Any]) -> Iterator[Batch]:
        """The batches of `data`; whoever asks tells how far they have been gone through."""
        done, total = 0, length(data)
        for batch in batches(data):
            yield batch
            done += len(batch.indices)
            tell(done, total)

    def first_of(self, name: str) -> int:
        """The number of the first picture of the class `name` in the data."""
        label = class_number(name, self.network.classes)
        for batch in batches(self.data):
            if len(found := batch.indices[batch.labels == label]):
                return int(found[0])
        raise DataError(f"no picture of the data is of class {name!r}")

    def whole_picture(self, image: str) -> Float[Tensor, "c h w"]:
        """An image file in its own size."""
        return read_image(image, self.network.input.channels)

    def part(self, text: str | None) -> Dataset[Any]:
        """The data from:to, or all of them."""
        if text is None:
            return self.data
        return Subset(self.data, span(text, length(self.data)))

    def unit(self, text: str) -> Unit:
        """A unit as layer:number, or a class by its name."""
        if ":" in text:
            return self.network.unit(Unit.parse(text))
        logits = self.network.logits.name
        return Unit(logits, class_number(text, self.network.classes))

    def is_class(self, unit: Unit) -> bool:
        """Whether a unit is one of the classes."""
        return self.network.classifies and unit.layer == self.network.logits.name

    def classes(self, names: str | None) -> tuple[int, ...] | None:
        """The numbers of classes that are named, separated by commas; None for all of them."""
        if names is None:
            return None
        return class_numbers(names, self.network.classes)

    def resolved(self, kind: str, value: Any) -> Any:
        """What an option of that kind stands for here, as a plain value."""
        if value is None:
            return None
        if kind == "image":
            return value if value.isdecimal() else f"{Path(value).name} ({file_hash(value)[:12]})"
        if kind == "unit":
            return str(self.unit(value))
        if kind == "classes":
            return self.classes(value)
        return list(value) if isinstance(value, tuple) else value


class InMemory(Subject):
    """A network and a dataset that are there already."""

    def __init__(
        self, network: Network, data: Dataset[Any] | None = None, *, seed: int = 0
    ) -> None:
        self._network, self._data, self.seed = network, data, seed

    @property
    def network(self) -> Network:
        """The network itself."""
        return self._network

    @property
    def data(self) -> Dataset[Any]:
        """The pictures asked about."""
        if self._data is None:
            raise SettingError(
                "this probe needs pictures; give data=digits('test'), or any dataset"
            )
        return self._data

    @property
    def has_data(self) -> bool:
        """Whether there are any."""
        return self._data is not None

    def sibling(self, weights: Path) -> Network:
        """A network like this one with other weights."""
        network = self._network
        module = copy.deepcopy(network.module)
        load_weights(module, weights)
        return Network(
            module, network.input, network.labels, output=network.output, task=network.task
        )
