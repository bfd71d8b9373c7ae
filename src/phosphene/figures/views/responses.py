"""A unit's responses as charts show them: which of them fire, which classes are strongest."""

import math
from collections.abc import Sequence

from phosphene.atlas import UnitRecord


def fired(record: UnitRecord) -> int:
    """How many images the unit fires on."""
    return round(record.firing_rate * sum(record.histogram_counts))


def firing_counts(counts: Sequence[int], firing: int) -> list[int]:
    """How many of each bar's responses are among the `firing` largest.

    The bar that contains zero may hold responses of both kinds.

    >>> firing_counts([5, 20, 3, 2], 6)
    [0, 1, 3, 2]
    """
    taken = []
    for count in reversed(counts):
        taken.append(min(count, firing))
        firing -= taken[-1]
    return taken[::-1]


def strongest_classes(means: Sequence[float | None], most: int) -> list[tuple[int, float]]:
    """Classes with their mean response: all of them in order, or the `most` strongest.

    >>> strongest_classes([1.0, None, 3.0], 5), strongest_classes([1.0, 2.0, 3.0], 2)
    ([(0, 1.0), (2, 3.0)], [(2, 3.0), (1, 2.0)])
    """
    seen = [(i, mean) for i, mean in enumerate(means) if mean is not None and math.isfinite(mean)]
    if len(means) > most:
        seen.sort(key=lambda pair: -pair[1])
    return seen[:most]
