"""Two units side by side: what each likes, and what both do."""

from pathlib import Path

import numpy as np
import pytest

from drawn import edges_are_blank, holds
from phosphene.atlas import Atlas
from phosphene.errors import UnknownUnitError
from phosphene.figures import picture_to_image
from phosphene.figures.ink.layout import LARGE, SIDE
from phosphene.figures.ink.paper import DPI
from phosphene.figures.sheets.pair import PATCHES, unit_pair_sheet
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.patches import seen

pytestmark = pytest.mark.slow  # together more than a few seconds


def fits(side: float, pixels: int) -> int:
    return round(side * DPI) // pixels


def test_drawings_and_patches_of_both_are_shown(digits_atlas: Path) -> None:
    with Atlas.open(digits_atlas) as atlas:
        sheet = np.asarray(unit_pair_sheet(atlas, "conv1:0", "conv2:2"))
        patches = [
            seen(AtlasView(atlas), atlas.examples(layer, unit)[:PATCHES]).patches
            for layer, unit in (("conv1", 0), ("conv2", 2))
        ]
        drawings = [*atlas.pictures("conv1", 0), *atlas.pictures("conv2", 2)]
    assert edges_are_blank(sheet)
    for patch in (patch for of_unit in patches for patch in of_unit):
        assert holds(sheet, patch.solid, fits(SIDE, max(patch.solid.shape[:2])))
    for drawing in drawings:
        image = picture_to_image(drawing.picture)
        assert holds(sheet, image, fits(LARGE, max(image.shape)))


def test_what_excites_both_is_shown_whole(digits_atlas: Path) -> None:
    with Atlas.open(digits_atlas) as atlas:
        kept = [{e.image for e in atlas.examples("output", unit)} for unit in range(10)]
        assert not kept[0] & kept[3]
        apart = np.asarray(unit_pair_sheet(atlas, "output:0", "output:3"))
        alike = np.asarray(unit_pair_sheet(atlas, "conv1:0", "conv1:5"))
        both = {e.image for e in atlas.examples("conv1", 0)}
        both &= {e.image for e in atlas.examples("conv1", 5)}
        assert both  # a twin
        for index in both:
            assert holds(alike, picture_to_image(atlas.image(index).picture), fits(SIDE, 28))
    assert edges_are_blank(apart)


def test_a_silent_unit_fits_too_and_an_unknown_one_is_refused(digits_atlas: Path) -> None:
    with Atlas.open(digits_atlas) as atlas:
        assert edges_are_blank(np.asarray(unit_pair_sheet(atlas, "conv1:1", "output:3")))
        with pytest.raises(UnknownUnitError, match="no unit 99"):
            unit_pair_sheet(atlas, "conv1:0", "conv1:99")
