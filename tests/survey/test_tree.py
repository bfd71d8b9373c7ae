"""Whoever goes through which shards, they are merged in the same order: that of a fixed tree."""

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import phosphene.survey.tree as module
import tiny
from cells import some
from phosphene.data import shards
from phosphene.errors import DataError
from phosphene.network import Input, Network
from phosphene.survey import Survey, Tree
from phosphene.survey.state import load_state, save_state
from phosphene.survey.tree import cut
from states import same

COUNT = 41
NETWORK = Network(
    tiny.seeded(lambda: nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten(), nn.Linear(12, 4))),
    Input(1, (3, 3)),
)


class Written:
    """In the place of a survey: writes down what was merged into what."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    @property
    def seen(self) -> int:
        return self.text.count("s")

    def merge(self, other: "Written") -> None:
        self.text = f"({self.text}+{other.text})"

    def state(self) -> dict[str, Any]:
        return {"text": self.text}

    def restore(self, state: dict[str, Any]) -> None:
        self.text = state["text"]


def reference(first: int, last: int, fan: int, level: int) -> str:
    """Shards from `first` to before `last`, below one node of a level, by the definition."""
    if level == 0:
        return f"s{first}"
    inner = fan ** (level - 1)
    starts = range(first, last, inner)
    below = [reference(at, min(at + inner, last), fan, level - 1) for at in starts]
    full = [at + inner <= last for at in starts]
    chain = below[0]
    for place, one in enumerate(below[1:], 1):
        if full[place]:
            chain = f"({chain}+{one})"
    # What is not full comes last, and is all that hangs on the right edge.
    return chain if all(full) or len(below) == 1 else f"({chain}+{below[-1]})"


def whole(count: int, fan: int) -> str:
    level = 0
    while fan**level < count:
        level += 1
    return reference(0, count, fan, level)


def tree(start: int = 0) -> Tree[Written]:
    return Tree(Written, start)


@pytest.mark.parametrize("count", some(range(1, 90), quick=(1, 2, 3, 4, 9, 10, 28, 40)))
@pytest.mark.parametrize("fan", [2, 3, 16])
def test_it_is_the_tree_by_its_definition(
    count: int, fan: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAN", fan)
    found = tree()
    for number in range(count):
        found.take(Written(f"s{number}"))
        assert (found.stop, found.seen) == (number + 1, number + 1)
        assert len(found.nodes) <= 1 + count.bit_length()
    assert found.whole().text == whole(count, fan)


@pytest.mark.parametrize("seed", some(range(200), quick=range(20)))
def test_parts_of_any_cut_make_the_same_tree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is gone through elsewhere and told as JSON, in any order."""
    rng = random.Random(seed)
    fan, count = rng.choice([2, 3, 4, 16]), rng.randint(1, 120)
    monkeypatch.setattr(module, "FAN", fan)
    ends = sorted({0, count, *(rng.randrange(count) for _ in range(rng.randint(0, 6)))})
    nodes = []
    for start, stop in pairwise(ends):
        part = tree(start)
        for number in range(start, stop):
            part.take(Written(f"s{number}"))
            if rng.random() < 0.2:
                told, again = json.loads(json.dumps(part.state())), tree()
                again.restore(told)
                part = again
        assert part.stop == stop
        nodes += [(n.start, n.level, n.count, n.survey) for n in part.nodes]
        if start:
            with pytest.raises(DataError, match=f"from shard {start} on is a part of one"):
                part.whole()
    found = tree()
    for start, level, many, survey in nodes:
        assert start == found.stop
        found.take(survey, level, many)
    assert found.whole().text == whole(count, fan)


def test_few_nodes_tell_a_part() -> None:
    for parts in (1, 2, 3, 8):
        for count in (8, 49, 313, 5000):
            pieces = cut(count, parts)
            assert [i for piece in pieces for i in piece] == list(range(count))
            lengths = [len(piece) for piece in pieces]
            assert max(lengths) <= 1.5 * min(lengths) + 1
            for piece in pieces:
                part = tree(piece.start)
                for _ in piece:
                    part.take(Written("s"))
                assert len(part.nodes) <= 35
    with pytest.raises(DataError, match=r"3 parts of data that make 2 shards; .* at most 2"):
        cut(2, 3)


def test_nothing_is_a_survey_of_nothing() -> None:
    assert tree().whole().text == ""


class TestSurveys:
    """The same with surveys, in shards of four and a fan of two: 11 shards."""

    data = TensorDataset(
        torch.rand(COUNT, 1, 3, 3, generator=torch.Generator().manual_seed(0)),
        torch.arange(COUNT) % 5 - 1,
    )

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("phosphene.data.batching.SHARD", 4)
        monkeypatch.setattr(module, "FAN", 2)

    def over(self, start: int, stop: int) -> Tree[Survey]:
        found = Tree(lambda: Survey(NETWORK, ["0"], k=3), start)
        for shard in shards(self.data, 4, 0, 4 * start, 4 * stop):
            part = found.empty()
            for batch in shard:
                part.add(batch)
            found.take(part)
        return found

    def test_two_parts_are_one_pass(self, tmp_path: Path) -> None:
        one = Survey(NETWORK, ["0"], k=3).over(self.data, 4)
        assert one.seen == COUNT
        for middle in range(12):
            first, second = self.over(0, middle), self.over(middle, 11)
            save_state(second, tmp_path / "state", "key")
            again = Tree(second.empty)
            assert load_state(again, tmp_path / "state", "key")
            for node in again.nodes:
                first.take(node.survey, node.level, node.count)
            assert same(first.whole().state(), one.state())
