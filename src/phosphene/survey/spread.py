"""The first few of a stream, spread over its groups."""

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

from phosphene.survey.accumulator import Accumulator


class Spread(Accumulator):
    """Keeps the first member of each group, then the second of each, …, `keep` in all.

    Members are numbers, each of which comes once; they count in rising order, however they come.
    Of those that are equally far down their groups the first are kept. Who is not kept of a part
    has `keep` before it in the whole, so memory depends on `keep` alone.

    >>> spread = Spread(4)
    >>> spread.add("aaabbc", range(6))
    >>> spread.members
    [0, 3, 5, 1]
    """

    gathered = ("kept",)

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.kept: list[tuple[int, Hashable]] = []

    @property
    def asked(self) -> dict[str, int]:
        """How many are kept."""
        return {"keep": self.keep}

    def add(self, groups: Iterable[Hashable], members: Iterable[int]) -> None:
        """Take in members, and the group of each."""
        self._take([*zip(members, groups, strict=True)])

    def _join(self, other: Any) -> None:
        self._take(other.kept)

    def _take(self, found: list[tuple[int, Hashable]]) -> None:
        seen: Counter[Hashable] = Counter()
        ranked = []
        for member, group in sorted([*self.kept, *found], key=lambda entry: entry[0]):
            ranked.append((seen[group], member, group))
            seen[group] += 1
        ranked.sort(key=lambda entry: entry[:2])
        self.kept = [(member, group) for _, member, group in ranked[: self.keep]]

    @property
    def members(self) -> list[int]:
        """Those that are kept: the first of each group, then the second of each, …"""
        return [member for member, _ in self.kept]
