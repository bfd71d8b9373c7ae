"""The nouns every other module speaks in: units, pictures, recordings and three signatures.

Pictures are `b c h w` floats in [0, 1] everywhere; only a `Network` knows about normalisation.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from phosphene.errors import UnknownLayerError, UnknownUnitError, nearest
from phosphene.tasks import Task
from phosphene.values import Value

LOGITS = "<logits>"
"""Stands for the class scores, whichever layer gives them; resolved by the network."""

_UNIT = re.compile(r"^(?P<layer>.+):(?P<index>\d+)(?:@(?P<y>\d+),(?P<x>\d+))?$")


@dataclass(frozen=True, order=True)
class Unit(Value):
    """One channel of a layer, or one neuron of that channel when a position is given.

    Written `layer:index` or `layer:index@y,x`.

    >>> Unit.parse("conv2:17")
    Unit(layer='conv2', index=17, y=None, x=None)
    >>> str(Unit("features.3.squeeze", 5, y=7, x=9))
    'features.3.squeeze:5@7,9'
    """

    called: ClassVar[str] = "unit"
    layer: str
    index: int
    y: int | None = None
    x: int | None = None

    def to_json(self) -> str:
        """Its text."""
        return str(self)

    @classmethod
    def from_json(cls, value: Any) -> "Unit":
        """From its text; raises `UnknownUnitError` for anything else."""
        return cls.of(value)

    @classmethod
    def parse(cls, text: str) -> "Unit":
        """Read `layer:index` or `layer:index@y,x`; raises `UnknownUnitError` on anything else."""
        match = _UNIT.match(text.strip())
        if match is None:
            raise UnknownUnitError(
                f"{text!r} names no unit; write layer:index such as conv2:17, "
                "or layer:index@y,x for one neuron such as conv2:17@3,3"
            )
        y, x = match["y"], match["x"]
        return cls(
            match["layer"],
            int(match["index"]),
            y=None if y is None else int(y),
            x=None if x is None else int(x),
        )

    @classmethod
    def of(cls, named: object) -> "Unit":
        """A unit as it is, or from its text; raises `UnknownUnitError` for anything else."""
        if isinstance(named, Unit):
            return named
        if isinstance(named, str):
            return cls.parse(named)
        raise UnknownUnitError(
            f"{named!r:.80} names no unit; give a Unit, or a text such as 'conv2:17'"
        )

    def __str__(self) -> str:
        where = "" if self.y is None else f"@{self.y},{self.x}"
        return f"{self.layer}:{self.index}{where}"


@dataclass(frozen=True)
class Recording(Mapping[str, Tensor]):
    """What was seen during one forward pass: the pictures that went in, the values of layers.

    Values are `b c h w` for maps, also where the network has its channels last or patches in a
    row, `b d` for dense layers and single tokens, `b t d` for sequences without places. `task` is
    what the class scores among them mean.
    """

    pictures: Float[Tensor, "b c h w"]
    layers: Mapping[str, Tensor]
    task: Task = "softmax"

    def __getitem__(self, layer: str) -> Tensor:
        try:
            return self.layers[layer]
        except KeyError:
            raise UnknownLayerError(
                f"layer {layer!r} was not recorded; {nearest(layer, self.layers)}. "
                "Ask for it in network.record(pictures, layers)"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)


@runtime_checkable
class Canvas(Protocol):
    """A differentiable way to hold b pictures."""

    @property
    def learning_rate(self) -> float:
        """A rate at which Adam draws well with these parameters."""
        ...

    @property
    def parameters(self) -> Sequence[Tensor]:
        """The leaf tensors an optimiser changes; the first axis of each is the batch."""
        ...

    def __call__(self) -> Float[Tensor, "b c h w"]:
        """The pictures, in [0, 1]."""
        ...

    def project_(self) -> None:
        """Bring the parameters back into their domain after a step (a no-op for most)."""
        ...
