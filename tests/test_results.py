"""Every answer says itself in words, in JSON and in one picture."""

import io
import json

import pytest
import torch
from PIL import Image
from torch import nn

from phosphene import Input, Network, PhospheneError, sheet
from phosphene.data import ArrayDataset, Batch
from phosphene.maximize import Recipe, draw
from phosphene.probes import (
    FlipRates,
    ablate,
    class_pictures,
    compare,
    dissect,
    flips,
    fool,
    hide,
    imagine,
    misread,
    morph,
    morph_distances,
    move_map,
    read_drawing,
    read_strokes,
    restart,
    rotations,
    shifts,
    transfer,
    units,
)
from phosphene.results import Result
from phosphene.types import Unit


def answers() -> dict[str, Result]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(300, 3))
    network = Network(module, Input(1, (12, 12)), ("cat", "dog", "cup"))
    pictures = torch.rand(6, 1, 12, 12)
    batch = Batch(torch.arange(6), pictures, torch.arange(6) % 3, ())
    brief = Recipe(steps=2)
    data = ArrayDataset(
        (pictures * 255).byte(), batch.labels, name="six", classes=("cat", "dog", "cup")
    )
    return {
        "fooling": fool(network, steps=2),
        "morph": morph(network, pictures[:2], [0, 1], steps=2),
        "transfer": transfer([network], lambda net: class_pictures(net, brief)),
        "moves": move_map(network, pictures[0], 1, shifts(1)),
        "turns": move_map(network, pictures[0], 1, rotations([-10, 0, 10])),
        "flips": flips(network, [batch], shifts(1)),
        "strokes": read_strokes(network),
        "restarts": restart(network, Unit("3", 1), brief, starts=4),
        "imagined": imagine(network, brief, per_class=2),
        "ablation": ablate(network, "0", [batch]),
        "rates": FlipRates((flips(network, [batch], shifts(1)),) * 2),
        "distances": morph_distances(network, data, steps=3),
        "misread": misread(network, data, keep=2),
        "units": units(network, data),
        "comparison": compare({"one": network, "other": network}, data, recipe=brief),
        "detectors": dissect(network, data, "0"),
        "message": hide(network, "hi", confidence=0.4),
        "unit": draw(network, [Unit("3", 1)], brief)[0],
        "drawing": read_drawing(drawing(), network),
    }


def drawing() -> Image.Image:
    image = Image.new("L", (40, 40), 255)
    image.paste(0, (18, 8, 22, 32))
    return image


ANSWERS = answers()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_tells_itself_in_words_json_and_a_picture(name: str) -> None:
    answer = ANSWERS[name]
    assert answer.summary.strip()
    assert "nan" not in answer.summary
    assert repr(answer) == f"<{type(answer).__name__}: {answer.summary}>"
    json.dumps(answer.to_json(), allow_nan=False)
    png, shown = answer._repr_png_()
    image = Image.open(io.BytesIO(png))
    assert image.size == sheet(answer).size
    assert (image.width // 2, image.height // 2) == (shown["width"], shown["height"])


def test_what_has_no_figure_says_what_has() -> None:
    with pytest.raises(PhospheneError, match=r"no figure is known for int; give the result"):
        sheet(3)
