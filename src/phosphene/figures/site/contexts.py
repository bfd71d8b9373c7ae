"""What the pages of a layer, a unit and a probe are told; the templates decide how it looks."""

from collections.abc import Callable, Sequence
from typing import Any

from phosphene.atlas import ProbeRecord, UnitRecord
from phosphene.figures.ink.png import AnyImage
from phosphene.figures.ink.tile import Tile
from phosphene.figures.site.charts import class_profile, histogram
from phosphene.figures.site.neighbours import correlated_context, edges_context
from phosphene.figures.site.trees import tree_context
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.drawings import Drawing
from phosphene.figures.views.layer import LayerView
from phosphene.figures.views.neighbours import Neighbours
from phosphene.figures.views.patches import Patch, Seen, seen, whole_tile
from phosphene.figures.views.responses import fired
from phosphene.figures.views.roster import ListedLayer, hidden, preferred_as
from phosphene.figures.views.sentences import about_real, about_unit, cost_and_layout, not_shown
from phosphene.words import literal

Context = dict[str, Any]

SELECTIVE = 6
"""So many units of each layer are told on the page of the class that they prefer."""


def probe_context(view: AtlasView, probe: ProbeRecord) -> Context:
    """What a probe found: words, its figure, and how it was asked."""
    job = view.atlas.provenance(probe)
    asked = {k: v for k, v in job.params.items() if k != "probe" and v not in (None, [], {})}
    return {
        "probe": probe,
        "sheet": Tile.sheet(probe.sheet),
        "tree": tree_context(view, probe.figures),
        "job": job,
        "asked": {k.replace("_", " "): _told(v) for k, v in asked.items()},
    }


def layer_context(layer: LayerView, known: Neighbours) -> Context:
    """All units of one layer."""
    view, atlas = layer.view, layer.view.atlas
    drawings, strongest = layer.main_drawings(), atlas.strongest(layer.name)
    position = view.layers.index(layer.record)
    cards = []
    for record in layer.shown:
        found = seen(view, [strongest[record.unit]] if record.unit in strongest else [])
        cards.append(
            _card(layer, record, drawings.get(record.unit), found)
            | {"edge": known.strongest(layer.name, record.unit)}
        )
    return {
        "layer": layer.record,
        "inside": cost_and_layout(layer.record),
        "cards": cards,
        "shown": layer.examined,
        "not_shown": not_shown(layer),
        "limit": layer.limit,
        "weights_channels": _weights_channels(layer, layer.units[0]) if layer.units else None,
        "silent": sum(record.firing_rate == 0 for record in layer.units),
        "twins": sum(record.twin is not None for record in layer.units),
        "parts": ListedLayer.of(layer).parts,
        # What none of the cards can tell.
        "lost": [
            lost.sentence
            for lost in atlas.damaged(layer.name)
            if lost.table == "units" or lost.unit is None
        ],
        "left_out": view.document("left out", {}).get(layer.name, ()),
        "before": view.layers[position - 1] if position else None,
        "after": next(iter(view.layers[position + 1 :]), None),
    }


def unit_context(
    layer: LayerView,
    record: UnitRecord,
    known: Neighbours,
    roster: Callable[[], Sequence[ListedLayer]],
) -> Context:
    """Everything about one unit; the roster of all units is read where it is a class."""
    numbers = [other.unit for other in layer.shown]
    position = numbers.index(record.unit)
    found, drawings = layer.seen(record.unit), layer.drawings(record.unit)
    return {
        "layer": layer.record,
        "record": record,
        "twin_shown": record.twin in layer.examined,
        "sentences": about_unit(layer, record),
        "about_real": about_real(record),
        "patches": [_patch(patch) for patch in found.patches],
        "map_rule": layer.map_rule(record.unit),
        "lost": {"examples": found.lost, "pictures": layer.lost(record.unit, "pictures")},
        "drawings": [
            {"drawing": drawing, "tile": drawing.tile, "mask": _tile(drawing.alpha)}
            for drawing in drawings
        ],
        **edges_context(known, layer.name, record.unit),
        "correlated": correlated_context(known, record),
        "selective": _selective(layer, record.unit, roster),
        "histogram": histogram(
            record.histogram_counts,
            record.histogram_low,
            record.histogram_width,
            firing=fired(record),
        ),
        "profile": class_profile(
            record.class_means, layer.view.names.labels, record.preferred_class
        )
        if any(record.class_means)
        else None,
        "weights": _tile(layer.weights_image(record)),
        "kernels": _tile(layer.kernels_image(record)),
        "limit": layer.limit,
        "weights_channels": _weights_channels(layer, record),
        "before": numbers[position - 1] if position else None,
        "after": next(iter(numbers[position + 1 :]), None),
    }


def _card(layer: LayerView, record: UnitRecord, drawing: Drawing | None, found: Seen) -> Context:
    patch = next(iter(found.patches), None)
    return {
        "record": record,
        "weights": _tile(layer.weights_image(record)),
        "drawing": drawing,
        "drawn": drawing.tile if drawing else None,
        "patch": patch,
        "real": patch.inside_tile if patch else None,
        "lost": layer.lost(record.unit, "pictures")
        or layer.lost(record.unit, "examples")
        or found.lost,
    }


def _selective(
    layer: LayerView, unit: int, roster: Callable[[], Sequence[ListedLayer]]
) -> Context | None:
    """Of a class: in each other layer the units most selective for it, and how many prefer it."""
    view = layer.view
    label = preferred_as(view, unit) if layer.name == view.names.output else None
    if label is None:
        return None
    found = [(other.record, other.selective_for(label)) for other in hidden(view, roster())]
    layers = [(record, units[:SELECTIVE], len(units)) for record, units in found if units]
    return {"class": label, "layers": layers} if layers else None


def _patch(patch: Patch) -> Context:
    """A patch with its tiles; the box on the whole image as percentages of its sides."""
    _, height, width = patch.image.shape
    top, left, bottom, right = patch.box
    return {
        "patch": patch,
        "real": patch.tile,
        "guided": patch.map_tile,
        "whole": whole_tile(patch.image) if patch.cut else None,
        "frame": {
            "top": 100 * top / height,
            "left": 100 * left / width,
            "height": 100 * (bottom - top) / height,
            "width": 100 * (right - left) / width,
        },
    }


def _weights_channels(layer: LayerView, record: UnitRecord) -> int | None:
    weights = layer.weights(record)
    return None if weights is None else len(weights)


def _tile(image: AnyImage | None) -> Tile | None:
    return None if image is None else Tile.of(image)


def _told(value: Any) -> str:
    """A parameter as a person writes it: no quotes around text, commas between items."""
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_told(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_told(item) for item in value)
    return literal(value) if isinstance(value, float) else str(value)
