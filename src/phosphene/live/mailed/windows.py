"""Where the windows of a pooling lie along one axis."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Windows:
    """Windows along an axis: from where to where each is, and the length that its mean counts."""

    spans: tuple[tuple[int, int], ...]
    lengths: tuple[int, ...]


def sliding(extent: int, count: int, kernel: int, stride: int, padding: int) -> Windows:
    """Windows of one size, `count` of them; borders count as far as the padding reaches.

    >>> sliding(5, 3, 2, 2, 0)
    Windows(spans=((0, 2), (2, 4), (4, 5)), lengths=(2, 2, 1))
    """
    starts = [number * stride - padding for number in range(count)]
    ends = [min(start + kernel, extent + padding) for start in starts]
    spans = tuple((max(a, 0), min(b, extent)) for a, b in zip(starts, ends, strict=True))
    return Windows(spans, tuple(b - a for a, b in zip(starts, ends, strict=True)))


def even(extent: int, count: int) -> Windows:
    """Windows that share an axis as evenly as whole numbers let them.

    >>> even(5, 2).spans
    ((0, 3), (2, 5))
    """
    spans = tuple((i * extent // count, -(-(i + 1) * extent // count)) for i in range(count))
    return Windows(spans, tuple(b - a for a, b in spans))
