"""What a piece of work costs: time, room on the disk, memory."""

from dataclasses import dataclass
from math import expm1, log1p


@dataclass(frozen=True)
class Cost:
    """Seconds of one worker, bytes that an atlas grows by, and bytes of memory meanwhile.

    Pieces follow one another: their times and sizes add up, and of their memory the most counts.

    >>> Cost(2.0, 100, 10) + Cost(1.0, 50, 30)
    Cost(seconds=3.0, size=150, memory=30)
    """

    seconds: float = 0.0
    size: float = 0
    memory: float = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.seconds + other.seconds,
            self.size + other.size,
            max(self.memory, other.memory),
        )

    def __sub__(self, other: "Cost") -> "Cost":
        """What is more in this than in the other; nothing costs less than nothing."""
        return Cost(
            max(0.0, self.seconds - other.seconds),
            max(0, self.size - other.size),
            self.memory,
        )

    def times(self, count: float) -> "Cost":
        """So many of them, one after another."""
        return Cost(self.seconds * count, self.size * count, self.memory)


def distinct(picked: float, count: int) -> float:
    """How many of `count` things are among `picked` ones, had they been picked at random.

    >>> round(distinct(9, 1000), 2), round(distinct(10**6, 1000))
    (8.96, 1000)
    """
    return count * -expm1(picked * log1p(-1 / count)) if count > 1 else count
