"""Letters on a sheet stand level, whatever stands beside them."""

from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg

from phosphene.figures.ink.paper import DPI, MARGIN, Paper


def test_words_stand_on_one_line_whatever_letters_they_have() -> None:
    paper = Paper(4.0)
    paper.write("n", 1.0, 0.5)
    paper.write("n(∞Å", 2.0, 0.5)
    paper.top += 1
    dark = np.asarray(paper.image().convert("L")) < 128
    rows = [dark[:, left * DPI : left * DPI + 11].any(1).nonzero()[0] for left in (1, 2)]
    assert (rows[0][[0, -1]] == rows[1][[0, -1]]).all()


def test_a_sheet_is_as_wide_as_what_is_on_it() -> None:
    """Where pictures, charts or letters end, whichever ends last, and then the margin."""
    picture = np.zeros((40, 40, 3), np.uint8)
    for place, end in ((1.0, 3.0), (4.0, 6.0)):
        paper = Paper(9.0)
        paper.write("A", 0.5, 0.5)
        paper.picture(picture, place, 0.5, 2.0)
        paper.top += 3
        width = paper.image().width / DPI
        assert end + MARGIN - 0.3 < width <= end + MARGIN + 0.01  # whole multiples of 40 pixels
    paper = Paper(9.0)
    paper.write("the last words of a line that is longer than all pictures are wide")
    paper.chart(1.0, 1.0, 2.0, 1.0)
    paper.top += 3
    dark = np.asarray(paper.image().convert("L")) < 250
    last = dark.any(0).nonzero()[0][-1]
    assert abs((dark.shape[1] - last) / DPI - MARGIN) < 0.05


def test_words_are_laid_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What measures them, before it is known how wide the sheet is, draws them as well."""
    asked: list[str] = []
    measure = RendererAgg.get_text_width_height_descent

    def counted(self: RendererAgg, words: str, *rest: Any) -> Any:
        asked.append(words)
        return measure(self, words, *rest)

    monkeypatch.setattr(RendererAgg, "get_text_width_height_descent", counted)
    paper = Paper(9.0)
    for number in range(5):
        paper.top += paper.write(f"line {number}")
    assert paper.image().width < 9 * DPI
    assert all(asked.count(f"line {number}") == 1 for number in range(5))


def test_no_sheet_is_wider_than_it_may_be() -> None:
    paper = Paper(3.0)
    paper.write("word " * 40)
    paper.top += 2
    assert 2.5 * DPI < paper.image().width <= 3 * DPI
