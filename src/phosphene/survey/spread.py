"""The first few of a stream, spread over its groups."""

from collections import Counter
from collections.abc import Hashable, Iterable


class Spread:
    """Keeps the first member of each group, then the second of each, …, `keep` in all.

    Of members that are equally far down their groups those that came first are kept. Memory
    depends on `keep` and on how many groups there are, not on the length of the stream.

    >>> spread = Spread(4)
    >>> spread.add("aaabbc", range(6))
    >>> spread.members
    [0, 3, 5, 1]
    """

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self._seen: Counter[Hashable] = Counter()
        self._kept: list[tuple[int, int]] = []

    def add(self, groups: Iterable[Hashable], members: Iterable[int]) -> None:
        """Take in more of the stream: members in rising order, and the group of each."""
        for group, member in zip(groups, members, strict=True):
            if self._seen[group] < self.keep:  # a later one has `keep` before it
                self._kept.append((self._seen[group], member))
                self._seen[group] += 1
        self._kept = sorted(self._kept)[: self.keep]

    @property
    def members(self) -> list[int]:
        """Those that are kept: the first of each group, then the second of each, …"""
        return [member for _, member in self._kept]
