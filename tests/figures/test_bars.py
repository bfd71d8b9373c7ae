"""Bars: nothing that is said of them runs into the next line."""

import pytest

from phosphene.figures.ink.bars import bars_in_halves, room
from phosphene.figures.ink.layout import SMALL, titled
from phosphene.figures.ink.paper import Paper


@pytest.mark.parametrize("count", [1, 2, 5])
def test_what_bars_amount_to_stays_on_its_line(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    heights, write = [], Paper.write

    def listen(paper: Paper, *args: object, **style: object) -> float:
        heights.append(write(paper, *args, **style))
        return heights[-1]

    monkeypatch.setattr(Paper, "write", listen)
    paper = titled("", "")
    line = paper.height("one", 1.0, SMALL)
    del heights[:]
    bars_in_halves(paper, [(f"{i}", -0.1 * i, "−0.278 points") for i in range(count)], (-1, 0))
    assert heights == [line] * 2 * count


def test_there_is_room_for_the_longest() -> None:
    words = ["0", "number 17 of many"]
    assert Paper(9.0).height(words[1], room(words), SMALL) == Paper(9.0).height("0", 1.0, SMALL)
