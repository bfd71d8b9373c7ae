"""What each page of the site is told; the templates decide how it looks."""

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import numpy as np

from phosphene.atlas import ExampleRecord, LayerRecord, ProbeRecord, UnitRecord
from phosphene.figures.ink.charts import class_profile, confusion_table, histogram
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.png import AnyImage
from phosphene.figures.site.folder import SiteFolder, Tile, slug
from phosphene.figures.site.viewer import Drawing, Patch, Viewer
from phosphene.words import literal

MOSAIC = 12
THUMBNAIL = 64
HERO = 20
CONFUSED = 5

Context = dict[str, Any]


def layer_href(layer: LayerRecord) -> str:
    """The file name of a layer's page."""
    return f"layer-{slug(layer.name)}.html"


def unit_href(layer: LayerRecord, unit: int) -> str:
    """The file name of a unit's page."""
    return f"unit-{slug(layer.name)}-{unit}.html"


def probe_href(probe: ProbeRecord) -> str:
    """The file name of a probe's page."""
    return f"probe-{slug(probe.name)}.html"


class Pages:
    """Gathers what the pages show and puts their images into the site's folder."""

    def __init__(self, viewer: Viewer, folder: SiteFolder) -> None:
        self.viewer = viewer
        self.folder = folder
        self._wholes: dict[int, Tile] = {}

    def index(self) -> Context:
        """The overview of the whole atlas."""
        atlas, viewer = self.viewer.atlas, self.viewer
        return {
            "data": viewer.documents["data"],
            "findings": [
                (topic, [finding.text for finding in group])
                for topic, group in groupby(atlas.findings(), key=lambda finding: finding.topic)
            ],
            "hero": self._hero(),
            "cards": [self._layer_card(layer) for layer in viewer.layers],
            "evaluation": self._evaluation(),
            "probes": [(probe, self.folder.sheet(probe.sheet)) for probe in viewer.probes],
            "skipped": atlas.skipped(),
            "unlabelled": self._unlabelled(),
            "thumbnail": THUMBNAIL,
            "plain_maps": any(rule.rule == "plain" for rule in viewer.rules.values()),
            "total_units": sum(layer.units for layer in viewer.layers),
            # The last page to be made: by now everything has been read.
            "damaged": [damage.sentence for damage in atlas.damaged()],
            "shown_units": sum(len(viewer.examined(layer.name)) for layer in viewer.layers),
        }

    def probe(self, probe: ProbeRecord) -> Context:
        """What a probe found: words, its figure, its numbers as a file, and how it was asked."""
        job = self.viewer.atlas.provenance(probe)
        numbers = f"{probe_href(probe).removesuffix('.html')}.json"
        self.folder.write(numbers, json.dumps(probe.figures, indent=1, ensure_ascii=False))
        asked = {k: v for k, v in job.params.items() if k != "probe" and v not in (None, [], {})}
        return {
            "probe": probe,
            "sheet": self.folder.sheet(probe.sheet),
            "numbers": numbers,
            "job": job,
            "asked": {k.replace("_", " "): _told(v) for k, v in asked.items()},
        }

    def layer(self, layer: LayerRecord) -> Context:
        """All units of one layer."""
        viewer, position = self.viewer, self.viewer.layers.index(layer)
        drawings = viewer.main_drawings(layer.name)
        strongest = viewer.atlas.strongest(layer.name)
        records = viewer.units(layer.name)
        return {
            "layer": layer,
            "inside": viewer.inside(layer),
            "cards": [
                self._unit_card(record, drawings.get(record.unit), strongest.get(record.unit))
                for record in viewer.shown(layer.name)
            ],
            "not_shown": viewer.not_shown(layer),
            "limit": viewer.weights_limit(layer.name),
            "weights_channels": self._weights_channels(records[0]) if records else None,
            "silent": sum(record.firing_rate == 0 for record in records),
            "twins": sum(record.twin is not None for record in records),
            "lost": self._lost_of_layer(layer),
            "left_out": viewer.documents.get("left out", {}).get(layer.name, ()),
            "before": viewer.layers[position - 1] if position else None,
            "after": next(iter(viewer.layers[position + 1 :]), None),
        }

    def unit(self, layer: LayerRecord, record: UnitRecord) -> Context:
        """Everything about one unit."""
        viewer = self.viewer
        numbers = [other.unit for other in viewer.shown(layer.name)]
        position = numbers.index(record.unit)
        return {
            "layer": layer,
            "record": record,
            "twin_shown": record.twin in viewer.examined(layer.name),
            "sentences": viewer.sentences(record),
            "patches": [self._patch(p) for p in viewer.patches(layer.name, record.unit)],
            "map_rule": viewer.map_rule(layer.name, record.unit),
            "lost": {
                table: viewer.lost(layer.name, record.unit, table)
                for table in ("examples", "pictures")
            },
            "drawings": [
                {
                    "drawing": drawing,
                    "tile": self._tile(drawing.image),
                    "mask": None if drawing.alpha is None else self.folder.mask(drawing.alpha),
                }
                for drawing in viewer.drawings(layer.name, record.unit)
            ],
            "histogram": histogram(
                record.histogram_counts,
                record.histogram_low,
                record.histogram_width,
                firing=viewer.firing(record),
            ),
            "profile": class_profile(record.class_means, viewer.labels, record.preferred_class)
            if any(record.class_means)
            else None,
            "weights": self._tile(viewer.weights_image(record)),
            "kernels": self._tile(viewer.kernels_image(record)),
            "limit": viewer.weights_limit(layer.name),
            "weights_channels": self._weights_channels(record),
            "before": numbers[position - 1] if position else None,
            "after": next(iter(numbers[position + 1 :]), None),
        }

    def _unit_card(
        self, record: UnitRecord, drawing: Drawing | None, example: ExampleRecord | None
    ) -> Context:
        patch = None if example is None else self.viewer.patch(example)
        return {
            "record": record,
            "weights": self._tile(self.viewer.weights_image(record)),
            "drawing": drawing,
            "drawn": self._tile(drawing.image) if drawing else None,
            "patch": patch,
            "real": self._tile(patch.crop) if patch else None,
            "lost": self.viewer.lost(record.layer, record.unit, "pictures")
            or self.viewer.lost(record.layer, record.unit, "examples"),
        }

    def _lost_of_layer(self, layer: LayerRecord) -> list[str]:
        """What is damaged of a layer that none of its units' cards can tell."""
        found = self.viewer.atlas.damaged(layer.name)
        return [lost.sentence for lost in found if lost.table == "units" or lost.unit is None]

    def _layer_card(self, layer: LayerRecord) -> Context:
        drawn = self.viewer.main_drawings(layer.name).values()
        shown = [drawing.image for drawing in drawn if drawing.image is not None][:MOSAIC]
        tiles = [self.folder.tile(image) for image in shown]
        records = self.viewer.units(layer.name)
        return {
            "layer": layer,
            "not_shown": self.viewer.not_shown(layer),
            "tiles": tiles,
            "widest": max((tile.fit(THUMBNAIL)[0] for tile in tiles), default=THUMBNAIL),
            "silent": sum(record.firing_rate == 0 for record in records),
            "twins": sum(record.twin is not None for record in records),
        }

    def _hero(self) -> list[Context]:
        """Pictures of the classes, if a layer holds classes; of many, some from all over."""
        layer = next(filter(self.viewer.is_output, self.viewer.layers), None)
        if layer is None:
            return []
        drawings = self.viewer.main_drawings(layer.name).items()
        drawn = [(unit, drawing.image) for unit, drawing in drawings if drawing.image is not None]
        return [
            {"tile": self._tile(image), "layer": layer, "unit": unit}
            for unit, image in drawn[:: max(1, -(-len(drawn) // HERO))]
        ]

    def _evaluation(self) -> Context | None:
        evaluation = self.viewer.documents.get("evaluation")
        if evaluation is None:
            return None
        confusion = evaluation["confusion"]
        kept = self.viewer.atlas.kept()  # those of a study that was stopped may not be there yet
        return {
            **evaluation,
            "examples": self._images(i for i in evaluation["examples"] if i in kept),
            "errors": self._images(i for i in evaluation["errors"] if i in kept),
            "confusion": None
            if confusion is None
            else confusion_table(np.array(confusion), self.viewer.labels),
            "most_confused": evaluation["most_confused"][:CONFUSED],
        }

    def _unlabelled(self) -> int:
        """How many images could be read and are of no known class, where others are."""
        documents = self.viewer.documents
        read: int = documents.get("seen", {"count": 0})["count"]
        labelled: int = documents.get("evaluation", {"count": read})["count"]
        return max(0, read - labelled)

    def _images(self, indices: Iterable[int]) -> list[Context]:
        found = (self.viewer.whole(index) for index in indices)
        return [
            {"image": image, "tile": self._tile(picture_to_image(image.picture))}
            for image in found
            if image is not None
        ]

    def _patch(self, patch: Patch) -> Context:
        """A patch with its tiles; the box on the whole image as percentages of its sides."""
        context: Context = {
            "patch": patch,
            "real": self._tile(patch.crop) if patch.whole is not None else self._whole(patch),
            "guided": self._tile(patch.guided),
            "whole": None if patch.whole is None else self._whole(patch),
            "frame": None,
        }
        if patch.whole is not None:
            height, width = patch.whole.shape[:2]
            top, left, bottom, right = patch.box
            context["frame"] = {
                "top": 100 * top / height,
                "left": 100 * left / width,
                "height": 100 * (bottom - top) / height,
                "width": 100 * (right - left) / width,
            }
        return context

    def _whole(self, patch: Patch) -> Tile:
        """The tile of a patch's whole image, made once for all units that answer to it."""
        if patch.image not in self._wholes:
            whole = patch.crop[..., :3] if patch.whole is None else patch.whole
            self._wholes[patch.image] = self.folder.tile(whole)
        return self._wholes[patch.image]

    def _weights_channels(self, record: UnitRecord) -> int | None:
        weights = self.viewer.weights(record)
        return None if weights is None else len(weights)

    def _tile(self, image: AnyImage | None) -> Tile | None:
        return None if image is None else self.folder.tile(image)


def _told(value: Any) -> str:
    """A parameter as a person writes it: no quotes around text, commas between items."""
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_told(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_told(item) for item in value)
    return literal(value) if isinstance(value, float) else str(value)
