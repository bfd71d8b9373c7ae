"""The parts of a unit in a picture, and their parts, as values."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from jaxtyping import Float
from torch import Tensor

from phosphene.results import Result
from phosphene.units import Box, Unit
from phosphene.words import number, plural, signed


@dataclass(frozen=True)
class Edge:
    """What a part adds to what it is a part of: its score, and what was measured.

    `raised` is None where it is not known what is high for the part. `contradicted` says that
    removing it does another thing than its score says.
    """

    score: float
    removed: float
    kept: float
    raised: float | None
    contradicted: bool

    @property
    def inhibits(self) -> bool:
        """Whether the part holds down what it is a part of: without it there is more of that."""
        return self.removed < 0

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "score": self.score,
            "removed": self.removed,
            "kept": self.kept,
            "raised": self.raised,
            "contradicted": self.contradicted,
        }


@dataclass(frozen=True)
class Rest:
    """What is not shown of the parts of a unit.

    `units` more of them add `score` together, of which `quiet` by the `silent` ones: those that
    answer less than usual, so that what they add is that they are not there. `needed` is the
    smallest number of units that hold the share asked for of all scores' magnitude, and
    `completeness` the share that all scores add up to of what the layer of the parts changes.
    """

    layer: str
    units: int
    score: float
    silent: int
    quiet: float
    needed: int
    completeness: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        share = None if isnan(self.completeness) else self.completeness
        return vars(self) | {"completeness": share}


@dataclass(frozen=True, eq=False)
class Part:
    """A unit at the place where it acts most in a picture, and what it is made of there.

    `value` is what it answers there. `map` says which pixels matter on the way through it to what
    it is a part of, by guided backpropagation or, where that does not hold, the gradient. `box` is
    what it sees, or of a field larger than half of the picture the part that holds most of the map;
    `patch` is the picture there, and the map is cut to it. `edge` is
    None for the root alone.
    """

    unit: Unit
    name: str
    value: float
    box: Box
    patch: Float[Tensor, "c bh bw"] = field(repr=False)
    map: Float[Tensor, "c bh bw"] = field(repr=False)
    edge: Edge | None = None
    parts: "tuple[Part, ...]" = ()
    rest: Rest | None = None

    def all(self) -> "Iterator[Part]":
        """The part itself and all below it."""
        yield self
        for part in self.parts:
            yield from part.all()

    def to_json(self) -> dict[str, Any]:
        """All but patches and maps as plain values for JSON."""
        return {
            "unit": str(self.unit),
            "name": self.name,
            "value": self.value,
            "box": list(self.box),
            "edge": None if self.edge is None else self.edge.to_json(),
            "rest": None if self.rest is None else self.rest.to_json(),
            "parts": [part.to_json() for part in self.parts],
        }


@dataclass(frozen=True, eq=False)
class Tree(Result):
    """A unit, a class or another objective in a picture, and its parts, stage by stage.

    `layers` are those that parts come from, nearest first; `baseline` names what a part is when
    it is not there.
    """

    network: str
    picture: Float[Tensor, "c h w"] = field(repr=False)
    root: Part
    layers: tuple[str, ...]
    baseline: str
    remarks: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What the root is made of, in a sentence or two."""
        told = ", ".join(_told(part) for part in self.root.parts)
        made = f"{self.root.name} answers {number(self.root.value)}, made of {told}"
        wrong = sum(bool(p.edge and p.edge.contradicted) for p in self.root.all())
        parts = [made]
        if (rest := self.root.rest) is not None:
            more = f"{plural(rest.units, 'more unit')} of {rest.layer} add"
            quiet = f", {signed(rest.quiet)} of it by {rest.silent} that are quieter than usual"
            told = f"{more}{'s' * (rest.units == 1)} {signed(rest.score)}"
            parts.append(told + (quiet if rest.silent else ""))
        if wrong:
            parts.append(
                f"{plural(wrong, 'part')} in the tree, when removed, "
                f"{'does' if wrong == 1 else 'do'} not do what the score says"
            )
        return ". ".join((*parts, *self.remarks)) + "."

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "layers": list(self.layers),
            "baseline": self.baseline,
            "remarks": list(self.remarks),
            "root": self.root.to_json(),
        }


def _told(part: Part) -> str:
    assert part.edge is not None, "a root is no part"
    holds = " which holds it down" if part.edge.inhibits else ""
    return (
        f"{part.name} ({signed(part.edge.score)}{holds}; without it {signed(-part.edge.removed)})"
    )
