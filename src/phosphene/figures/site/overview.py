"""What the overview of an atlas is told."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from phosphene.figures.ink.tile import Tile
from phosphene.figures.site.charts import confusion_table
from phosphene.figures.site.told import findings_told
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.layer import LayerView
from phosphene.figures.views.patches import whole_tile
from phosphene.figures.views.roster import ListedLayer
from phosphene.figures.views.sentences import not_shown

MOSAIC = 12
THUMBNAIL = 64
HERO = 20
CONFUSED = 5

Context = dict[str, Any]


def overview_context(view: AtlasView, roster: Sequence[ListedLayer]) -> Context:
    """The whole atlas on one page."""
    atlas = view.atlas
    layers = [LayerView.of(view, record) for record in view.layers]
    return {
        "data": view.document("data"),
        "findings": findings_told(view, roster),
        "hero": _hero(layers),
        "cards": [_card(layer) for layer in layers],
        "evaluation": _evaluation(view),
        "probes": [(probe, Tile.sheet(probe.sheet)) for probe in view.probes],
        "skipped": atlas.skipped(),
        "unlabelled": _unlabelled(view),
        "thumbnail": THUMBNAIL,
        "plain_maps": any(view.rule(job.key).rule == "plain" for job in atlas.jobs()),
        "total_units": sum(layer.units for layer in view.layers),
        "shown_units": sum(len(layer.examined) for layer in layers),
        # Last: by now everything has been read.
        "damaged": [damage.sentence for damage in atlas.damaged()],
    }


def _card(layer: LayerView) -> Context:
    drawn = layer.main_drawings().values()
    woken = (tile for drawing in drawn if (tile := drawing.tile) is not None)
    tiles = list(islice(woken, MOSAIC))
    return {
        "layer": layer.record,
        "not_shown": not_shown(layer),
        "tiles": tiles,
        "widest": max((tile.fit(THUMBNAIL)[0] for tile in tiles), default=THUMBNAIL),
        "silent": sum(record.firing_rate == 0 for record in layer.units),
        "twins": sum(record.twin is not None for record in layer.units),
        "parts": ListedLayer.of(layer).parts,
    }


def _hero(layers: Iterable[LayerView]) -> list[Context]:
    """Pictures of the classes, if a layer holds classes; of many, some from all over."""
    for layer in layers:
        if layer.name == layer.view.names.output:
            drawings = layer.main_drawings().items()
            drawn = [(unit, found) for unit, found in drawings if not found.record.silent]
            return [
                {"tile": found.tile, "layer": layer.record, "unit": unit}
                for unit, found in drawn[:: max(1, -(-len(drawn) // HERO))]
            ]
    return []


def _evaluation(view: AtlasView) -> Context | None:
    evaluation = view.document("evaluation")
    if evaluation is None:
        return None
    confusion = evaluation["confusion"]
    kept = view.atlas.kept()  # those of a study that was stopped may not be there yet
    return {
        **evaluation,
        "examples": _images(view, (i for i in evaluation["examples"] if i in kept)),
        "errors": _images(view, (i for i in evaluation["errors"] if i in kept)),
        "confusion": None
        if confusion is None
        else confusion_table(np.array(confusion), view.names.labels),
        "most_confused": evaluation["most_confused"][:CONFUSED],
    }


def _images(view: AtlasView, indices: Iterable[int]) -> list[Context]:
    found = (view.image(index) for index in indices)
    return [{"image": image, "tile": whole_tile(image)} for image in found if image is not None]


def _unlabelled(view: AtlasView) -> int:
    """How many images could be read and are of no known class, where others are."""
    read: int = view.document("seen", {"count": 0})["count"]
    labelled: int = view.document("evaluation", {"count": read})["count"]
    return max(0, read - labelled)
