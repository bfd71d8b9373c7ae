"""Where the nodes of a tree stand: levels from left to right, siblings side by side."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Placed(Generic[T]):
    """A node at its level and its row; rows are counted in leaves, and may lie between two."""

    node: T
    level: int
    row: float
    parent: "Placed[T] | None" = None


def placed(root: T, below: Callable[[T], Sequence[T]]) -> list[Placed[T]]:
    """All nodes of a tree, each beside the middle of those below it, parents before children.

    >>> below = {"a": "bc", "b": "de", "c": "", "d": "", "e": ""}
    >>> [(each.node, each.level, each.row) for each in placed("a", lambda node: below[node])]
    [('a', 0, 1.25), ('b', 1, 0.5), ('d', 2, 0.0), ('e', 2, 1.0), ('c', 1, 2.0)]
    """
    rows: dict[tuple[int, ...], float] = {}
    order = list(_walk(root, below, ()))
    leaves = 0
    for path, node in order:
        if not below(node):
            rows[path] = float(leaves)
            leaves += 1
    for path, node in reversed(order):
        count = len(below(node))
        if count:
            ends = [rows[(*path, i)] for i in (0, count - 1)]
            rows[path] = sum(ends) / 2
    found: dict[tuple[int, ...], Placed[T]] = {}
    for path, node in order:
        parent = found.get(path[:-1]) if path else None
        found[path] = Placed(node, len(path), rows[path], parent)
    return list(found.values())


def _walk(
    node: T, below: Callable[[T], Sequence[T]], path: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], T]]:
    yield path, node
    for i, child in enumerate(below(node)):
        yield from _walk(child, below, (*path, i))
