"""Histograms of numbers whose range is not known beforehand."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.survey.accumulator import Accumulator

_HALF = 32  # bins on either side of zero
_FINEST = -40  # bins of 2^-40: what is smaller counts as zero


class Bins(NamedTuple):
    """Counts in consecutive bins of equal `width`, the first of which starts at `low`."""

    counts: tuple[int, ...]
    low: float
    width: float


class Histograms(Accumulator):
    """One histogram per unit, in memory that does not grow.

    Bin edges are multiples of a power of two, so zero always is an edge. When a value falls
    outside, a unit's bins are merged in pairs; the outcome depends on the values alone, not on
    their order or on the batches they came in.
    """

    gathered = ("counts", "exponents")

    def __init__(self, units: int) -> None:
        self.counts = torch.zeros(units, 2 * _HALF, dtype=torch.long)
        self.exponents = torch.full((units,), _FINEST, dtype=torch.long)

    @property
    def asked(self) -> dict[str, int]:
        """Of how many units."""
        return {"units": len(self.counts)}

    def add(self, values: Float[Tensor, "b units"]) -> None:
        """Count a batch of values."""
        if len(values) == 0:
            return
        values = values.double().cpu()
        # frexp: v = m · 2^e with m < 1, so v < 2^e = 32 bins of width 2^(e - 5).
        largest = values.abs().amax(0)
        needed = torch.frexp(largest).exponent.long() - (_HALF.bit_length() - 1)
        needed = torch.where(largest > 0, needed, _FINEST)  # zeros fit into bins of any width
        self._widen(needed)
        bins = (values.T / torch.exp2(self.exponents.double())[:, None]).floor().long()
        bins = bins.clamp(-_HALF, _HALF - 1) + _HALF
        self.counts.scatter_add_(1, bins, torch.ones_like(bins))

    def _join(self, other: Any) -> None:
        self._widen(other.exponents)
        self.counts += _pairs_joined(other.counts, self.exponents - other.exponents)

    def _widen(self, needed: Int[Tensor, "units"]) -> None:
        exponents = torch.maximum(self.exponents, needed)
        self.counts = _pairs_joined(self.counts, exponents - self.exponents)
        self.exponents = exponents

    def bins(self, unit: int) -> Bins:
        """The histogram of one unit, without the empty bins at its ends.

        Of nothing but zeros it is the one bin [0, 1).
        """
        width = 2.0 ** int(self.exponents[unit])
        filled = self.counts[unit].nonzero().flatten()
        if len(filled) == 0:
            return Bins((), 0.0, width)
        first, last = int(filled[0]), int(filled[-1])
        if first == last == _HALF:  # anything larger would have widened the bins and left this one
            width = 1.0
        counts = tuple(self.counts[unit, first : last + 1].tolist())
        return Bins(counts, (first - _HALF) * width, width)


def _pairs_joined(
    counts: Int[Tensor, "units bins"], times: Int[Tensor, "units"]
) -> Int[Tensor, "units bins"]:
    """Histograms whose bins are twice as wide, so many times over for each unit."""
    bins = torch.arange(-_HALF, _HALF).expand_as(counts) >> times.clamp_max(62)[:, None]
    return torch.zeros_like(counts).scatter_add_(1, bins + _HALF, counts)
