"""What the page of a unit says of those that it is made of, a part of, or answers as."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from phosphene.atlas import UnitEdge, UnitRecord
from phosphene.figures.views.neighbours import Neighbours
from phosphene.words import number, percent, plural, signed

Context = dict[str, Any]

MOST = 8
"""So many edges are shown of each layer, either way."""


def edges_context(known: Neighbours, layer: str, unit: int) -> Context:
    """The strongest edges of a unit, downwards and upwards, layer by layer."""
    found = {}
    for way, edges, pairs in (
        ("made_of", known.made_of(layer, unit), known.to(layer)),
        ("part_of", known.part_of(layer, unit), known.out_of(layer)),
    ):
        abouts = {(about["source"], about["target"]): about for about, _ in pairs.kept}
        groups = [
            _group(known, way, unit, abouts[ends], list(some))
            for ends, some in groupby(edges, lambda edge: (edge.source, edge.target))
        ]
        found[way] = {"layers": groups, "lost": pairs.lost}
    return found


def correlated_context(known: Neighbours, record: UnitRecord) -> list[Context]:
    """The units that one correlates with most, layer by layer: its own, then those beside it."""
    alike = record.correlated or {}
    names = [layer.name for layer in known.view.layers]
    ordered = sorted((name for name in names if alike.get(name)), key=lambda n: n != record.layer)
    return [
        {
            "layer": name,
            "words": "over all positions" if name == record.layer else "by the largest responses",
            "units": [_alike(known, name, unit, correlation) for unit, correlation in alike[name]],
        }
        for name in ordered
    ]


def _alike(known: Neighbours, layer: str, unit: int, correlation: float) -> Context:
    thumb = known.thumb(layer, unit)
    return {
        "unit": unit,
        "name": thumb.name,
        "shown": thumb.shown,
        "tile": thumb.drawn or thumb.real,
        "told": number(correlation),
    }


def _group(
    known: Neighbours, way: str, unit: int, about: dict[str, Any], edges: list[UnitEdge]
) -> Context:
    largest = max(abs(edge.score) for edge in edges) or 1.0
    down = way == "made_of"
    return {
        "words": " ".join(_made(about, unit) if down else _part(about)),
        "edges": [_edge(known, down, edge, abs(edge.score) / largest) for edge in edges[:MOST]],
    }


def _edge(known: Neighbours, down: bool, edge: UnitEdge, share: float) -> Context:
    layer, unit = (
        (edge.source, edge.source_unit) if down else (edge.target, edge.target_unit)
    )  # fmt: skip
    thumb = known.thumb(layer, unit)
    return {
        "edge": edge,
        "layer": layer,
        "unit": unit,
        "name": thumb.name,
        "shown": thumb.shown,
        "thumb": {"drawn": thumb.drawn, "real": thumb.real},
        "told": f"{'holds it down' if edge.score < 0 else 'adds'} {signed(edge.score)}"
        if down
        else f"{'is held down' if edge.score < 0 else 'gains'} {signed(edge.score)}",
        "share": share,
        "effects": list(_effects(edge)),
    }


def _effects(edge: UnitEdge) -> Iterator[tuple[str, str]]:
    """What was measured, as what becomes of the target."""
    told = (
        ("without it", edge.removed, -1), ("alone", edge.kept, 1), ("raised", edge.raised, 1)
    )  # fmt: skip
    for what, effect, sign in told:
        if effect is not None:
            yield what, signed(sign * effect)
    if edge.kernel_sum is not None and edge.kernel_norm is not None:
        yield "weights’ sum", signed(edge.kernel_sum)
        yield "and norm", number(edge.kernel_norm)


def _made(about: dict[str, Any], unit: int) -> Iterable[str]:
    row = about["units"].index(unit)
    yield (
        f"The units of {about['source']} that add most to it, or hold it down, on average over its "
        f"{plural(about['strongest'], 'strongest image')} and {about['random']} random ones. "
        "Measured on the strongest: what becomes of it without the unit, with the unit alone, and "
        "with the unit raised."
    )
    agreement, stability = about["agreement"][row], about["stability"][row]
    if agreement is not None:
        yield f"Scores and removals correlate at {number(agreement)}."
    if stability is not None:
        yield f"Halves of the images have {percent(stability)} of the strongest in common."
    yield from (f"{remark}." for remark in about["remarks"])


def _part(about: dict[str, Any]) -> Iterable[str]:
    yield (
        f"The units of {about['target']} that it adds most to, or holds down, each over its own "
        f"{plural(about['strongest'], 'strongest image')} and {about['random']} random ones; "
        "measured on those strongest: what becomes of them without it, with it alone, and with it "
        "raised."
    )
