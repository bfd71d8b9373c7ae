"""Properties of the picture itself: subtract them from what is maximised."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from phosphene.network.recorded import Recording
from phosphene.objectives.algebra import Term


class Penalty(Term):
    """A term that looks at the pictures and at no layer."""

    @property
    def layers(self) -> frozenset[str]:
        """None."""
        return frozenset()


@dataclass(frozen=True)
class TotalVariation(Penalty):
    """How much neighbouring pixels differ.

    score = mean |p[y+1, x] - p[y, x]| + mean |p[y, x+1] - p[y, x]| (anisotropic).

    *Source:* Mahendran & Vedaldi 2014, arXiv 1412.0035, sec. 3, with exponent β = 1.
    """

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """Mean absolute difference of neighbours, per image."""
        p = recording.pictures
        down = p.diff(dim=2).abs().flatten(1)
        across = p.diff(dim=3).abs().flatten(1)
        # A picture one pixel high has no vertical neighbours, and no variation along them.
        return down.sum(1) / max(1, down.shape[1]) + across.sum(1) / max(1, across.shape[1])


@dataclass(frozen=True)
class L1(Penalty):
    """Mean absolute distance of the pixels from a level: mean |p - level|."""

    level: float = 0.0

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """Mean absolute distance, per image."""
        return (recording.pictures - self.level).abs().mean((1, 2, 3))


@dataclass(frozen=True)
class L2(Penalty):
    """Mean squared distance of the pixels from a level: mean (p - level)²."""

    level: float = 0.0

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """Mean squared distance, per image."""
        return (recording.pictures - self.level).square().mean((1, 2, 3))
