"""Surveys of shards merged in a fixed tree, so that several may each go through a part of them.

`FAN` shards are merged one after another, then as many of what came of that, and so on. Whoever
gathers which shards, the sums are the same to the last bit; and no more is held at once than a
survey a level, of which there is one more for each sixteenfold of the data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from phosphene.errors import DataError
from phosphene.words import plural


@runtime_checkable
class Surveying(Protocol):
    """What a tree is made of: a `Survey`."""

    @property
    def seen(self) -> int:
        """How many pictures were looked at."""

    def merge(self, other: Any) -> None:
        """Take in what another has of later ones."""

    def state(self) -> dict[str, Any]:
        """All that is held."""

    def restore(self, state: dict[str, Any]) -> None:
        """Hold what a state says."""


S = TypeVar("S", bound=Surveying)

FAN = 16
"""Of how many a node is made."""


def width(level: int) -> int:
    """How many shards a node of a level is of."""
    return int(FAN**level)


@dataclass
class Node(Generic[S]):
    """What was found in `count` neighbours of a level, from shard number `start` on.

    On level 0 these are shards, on the next each is of `FAN` shards. Where there are several they
    are the first ones below one node of the next level.
    """

    start: int
    level: int
    count: int
    survey: S

    @property
    def stop(self) -> int:
        """The shard that comes after."""
        return self.start + self.count * width(self.level)

    @property
    def first(self) -> bool:
        """Whether the next level's node begins with it."""
        return self.start % width(self.level + 1) == 0

    def goes_on_with(self, later: "Node[S]") -> bool:
        """Whether `later` is the next one below the same node."""
        whole = later.level == self.level and later.count == 1
        return whole and self.first and self.stop == later.start and self.count < FAN


class Tree(Generic[S]):
    """Takes in shards from number `start` on, one after another.

    `empty` makes a survey that has seen nothing.
    """

    def __init__(self, empty: Callable[[], S], start: int = 0) -> None:
        self.empty, self.start = empty, start
        self.nodes: list[Node[S]] = []

    @property
    def stop(self) -> int:
        """The shard that comes next."""
        return self.nodes[-1].stop if self.nodes else self.start

    @property
    def seen(self) -> int:
        """How many pictures were looked at."""
        return sum(node.survey.seen for node in self.nodes)

    def take(self, survey: S, level: int = 0, count: int = 1) -> None:
        """Take in what was found in the next shard, or in a node that begins with it."""
        node = Node(self.stop, level, count, survey)
        while True:
            last = self.nodes[-1] if self.nodes else None
            if last is not None and last.goes_on_with(node):
                last.survey.merge(node.survey)
                last.count += 1
                node = self.nodes.pop()
            if node.count < FAN:
                self.nodes.append(node)
                return
            node = Node(node.start, node.level + 1, 1, node.survey)

    def whole(self) -> S:
        """All that was found, from the first shard on; the tree is of no use after that.

        Raises:
            DataError: it does not begin with the first shard.
        """
        if self.start:
            raise DataError(
                f"a survey from shard {self.start} on is a part of one; what came before, "
                f"{plural(self.start, 'shard')}, is missing"
            )
        found: S | None = None
        for node in reversed(self.nodes):
            if found is not None:
                node.survey.merge(found)
            found = node.survey
        return self.empty() if found is None else found

    def state(self) -> dict[str, Any]:
        """All that is held, as JSON values and tensors, which share its memory."""
        places = [[node.start, node.level, node.count] for node in self.nodes]
        held = {str(i): node.survey.state() for i, node in enumerate(self.nodes)}
        return {"start": self.start, "places": places, "held": held}

    def restore(self, state: dict[str, Any]) -> None:
        """Hold what `state` says in place of what was held."""
        self.start, self.nodes = state["start"], []
        for i, (start, level, count) in enumerate(state["places"]):
            survey = self.empty()
            survey.restore(state["held"][str(i)])
            self.nodes.append(Node(start, level, count, survey))


def cut(shards: int, parts: int) -> list[range]:
    """So many shards in as many parts, of which few nodes of the tree have to be told.

    >>> cut(5, 2), cut(313, 2)
    ([range(0, 2), range(2, 5)], [range(0, 160), range(160, 313)])

    Raises:
        DataError: there are fewer shards than parts.
    """
    if parts > shards:
        raise DataError(
            f"{parts} parts of data that make {plural(shards, 'shard')}; cut them into at most "
            f"{shards}"
        )
    unit = 1
    while shards >= 4 * parts * unit * FAN:
        unit *= FAN
    ends = [round(part * shards / parts / unit) * unit for part in range(parts)] + [shards]
    return [range(*ends[part : part + 2]) for part in range(parts)]
