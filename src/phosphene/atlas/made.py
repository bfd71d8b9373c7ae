"""What units are made of and part of, in general: the strongest edges, as an atlas has them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from phosphene.errors import AtlasError

if TYPE_CHECKING:
    from phosphene.atlas.reader import Reader


Pair = tuple[dict[str, Any], dict[str, Any]]
"""What is kept of the edges between two layers: the document and the arrays."""


@dataclass(frozen=True)
class UnitEdge:
    """An edge between two units, over many pictures; see `phosphene.circuits.GeneralEdges`.

    `score` is the mean over the target's strongest pictures and random ones, `strong` over the
    strongest alone, on which `removed`, `kept` and `raised` were measured; `removed_elsewhere` on
    the random ones. `magnitude` and `positive` are of the score on all of them. `kernel_sum` and
    `kernel_norm` are None unless the layers are adjacent. `contradicted` says that removing the
    source does another thing than its score says.
    """

    source: str
    source_unit: int
    target: str
    target_unit: int
    score: float
    strong: float
    magnitude: float
    positive: float
    removed: float | None
    kept: float | None
    raised: float | None
    removed_elsewhere: float | None
    kernel_sum: float | None
    kernel_norm: float | None
    contradicted: bool

    @property
    def inhibits(self) -> bool:
        """Whether the source holds the target down: without it there is more of that."""
        return (self.strong if self.removed is None else self.removed) < 0


def kept_as(source: str, target: str) -> str:
    """The name of the document and the arrays of the edges between two layers."""
    return f"edges {source} > {target}"


def made_of(pairs: Iterable[Pair], layer: str, unit: int) -> Iterator[UnitEdge]:
    """The strongest sources of a unit, by what is kept of the edges to its layer."""
    for about, arrays in pairs:
        if unit in about["units"]:
            row = about["units"].index(unit)
            for source, figures in _row(arrays, "made_of", row):
                yield UnitEdge(about["source"], source, layer, unit, **figures)


def part_of(pairs: Iterable[Pair], layer: str, unit: int) -> Iterator[UnitEdge]:
    """The strongest targets of a unit, by what is kept of the edges from its layer."""
    for about, arrays in pairs:
        for target, figures in _row(arrays, "part_of", unit):
            yield UnitEdge(layer, unit, about["target"], target, **figures)


def between(
    atlas: "Reader", source: str | None = None, target: str | None = None
) -> Iterator[Pair]:
    """What is kept of the edges from or to a layer, in the order of the layers."""
    names = [layer.name for layer in atlas.layers()]
    pairs = {kept_as(s, t): (s, t) for s in names for t in names if s != t}
    known = {*atlas.documents()}
    for name, (s, t) in pairs.items():
        if name in known and source in {None, s} and target in {None, t}:
            yield atlas.document(name), atlas.arrays(name)


def _row(arrays: dict[str, Any], way: str, row: int) -> Iterator[tuple[int, dict[str, Any]]]:
    own = {name.removeprefix(f"{way} "): values[row] for name, values in arrays.items()
           if name.startswith(f"{way} ")}  # fmt: skip
    if "unit" not in own:
        raise AtlasError("the edges of the atlas lack the units at their other ends")
    units = own.pop("unit")
    for rank, unit in enumerate(units.tolist()):
        if unit >= 0:
            figures = {name: _number(values[rank]) for name, values in own.items()}
            yield int(unit), figures | {"contradicted": bool(figures["contradicted"])}


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
