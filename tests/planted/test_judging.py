"""What naive measures get wrong about the planted networks is what their words say."""

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

import planted
from planted import MEASURES, Planted, Wrong, judge
from planted.__main__ import README, written

EACH = pytest.mark.parametrize("one", planted.ALL, ids=str)


@EACH
@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_is_fooled_where_and_how_it_is_written(one: Planted, name: str) -> None:
    (row,) = judge(MEASURES[name], [one])
    assert row.wrong == one.fools.get(name, Wrong())


def test_fools_name_measures_that_there_are() -> None:
    assert {name for one in planted.ALL for name in one.fools} <= set(MEASURES)


@pytest.mark.parametrize("name", [name for name in MEASURES if "mean" not in name])
def test_every_measure_but_one_is_fooled_somewhere(name: str) -> None:
    assert any(name in one.fools for one in planted.ALL)


@pytest.mark.later
def test_all_three_facts_from_the_mean_are_never_fooled() -> None:
    table = judge(MEASURES["remove, keep and raise, mean"], planted.ALL)
    assert table.right == len(planted.ALL)


def test_what_says_nothing_finds_nothing_and_what_says_all_calls_all() -> None:
    def nothing(one: Planted) -> Tensor:
        return torch.zeros(len(one.truth.mean))

    def everything(one: Planted) -> Tensor:
        return torch.ones(2, len(one.pictures), len(one.truth.mean))

    for one in planted.ALL:
        (row,) = judge(nothing, [one])
        assert row.wrong == Wrong(missed=one.truth.parts)
        (row,) = judge(everything, [one])
        assert row.wrong == Wrong(called=one.truth.idle)
        assert row.found == one.truth.parts


def test_a_table_reads() -> None:
    table = judge(MEASURES["remove"], [one for one in planted.ALL if "twins" in one.name])
    assert str(table).splitlines()[-1] == "| redundant twins | 2 | 0, 1 | none |"
    said = planted.overview({"remove": table}).splitlines()
    assert said[-2:] == ["| redundant twins | -0 -1 |", "| right | 0 |"]


@pytest.mark.slow
def test_the_table_of_the_readme_is_the_one_that_measures_give() -> None:
    page = README.read_text(encoding="utf-8")
    assert written(page) == page


@pytest.mark.slow
def test_others_need_pytorch_alone() -> None:
    """Of a process that has no phosphene; PyTorch takes a second to import."""
    code = (
        "import sys; sys.modules['phosphene'] = None\n"
        "import planted\n"
        "print(planted.judge(planted.MEASURES['guided']).right)"
    )
    env = {**os.environ, "PYTHONPATH": str(README.parents[1])}
    said = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert int(said.stdout) == judge(MEASURES["guided"]).right
