"""Grids of cells for `pytest.mark.parametrize`, of which a part is quick and the rest `slow`."""

from collections.abc import Collection, Iterable
from itertools import product
from typing import Any

import pytest


def crossed(*axes: Iterable[Any]) -> list[Any]:
    """Every cell of a grid; quick are those of its diagonal, in which each member has its turn.

    The diagonal begins anew on an axis that is shorter than the longest.
    """
    members = [list(axis) for axis in axes]
    longest = max(map(len, members))
    quick = {tuple(place % len(axis) for axis in members) for place in range(longest)}
    return [
        pytest.param(
            *(axis[place] for axis, place in zip(members, cell, strict=True)),
            marks=() if cell in quick else pytest.mark.slow,
        )
        for cell in product(*(range(len(axis)) for axis in members))
    ]


def some(members: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """All members of an axis; those that are not among the `quick` are slow."""
    found = list(members)
    missing = [member for member in quick if member not in found]
    assert not missing, f"{missing} are no members; there are: {found}"
    return [
        pytest.param(member, marks=() if member in quick else pytest.mark.slow) for member in found
    ]
