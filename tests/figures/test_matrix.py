"""Tables on colour: names and numbers never run into each other, however many there are."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from drawn import edges_are_blank
from phosphene.figures import confusion_sheet
from phosphene.figures.ink.paper import Paper

pytestmark = pytest.mark.slow  # together more than a few seconds


@pytest.mark.parametrize(("classes", "on_end"), [(5, False), (40, True), (120, True)])
def test_names_have_a_line_of_their_own(
    classes: int, on_end: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[float] = []
    rotated: list[float] = []
    write = Paper.write

    def listen(paper: Paper, words: str, *args: float, **style: object) -> float:
        height = write(paper, words, *args, **style)
        if words.startswith("class "):
            if "rotation" in style:
                rotated.append(args[0])
            elif style.get("ha") == "right":
                rows.append(args[1])
                assert height < 0.15, "one line"
        return height

    monkeypatch.setattr(Paper, "write", listen)
    names = [f"class number {i}" for i in range(classes)]
    sheet = confusion_sheet(torch.eye(classes).long() * 10, names)
    assert edges_are_blank(np.asarray(sheet))
    for places in (rows, rotated):
        assert min((b - a for a, b in pairwise(places)), default=1.0) > 0.13
    assert bool(rotated) == on_end
    assert len(rows) >= min(classes, 40)
