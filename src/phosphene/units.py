"""What is pointed at: a unit of a layer, or one of its neurons."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from phosphene.errors import UnknownUnitError
from phosphene.values import Value

LOGITS = "<logits>"
"""Stands for the class scores, whichever layer gives them; resolved by the network."""

Box = tuple[int, int, int, int]
"""(top, left, bottom, right) in pixels, bottom and right excluded; may reach outside a picture."""

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
