"""Why a picture is read as it is, as values: ways from pixels to a class, and what flips it."""

from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float
from torch import Tensor

from phosphene.circuits.edge import CONTRADICTED
from phosphene.results import Result
from phosphene.units import Box, Unit
from phosphene.words import first_name, number, percent, plural, signed


@dataclass(frozen=True, eq=False)
class Way:
    """A way from pixels to a class, through one unit of each stage, the nearest to the class first.

    `score` is what it adds. `removed` is what the class loses when the last unit is removed and
    only the units of the way are told of it, all others answering as before: path patching. `box`
    is where the last unit acts, see `Part`, `patch` the picture there, and `map` which pixels
    matter on this way.
    """

    units: tuple[Unit, ...]
    names: tuple[str, ...]
    score: float
    removed: float
    box: Box
    patch: Float[Tensor, "c bh bw"] = field(repr=False)
    map: Float[Tensor, "c h w"] = field(repr=False)

    @property
    def contradicted(self) -> bool:
        """Whether running it shows another thing than its score says."""
        larger = max(abs(self.score), abs(self.removed))
        return abs(self.score - self.removed) > CONTRADICTED * larger

    def to_json(self) -> dict[str, Any]:
        """All but patch and map as plain values for JSON."""
        return {
            "units": list(map(str, self.units)),
            "names": list(self.names),
            "score": self.score,
            "removed": self.removed,
            "contradicted": self.contradicted,
            "box": list(self.box),
        }


@dataclass(frozen=True)
class Flip:
    """Units of one stage without which the picture is read as another class.

    It was run: without them the class is `becomes`, with `probability`, and `left` remains to the
    class it was. `before` was that class's probability with all units there.
    """

    layer: str
    units: tuple[Unit, ...]
    names: tuple[str, ...]
    becomes: str
    probability: float
    before: float
    left: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return vars(self) | {"units": list(map(str, self.units)), "names": list(self.names)}


@dataclass(frozen=True, eq=False)
class Why(Result):
    """Why a picture is read as a class, or as that class and not as another.

    `value` is the class's score, or its lead over `instead`. `flips` are the smallest sets found,
    at most one for each layer; `tried` says how many units of each were removed.
    """

    network: str
    picture: Float[Tensor, "c h w"] = field(repr=False)
    answer: str
    instead: str | None
    value: float
    layers: tuple[str, ...]
    baseline: str
    ways: tuple[Way, ...]
    flips: tuple[Flip, ...]
    tried: int

    @property
    def adding(self) -> tuple[Way, ...]:
        """The ways that speak for the answer."""
        return tuple(way for way in self.ways if way.score > 0)

    @property
    def taking(self) -> tuple[Way, ...]:
        """The ways that speak against it."""
        return tuple(way for way in self.ways if way.score < 0)

    @property
    def question(self) -> str:
        """What was asked, as a title."""
        rival = f" and not {first_name(self.instead)}" if self.instead else ""
        return f"Why {first_name(self.answer)}{rival}"

    @property
    def summary(self) -> str:
        """The strongest ways, and what flips the answer."""
        what = "lead" if self.instead else "score"
        told = [f"{self.question}: its {what} is {number(self.value)}"]
        told += [
            f"{' < '.join(way.names)} adds {signed(way.score)}, confirmed {signed(way.removed)}"
            for way in (*self.adding[:2], *self.taking[:1])
        ]
        if self.flips:
            least = min(self.flips, key=lambda flip: len(flip.units))
            told.append(
                f"without {plural(len(least.units), 'unit')} of {least.layer} "
                f"({', '.join(least.names[:4])}{', …' * (len(least.names) > 4)}) it is read as "
                f"{first_name(least.becomes)} ({percent(least.probability)})"
            )
        else:
            told.append(f"no {self.tried} units of one of these layers flip the answer")
        return ". ".join(told) + "."

    def to_json(self) -> dict[str, Any]:
        """All but the pictures as plain values for JSON."""
        return {
            "network": self.network,
            "answer": self.answer,
            "instead": self.instead,
            "value": self.value,
            "layers": list(self.layers),
            "baseline": self.baseline,
            "ways": [way.to_json() for way in self.ways],
            "flips": [flip.to_json() for flip in self.flips],
            "tried": self.tried,
        }
