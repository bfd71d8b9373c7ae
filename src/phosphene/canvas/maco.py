"""Magnitude-constrained optimisation: the spectrum is that of real pictures, the phase is free."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.canvas.description import Description
from phosphene.canvas.spectrum import Spectrum
from phosphene.canvas.squash import to_logits, to_pictures
from phosphene.errors import InputError


class MacoCanvas:
    """`squash(level + basis irfft2(magnitude * exp(i phase)))`.

    The logits of every picture have exactly the magnitudes of the spectrum, except at frequency
    zero, where a real wave has no phase: there `magnitude * cos(phase)` lets the mean of the
    picture vary around that of the data by as much as the data's own pictures do.
    """

    def __init__(
        self, pictures: Float[Tensor, "b c h w"], spectrum: Spectrum, learning_rate: float
    ) -> None:
        self.learning_rate = learning_rate
        self.spectrum = spectrum
        self.magnitude = spectrum.half
        waves = spectrum.waves(to_logits(pictures))
        phase = waves.angle()
        mean = waves[..., 0, 0].real / self.magnitude[:, 0, 0].clamp_min(1e-12)
        phase[..., 0, 0] = mean.clamp(-0.99, 0.99).acos()  # at 1 the gradient would vanish
        self.given = phase.clone()
        self.phase = phase.requires_grad_()
        self.mirrored, self.signed = _symmetry(spectrum.size, self.phase.device)

    @property
    def parameters(self) -> Sequence[Tensor]:
        """The phases, `b c h wf`, in radians."""
        return (self.phase,)

    def __call__(self) -> Float[Tensor, "b c h w"]:
        """The pictures, in [0, 1]."""
        return to_pictures(self.logits())

    def logits(self) -> Float[Tensor, "b c h w"]:
        """The logits of the pictures, whose magnitudes are those of the spectrum."""
        opposite = -self.phase.flip(-2).roll(1, -2)  # of the frequency (-y, x)
        phase = torch.where(self.mirrored, opposite, self.phase)
        phase = torch.where(self.signed, self.given, phase)
        waves = torch.polar(self.magnitude.expand_as(phase), phase)
        return self.spectrum.logits(waves)

    def project_(self) -> None:
        """Nothing to do: any phase makes a picture."""


def _symmetry(
    size: tuple[int, int], device: torch.device
) -> tuple[Bool[Tensor, "h wf"], Bool[Tensor, "h wf"]]:
    """Which coefficients of `rfft2` repeat another one (conjugated), and which are only a sign.

    A column that is its own mirror image, the first and for even widths the last, holds both y
    and -y: unless their phases are opposite, the magnitude of their sum is not what was asked.
    Those that are their own mirror image are real; all but frequency zero keep their sign.
    """
    height, width = size
    y = torch.arange(height, device=device)[:, None]
    x = torch.arange(width // 2 + 1, device=device)
    own_mirror = (x == 0) | (2 * x == width)
    signed = own_mirror & ((y == 0) | (2 * y == height)) & (x + y > 0)
    return own_mirror & (2 * y > height), signed


@dataclass(frozen=True, kw_only=True)
class Maco(Description):
    """Optimise the phase alone, which keeps pictures among those with the data's spectrum.

    *Source:* Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude
    Constrained Optimization", NeurIPS 2023 (arXiv 2306.06805). There the magnitude is the mean
    over ImageNet, of pixels; here it is the root mean square over the data at hand, of logits, so
    that variance is kept and pen strokes stay white on black.
    """

    kind: ClassVar[str] = "maco"
    learning_rate: float = 0.2

    def __post_init__(self) -> None:
        """Refuse a flat start."""
        super().__post_init__()
        if self.start != "noise":
            raise InputError(
                f"a {self.start} picture has no phase for MACO to start from; "
                'use start="noise" or give pictures'
            )

    def hold(self, pictures: Float[Tensor, "b c h w"], spectrum: Spectrum) -> MacoCanvas:
        """Pictures with the phase of the given ones and the magnitude of the spectrum."""
        return MacoCanvas(pictures, spectrum, self.learning_rate)
