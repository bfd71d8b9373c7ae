"""Every answer says itself in words, in JSON and in one picture."""

import io
import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cells import some
from phosphene import Input, Network, PhospheneError, match_units, results, sheet
from phosphene.circuits import circuit, edges, measure, parts, wholes, why
from phosphene.data import ArrayDataset, Batch
from phosphene.errors import SettingError
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
from phosphene.units import Unit


def make_network() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(300, 3))
    return Network(module, Input(1, (12, 12)), ("cat", "dog", "cup"))


def drawing() -> Image.Image:
    image = Image.new("L", (40, 40), 255)
    image.paste(0, (18, 8, 22, 32))
    return image


NET = make_network()
PICTURES = torch.rand(6, 1, 12, 12)
BATCH = Batch(torch.arange(6), PICTURES, torch.arange(6) % 3, ())
BRIEF = Recipe(steps=2)
DATA = ArrayDataset((PICTURES * 255).byte(), BATCH.labels, name="six", classes=NET.classes)

ANSWERS: dict[str, Callable[[], Result]] = {
    "fooling": lambda: fool(NET, steps=2),
    "morph": lambda: morph(NET, PICTURES[:2], [0, 1], steps=2),
    "transfer": lambda: transfer([NET], lambda net: class_pictures(net, BRIEF)),
    "moves": lambda: move_map(NET, PICTURES[0], 1, shifts(1)),
    "turns": lambda: move_map(NET, PICTURES[0], 1, rotations([-10, 0, 10])),
    "flips": lambda: flips(NET, [BATCH], shifts(1)),
    "strokes": lambda: read_strokes(NET),
    "restarts": lambda: restart(NET, Unit("3", 1), BRIEF, starts=4),
    "imagined": lambda: imagine(NET, BRIEF, per_class=2),
    "ablation": lambda: ablate(NET, "0", [BATCH]),
    "rates": lambda: FlipRates((flips(NET, [BATCH], shifts(1)),) * 2),
    "distances": lambda: morph_distances(NET, DATA, steps=3),
    "misread": lambda: misread(NET, DATA, keep=2),
    "units": lambda: units(NET, DATA),
    "comparison": lambda: compare({"one": NET, "other": NET}, DATA, recipe=BRIEF),
    "detectors": lambda: dissect(NET, DATA, "0"),
    "message": lambda: hide(NET, "hi", confidence=0.4),
    "unit": lambda: draw(NET, [Unit("3", 1)], BRIEF)[0],
    "parts": lambda: parts(NET, PICTURES[0], "dog", k=2, data=DATA),
    "edges": lambda: measure(edges(NET, PICTURES[:2], "dog", "1", data=DATA)),
    "wholes": lambda: wholes(NET, PICTURES[:2], "0:1", data=DATA),
    "circuit": lambda: circuit(NET, PICTURES[:2], "dog", "1", data=DATA),
    "why": lambda: why(NET, PICTURES[0], "dog", "cat", data=DATA),
    "drawing": lambda: read_drawing(drawing(), NET),
    "match": lambda: match_units(NET, "0", NET, "2", PICTURES),
}


ASKED = {"fooling", "morph", "transfer", "strokes", "restarts", "distances", "units", "message"}
"""Answers to questions that are asked, told and drawn in tests/probes/test_questions.py too."""


@pytest.mark.later
@pytest.mark.parametrize("name", some(ANSWERS, quick=ANSWERS.keys() - ASKED))
def test_an_answer_tells_itself_in_words_json_and_a_picture(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, drawn = ANSWERS[name](), list[Image.Image]()

    @wraps(sheet)  # figures register themselves by it
    def kept(one: Result) -> Image.Image:
        drawn.append(sheet(one))
        return drawn[-1]

    monkeypatch.setattr(results, "sheet", kept)
    assert answer.summary.strip()
    assert "nan" not in answer.summary
    assert repr(answer) == f"<{type(answer).__name__}: {answer.summary}>"
    json.dumps(answer.to_json(), allow_nan=False)
    png, shown = answer._repr_png_()
    image = Image.open(io.BytesIO(png))
    (figure,) = drawn
    assert np.array_equal(np.asarray(image), np.asarray(figure))
    assert (image.width // 2, image.height // 2) == (shown["width"], shown["height"])


def test_a_result_saves_its_figure(tmp_path: Path) -> None:
    answer = ANSWERS["moves"]()
    path = answer.save(tmp_path / "figure.png")
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(sheet(answer)))
    with pytest.raises(SettingError, match=r"figure\.gif is no picture file; end it in \.png"):
        answer.save(tmp_path / "figure.gif")


def test_what_has_no_figure_says_what_has() -> None:
    with pytest.raises(PhospheneError, match=r"no figure is known for int; give the result"):
        sheet(3)
