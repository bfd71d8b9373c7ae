"""What the pages search in: a script that sets one value, since a page on a disk reads no files.

The value is columns of numbers, layer by layer, so that thousands of units take tens of kilobytes.
`static/site.js` reads it.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from phosphene.atlas import ProbeRecord
from phosphene.figures.site.places import Place
from phosphene.figures.views.names import Names
from phosphene.figures.views.roster import Listed, ListedLayer
from phosphene.words import plural, rounded


def search_index(
    names: Names, layers: Iterable[ListedLayer], probes: Iterable[ProbeRecord], place: Place
) -> str:
    """The index as a script: `phospheneIndex` with layers, names of classes, and probes.

    A layer has its `page`; those of its units are `unit[0] + number + unit[1]`. `shown` are the
    units that have one, null for all from 0 to `count`; `silent` lists units, `twins` pairs.
    `prefers` and `selectivity` have a value for each unit shown, or are empty.
    """
    told = {
        "outputs": list(names.outputs),
        "labels": [] if names.labels == names.outputs else list(names.labels),
        "layers": [_layer(names, layer, place) for layer in layers],
        "probes": [[probe.title, place.probe(probe.name)] for probe in probes],
    }
    return f"globalThis.phospheneIndex={json.dumps(told, separators=(',', ':'))};\n"


def _layer(names: Names, layer: ListedLayer, place: Place) -> dict[str, Any]:
    units = layer.units
    shown = [u.unit for u in units]
    return {
        "name": layer.record.name,
        "told": f"{layer.record.kind}, {plural(layer.record.units, _noun(layer))}",
        "page": place.layer(layer.record.name),
        "unit": _around(place, layer.record.name, shown[0]) if shown else ["", ""],
        "noun": "" if layer.record.name == names.output else _noun(layer),
        "count": len(shown),
        "shown": None if shown == list(range(len(shown))) else shown,
        "silent": [u.unit for u in units if u.silent],
        "twins": [[u.unit, u.twin] for u in units if u.twin is not None],
        "prefers": _column(units, lambda u: u.prefers),
        "selectivity": _column(units, lambda u: _rounded(u.selectivity)),
    }


def _noun(layer: ListedLayer) -> str:
    return "channel" if len(layer.record.shape) == 3 else "unit"


def _around(place: Place, layer: str, unit: int) -> list[str]:
    """What stands before and after the number of a unit in the link to its page."""
    before, _, after = place.unit(layer, unit).rpartition(str(unit))
    return [before, after]


def _column(units: Sequence[Listed], value: Callable[[Listed], Any]) -> list[Any]:
    column = [value(unit) for unit in units]
    return [] if all(each is None for each in column) else column


def _rounded(selectivity: float | None) -> float | None:
    return None if selectivity is None else rounded(selectivity)
