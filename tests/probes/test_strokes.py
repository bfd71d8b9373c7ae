"""Drawings against supersampled ones, and one drawing through every kind of file."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from laws import unchanged
from mnist_cnn import trained
from phosphene.errors import DataError, UnreadableImageError
from phosphene.network import Input, Network
from phosphene.probes import SKETCHES, Sketch, read_drawing, read_strokes
from tiny import network

SEVEN = next(sketch for sketch in SKETCHES if sketch.name == "seven")


def supersampled(sketch: Sketch, size: tuple[int, int], finer: int = 16) -> Tensor:
    """Every point of a fine grid is ink or not; pixels are their means."""
    height, width = size
    side = min(size)
    ink = torch.zeros(height * finer, width * finer)
    for i in range(height * finer):
        y = ((i + 0.5) / finer - (height - side) / 2) / side
        xs = ((torch.arange(width * finer) + 0.5) / finer - (width - side) / 2) / side
        for line in sketch.lines:
            for (ay, ax), (by, bx) in pairwise(line):
                long = (by - ay) ** 2 + (bx - ax) ** 2
                t = (((y - ay) * (by - ay) + (xs - ax) * (bx - ax)) / long).clamp(0, 1)
                near = (y - ay - t * (by - ay)) ** 2 + (xs - ax - t * (bx - ax)) ** 2
                ink[i] = ink[i].maximum((near <= (sketch.width / 2) ** 2).float())
    return F.avg_pool2d(ink[None], finer)[0]


@pytest.mark.parametrize("sketch", SKETCHES, ids=lambda sketch: sketch.name)
@pytest.mark.parametrize("size", [(28, 28), (20, 31)])
@pytest.mark.slow
def test_sketches_are_antialiased(sketch: Sketch, size: tuple[int, int]) -> None:
    drawn = sketch.picture(size)[0]
    expected = supersampled(sketch, size)
    assert (drawn - expected).abs().mean() < 0.008
    assert (drawn - expected).abs().max() < 0.3  # where lines end or cross
    assert float(drawn.sum()) == pytest.approx(float(expected.sum()), rel=0.06)


def test_channels_and_polarity() -> None:
    plain = SEVEN.picture((9, 12))
    assert torch.equal(SEVEN.picture((9, 12), 4, dark=False), 1 - plain.expand(4, -1, -1))
    assert plain.min() == 0
    assert plain.max() > 0.5


@pytest.mark.parametrize("name", ["rectified", "residual", "functional", "dense"])
def test_strokes_are_read_by_networks_of_any_input(name: str) -> None:
    net = network(name)
    with unchanged(net.module):
        found = read_strokes(net, SKETCHES[:3], dark=False)
    assert found.pictures.shape == (3, *net.input.shape)
    assert torch.equal(found.probabilities, net.probabilities(found.pictures))
    written = json.loads(json.dumps(found.to_json()))
    assert list(written) == ["dash", "dash in the middle", "vertical"]
    assert sum(written["dash"].values()) == pytest.approx(1, abs=1e-5)


def image(dark: bool, mode: str, size: tuple[int, int] = (140, 140)) -> Image.Image:
    """A seven as people save it."""
    ink = SEVEN.picture(size)[0]
    if mode in ("RGBA", "LA"):  # ink of one level on nothing
        level = torch.full_like(ink, 1.0 if dark else 0.0)
        bands = [level] * (len(mode) - 1) + [ink]
        array = (torch.stack(bands, dim=2) * 255).round().byte().numpy()
        return Image.fromarray(array)
    shown = ink if dark else 1 - ink
    return Image.fromarray((shown * 255).round().byte().numpy()).convert(mode)


FORMS = [
    *((dark, mode) for dark in (True, False) for mode in ("L", "RGB", "1", "P", "RGBA", "LA")),
]


@pytest.mark.parametrize(("dark", "mode"), FORMS)
@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.slow
def test_one_drawing_in_every_form_is_one_picture(
    dark: bool, mode: str, wanted: bool, centre: bool
) -> None:
    net = network("functional")
    expected = read_drawing(image(True, "L"), net, centre=centre).picture
    found = read_drawing(image(dark, mode), net, dark=wanted, centre=centre)
    assert found.light is not dark
    assert found.inverted is (dark != wanted)
    seen = found.picture if wanted else 1 - found.picture
    assert (seen - expected).abs().max() < (0.35 if mode == "1" else 0.02)
    assert seen.min() == 0
    assert seen.max() == 1
    assert torch.equal(found.probabilities, net.probabilities(found.picture[None])[0])
    json.dumps(found.to_json())


@pytest.mark.parametrize("size", [(60, 200), (333, 120), (11, 14)])
def test_centred_drawings_fill_the_box_and_balance(size: tuple[int, int]) -> None:
    net = Network(nn.Sequential(nn.Flatten(), nn.Linear(784, 3)), Input(1, (28, 28)))
    small = torch.zeros(size)
    small[2:9, 3:6] = 1.0
    small[8, 3:10] = 1.0
    seen = read_drawing(Image.fromarray((small * 255).byte().numpy()), net).picture[0]
    rows, columns = (seen > 0.2).any(1).nonzero(), (seen > 0.2).any(0).nonzero()
    assert max(len(rows), len(columns)) == 20
    places = torch.arange(28) + 0.5
    middle = (seen.sum(1) @ places / seen.sum(), seen.sum(0) @ places / seen.sum())
    assert all(abs(float(m) - 14) <= 0.5 for m in middle)


def test_uneven_drawings_stay_inside_the_picture() -> None:
    net = Network(nn.Sequential(nn.Flatten(), nn.Linear(784, 3)), Input(1, (28, 28)))
    heavy = torch.zeros(100, 100)
    heavy[10:30, 10:90] = 1.0  # a heavy bar with a thin tail: the centre of mass is high
    heavy[30:90, 48:52] = 0.5
    seen = read_drawing(Image.fromarray((heavy * 255).byte().numpy()), net).picture[0]
    assert len((seen > 0.2).any(1).nonzero()) == 20


def test_colours_reach_a_colour_network() -> None:
    net = network("residual")
    red = Image.new("RGB", (64, 48), "black")
    red.paste((200, 0, 0), (20, 10, 40, 40))
    seen = read_drawing(red, net, centre=False).picture
    assert seen.shape == (3, 16, 12)
    assert seen[0].max() == 1
    assert seen[1:].max() == 0


def test_grey_paper_becomes_ground(tmp_path: Path) -> None:
    net = network("functional")
    grey = Image.eval(image(False, "L"), lambda level: 60 + level // 2)  # 60 on 187
    grey.save(tmp_path / "photo.jpg", quality=95)
    found = read_drawing(tmp_path / "photo.jpg", net)
    expected = read_drawing(image(True, "L"), net).picture
    assert found.light
    assert (found.picture - expected).abs().mean() < 0.03


def test_files_that_are_no_drawing(tmp_path: Path) -> None:
    net = network("functional")
    (tmp_path / "text.png").write_text("no image")
    image(True, "L").save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:-200])
    for name in ("text.png", "cut.png", "missing.png"):
        with pytest.raises(UnreadableImageError, match=name):
            read_drawing(tmp_path / name, net)
    for blank in ("white", "black", "grey"):
        with pytest.raises(DataError, match="nothing is drawn"):
            read_drawing(Image.new("RGB", (30, 20), blank), net)
    with pytest.raises(DataError, match="nothing is drawn"):
        read_drawing(Image.new("RGBA", (30, 20), (0, 0, 0, 0)), net)


def test_a_trained_network_reads_strokes(shared_data: Path) -> None:
    net = trained(shared_data)
    found = read_strokes(net).to_json()
    assert found["dash"]["7"] > 0.95  # nothing but a dash, and a seven to the network
    assert found["vertical"]["1"] > 0.99
    assert found["vertical with base"]["1"] > 0.99
    assert found["seven"]["7"] > 0.99
    assert found["ring"]["0"] > 0.99
    for form in (image(False, "RGB"), image(True, "L"), image(False, "RGBA", (700, 400))):
        assert read_drawing(form, net).probabilities[7] > 0.99
