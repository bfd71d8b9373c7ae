"""Standalone figures: pixel-exact pictures, nothing cut, errors that name the unit."""

from pathlib import Path

import numpy as np
import pytest

from phosphene.atlas import Atlas
from phosphene.errors import UnknownLayerError, UnknownUnitError
from phosphene.figures import layer_sheet, picture_to_image, unit_sheet
from phosphene.figures.ink.paper import DPI, MARGIN, Paper
from phosphene.figures.ink.png import enlarge
from phosphene.figures.views.sentences import about_real

pytestmark = pytest.mark.slow  # together more than a few seconds


def edges_are_blank(sheet: np.ndarray) -> bool:
    frame = round(0.6 * MARGIN * DPI)
    sides = (sheet[:frame], sheet[-frame:], sheet[:, :frame], sheet[:, -frame:])
    return all((side == 255).all() for side in sides)


@pytest.mark.parametrize(
    ("layer", "unit"), [("conv1", 0), ("conv1", 1), ("conv2", 2), ("fc1", 0), ("output", 3)]
)
def test_a_unit_fits_its_sheet(digits_atlas: Path, layer: str, unit: int) -> None:
    with Atlas.open(digits_atlas) as atlas:
        sheet = np.asarray(unit_sheet(atlas, layer, unit))
    assert sheet.ndim == 3
    assert edges_are_blank(sheet)


@pytest.mark.filterwarnings("ignore:Glyph")  # where no font here has the letter
def test_names_and_captions_of_any_length_fit(hostile_atlas: Path, photographs_atlas: Path) -> None:
    for path, layer in ((hostile_atlas, "../../etc/passwd"), (photographs_atlas, "conv2")):
        with Atlas.open(path) as atlas:
            assert edges_are_blank(np.asarray(unit_sheet(atlas, layer, 0)))
            assert edges_are_blank(np.asarray(layer_sheet(atlas, layer)))


def test_small_pictures_keep_their_pixels() -> None:
    picture = np.random.default_rng(0).random((1, 7, 5))
    paper = Paper(4.0)
    height = paper.picture(picture_to_image(picture), 1.0, 0.5, 1.0)
    paper.top += 2
    sheet = np.asarray(paper.image())
    scale = DPI // 7
    expected = enlarge(picture_to_image(picture), scale)
    assert height * DPI == 7 * scale
    top, left = round(0.5 * DPI), DPI  # where the words under it begin
    found = sheet[top : top + 7 * scale, left : left + 5 * scale]
    assert (found == expected[..., None]).all()


def test_the_layer_sheet_shows_every_strongest_patch(digits_atlas: Path) -> None:
    with Atlas.open(digits_atlas) as atlas:
        sheet = np.asarray(layer_sheet(atlas, "conv1"))
        layer = atlas.layer("conv1")
        strongest = atlas.strongest("conv1")
    assert edges_are_blank(sheet)
    assert len(strongest) == layer.units - 1  # one never fires
    assert sheet.shape[1] > sheet.shape[0]


def test_a_unit_that_never_fires_has_no_strongest_patch(
    digits_atlas: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Atlas.open(digits_atlas) as atlas:
        silent = next(u for u in atlas.units("conv1") if u.firing_rate == 0)
        example = atlas.examples("conv1", 0)[0]
        expected = np.asarray(layer_sheet(atlas, "conv1"))
        strongest = atlas.strongest("conv1") | {silent.unit: example}
        monkeypatch.setattr(Atlas, "strongest", lambda *_: strongest)
        assert np.array_equal(np.asarray(layer_sheet(atlas, "conv1")), expected)
        assert about_real(silent) != about_real(atlas.unit("conv1", 0))


def test_unknown_units_are_refused(digits_atlas: Path) -> None:
    with Atlas.open(digits_atlas) as atlas:
        says = r"nearest: conv2, conv1; there are: conv1, conv2, fc1, output\. .* --layers conv3"
        with pytest.raises(UnknownLayerError, match=says):
            unit_sheet(atlas, "conv3", 0)
        with pytest.raises(UnknownUnitError, match="no unit 99"):
            unit_sheet(atlas, "conv1", 99)
        with pytest.raises(UnknownLayerError):
            layer_sheet(atlas, "nope")
