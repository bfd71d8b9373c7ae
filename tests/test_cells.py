"""Of a grid of tests all cells are there, and the quick ones have every member of every axis."""

from itertools import product

import pytest

from cells import crossed, some


def is_quick(cell: pytest.param) -> bool:
    return not cell.marks


@pytest.mark.parametrize("sizes", [(5, 2), (2, 5), (3, 3), (4, 6, 5), (1, 4), (4,)])
def test_nothing_is_left_out_and_each_member_is_quick_once(sizes: tuple[int, ...]) -> None:
    axes = [range(size) for size in sizes]
    cells = crossed(*axes)
    assert [cell.values for cell in cells] == list(product(*axes))
    quick = [cell.values for cell in cells if is_quick(cell)]
    assert len(quick) == max(sizes)
    assert [set(members) for members in zip(*quick, strict=True)] == [set(axis) for axis in axes]


def test_the_rest_of_an_axis_is_slow() -> None:
    cells = some("abc", quick="b")
    assert [(*cell.values, is_quick(cell)) for cell in cells] == [
        ("a", False), ("b", True), ("c", False),
    ]  # fmt: skip
    with pytest.raises(AssertionError, match=r"'d'.* are no members"):
        some("abc", quick="bd")
