"""Letters on a sheet stand level, whatever stands beside them."""

import numpy as np

from phosphene.figures.ink.paper import DPI, Paper


def test_words_stand_on_one_line_whatever_letters_they_have() -> None:
    paper = Paper(4.0)
    paper.write("n", 1.0, 0.5)
    paper.write("n(∞Å", 2.0, 0.5)
    paper.top += 1
    dark = np.asarray(paper.image().convert("L")) < 128
    rows = [dark[:, left * DPI : left * DPI + 11].any(1).nonzero()[0] for left in (1, 2)]
    assert (rows[0][[0, -1]] == rows[1][[0, -1]]).all()
