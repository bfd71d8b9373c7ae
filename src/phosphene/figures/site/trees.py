"""A tree of parts as a drawing whose units lead to their pages: plain SVG, no script."""

from collections.abc import Mapping
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.figures.ink.branches import Placed, placed
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.layer import LayerView
from phosphene.units import Unit
from phosphene.words import number, signed

THUMB, ROW, PITCH, GAP = 56, 78, 248, 46
"""Pixels of a picture, from one part to the next, from one level to the next, for the lines."""

_STRONGEST = 7.0

Told = Mapping[str, Any]
"""What the figures of an answer say of a part."""


def tree_context(view: AtlasView, figures: Any) -> dict[str, Any] | None:
    """What the page of an answer that is a tree draws; None of any other answer."""
    if not isinstance(figures, Mapping) or "root" not in figures or "layers" not in figures:
        return None
    nodes = placed(figures["root"], lambda part: part["parts"])
    layers = {record.name: LayerView.of(view, record) for record in view.layers}
    levels = 1 + max(node.level for node in nodes)
    return {
        "width": levels * PITCH,
        "height": round((1 + max(node.row for node in nodes)) * ROW),
        "thumb": THUMB,
        "nodes": [_node(node, layers) for node in nodes],
        "lines": [_line(node) for node in nodes if node.parent is not None],
    }


def _node(node: Placed[Told], layers: Mapping[str, LayerView]) -> dict[str, Any]:
    """A part: where it stands, its unit's page and drawing, its figures."""
    part = node.node
    page = _page(part, layers)
    drawings = layers[page[0]].drawings(page[1]) if page else []
    tile = next((each.tile for each in drawings if each.tile is not None), None)
    return {
        "x": node.level * PITCH,
        "y": round(node.row * ROW),
        "name": part["name"],
        "page": page,
        "tile": tile,
        "lines": _lines(part),
    }


def _page(part: Told, layers: Mapping[str, LayerView]) -> tuple[str, int] | None:
    """The unit that has a page: by what the part is called, or by its own address."""
    for text in (part["name"], part["unit"]):
        try:
            unit = Unit.parse(text)
        except PhospheneError:  # a class by its name
            continue
        if unit.layer in layers and unit.index in layers[unit.layer].examined:
            return unit.layer, unit.index
    return None


def _lines(part: Told) -> list[tuple[str, str]]:
    """Words below a part's name, each with its class for the style."""
    edge = part["edge"]
    if edge is None:
        return [(f"answers {number(part['value'])}", "")]
    wrong = " (!)" if edge["contradicted"] else ""
    return [
        (f"adds {signed(edge['score'])}", "inhibits" if edge["removed"] < 0 else "adds"),
        (f"without it {signed(-edge['removed'])}{wrong}", ""),
    ]


def _line(node: Placed[Told]) -> dict[str, Any]:
    """The curve from a unit to its part, as wide as what removing the part does."""
    assert node.parent is not None, "lines lead somewhere"
    edge = node.node["edge"]
    siblings = [each["edge"]["removed"] for each in node.parent.node["parts"]]
    most = max(map(abs, siblings)) or 1
    end = node.level * PITCH - 6
    start = end - GAP
    middle = (start + end) / 2
    y0, y1 = (round(each.row * ROW + THUMB / 2) for each in (node.parent, node))
    return {
        "path": f"M{start} {y0}C{middle} {y0} {middle} {y1} {end} {y1}",
        "width": round(max(1.0, _STRONGEST * abs(edge["removed"]) / most), 1),
        "kind": "inhibits" if edge["removed"] < 0 else "adds",
        "dashed": bool(edge["contradicted"]),
    }
