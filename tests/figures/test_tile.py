"""Images of an atlas stand on pages as the files that they are."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.atlas import Atlas, ExampleRecord, ImageRecord, LayerRecord
from phosphene.figures.ink.crops import crop
from phosphene.figures.ink.palette import full_strength, picture_to_image, signed_to_rgba
from phosphene.figures.ink.tile import Tile
from phosphene.figures.views.patches import Patch, whole_tile

MADE = np.random.default_rng(0)


def kept(path: Path, channels: int, side: int) -> tuple[ImageRecord, ExampleRecord]:
    """A picture and a map, as an atlas has them."""
    picture = MADE.random((channels, side, side)).astype(np.float32)
    guided = (MADE.normal(size=(channels, side + 5, side + 5)) ** 3).astype(np.float32)
    with Atlas.build(path) as atlas, atlas.job("key", "kind", "title") as job:
        job.add(LayerRecord("conv", 0, "Conv2d", (1, 9, 9), 1, (3, 3), False, True))
        job.add(ImageRecord(0, None, None, None, picture))
        job.add(ExampleRecord("conv", 0, 0, 0, 1.0, 1, 1, (-2, -3, side + 3, side + 2), guided))
    with Atlas.open(path) as atlas:
        return atlas.image(0), atlas.strongest("conv")[0]


def shown(tile: Tile) -> np.ndarray:
    """The pixels of a tile as a page shows them, 0 to 255, black beyond the file."""
    with Image.open(io.BytesIO(tile.file)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(float)
    if tile.part is not None:
        assert tile.whole == pixels.shape[:2]
        top, left, bottom, right = tile.part
        room = np.pad(pixels, ((99, 99), (99, 99), (0, 0)))
        pixels = room[99 + top : 99 + bottom, 99 + left : 99 + right]
    return np.clip((pixels / 255 - 0.5) * tile.contrast + 0.5, 0, 1) * 255


@pytest.mark.parametrize("side", [9, 90])
def test_a_part_of_an_image_is_a_part_of_its_file(tmp_path: Path, side: int) -> None:
    image, _ = kept(tmp_path / "a.atlas", 3, side)
    box = (-2, 3, 6, 11)
    tile = whole_tile(image, box)
    assert tile.file == image.file("picture")
    assert (tile.height, tile.width) == (8, 8)
    cut = crop(image.picture, box)
    assert np.abs(shown(tile) - cut[..., :3] * (cut[..., 3:] > 0)).max() < 1e-9
    alone = tile.alone()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(alone.file))), cut)
    assert (alone.part, alone.width, alone.height) == (None, 8, 8)
    placed = tile.placed
    assert placed == {"width": 100 * side / 8, "left": -100 * 3 / 8, "top": 100 * 2 / 8}


@pytest.mark.parametrize("side", [9, 90])
@pytest.mark.parametrize("cut", [True, False])
def test_maps_in_colour_get_their_strength_from_the_page(
    tmp_path: Path, side: int, cut: bool
) -> None:
    image, example = kept(tmp_path / "a.atlas", 3, side)
    box = example.box if cut else (0, 0, side, side)
    patch = Patch(example, image, cut, box, None, None, "1", "")
    tile, values = patch.map_tile, patch._shown
    assert tile.file == example.file("guided")
    assert (tile.part is None) == cut
    assert values.shape == ((3, side + 5, side + 5) if cut else (3, side, side))
    wanted = signed_to_rgba(values, full_strength(values))[..., :3].astype(float)
    # 128 stands for zero where the middle is 127.5, and each is rounded once.
    assert np.abs(shown(tile) - wanted).max() <= 1 + tile.contrast


def test_other_channels_are_drawn(tmp_path: Path) -> None:
    image, example = kept(tmp_path / "a.atlas", 4, 9)
    assert image.shape == (4, 9, 9)
    assert Tile.stored(image.file("picture")) is None
    patch = Patch(example, image, True, example.box, None, None, "1", "")
    assert patch.map_tile.contrast == 1
    assert whole_tile(image).width == 19  # two bands beside each other, and a line between


@pytest.mark.parametrize("side", [9, 90])
def test_a_thumbnail_has_what_is_inside_of_the_image_alone(tmp_path: Path, side: int) -> None:
    image, example = kept(tmp_path / "a.atlas", 3, side)
    patch = Patch(example, image, True, (-2, 3, 4, side + 9), None, None, "1", "")
    inside = picture_to_image(image.picture[:, :4, 3:])
    assert patch.crop.shape == (6, side + 6, 4)
    assert np.array_equal(patch.inside[..., :3], inside)
    assert np.abs(shown(patch.inside_tile) - inside).max() < 1e-9
    away = replace(patch, box=(-4, 0, 0, 5))
    assert away.bounds == (-4, 0, 0, 5)
    assert not away.inside[..., 3].any()
    whole = replace(patch, box=(-1, -1, side + 1, side))
    assert whole.inside_tile.part is None
