"""How strongly each spatial frequency is present in real pictures."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from phosphene.canvas.color import ColorBasis
from phosphene.canvas.periodic import periodic_waves
from phosphene.canvas.squash import to_logits
from phosphene.errors import ChannelError, DataError, InputError, SizeError
from phosphene.words import plural

# Of the logits of photographs: measured on 250 from ImageNet (deviation 1.31 to 1.38; correlation
# 0.94 and 0.93 between adjacent channels, 0.85 between red and blue).
_DEVIATION, _CORRELATION = 1.35, 0.93

_CHANCE = 6.0
"""How often the mean's power must exceed a ghost's; chance alone does it for 2 in 1,000 waves."""

_NOTHING = 1e-12
"""Variance of logits that is rounding: a grey level in one pixel of a thousand pictures is more."""

_AT_ONCE = 16
"""Pictures transformed together; 16 of 3 x 224 x 224 take 40 MB in double precision."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The root-mean-square Fourier magnitude of pictures, and what leads back to pictures.

    Everything is measured on the logits of the pictures (see `squash`), which have no bounds to
    run into, along the decorrelated colour axes of `basis`, as differences from `level`, the
    pictures' mean. Where things are centred in the data, the level says where they are; a
    spectrum alone knows what strokes look like and not where.

    `magnitude[k, y, x]` belongs to colour axis k and the frequency `fftfreq(h)[y], fftfreq(w)[x]`
    of the orthonormal transform, so the mean of its square is the variance of a pixel around the
    level. The entry at frequency zero says how much the mean of one picture varies. Its shape is
    that of the pictures' periodic components (see `periodic_waves`), so that borders that do not
    meet are no edge.

    >>> Spectrum.natural(3, (32, 48)).resized((5, 5)).magnitude.shape
    torch.Size([3, 5, 5])
    """

    magnitude: Float[Tensor, "c h w"]
    level: Float[Tensor, "c h w"]
    basis: ColorBasis

    @classmethod
    def measure(
        cls, pictures: Float[Tensor, "_ _ _ _"] | Iterable[Float[Tensor, "_ _ _ _"]]
    ) -> "Spectrum":
        """Measure batches `b c h w` of one size, in one pass and in memory for a few pictures.

        Raises `DataError` when there are no pictures or nothing varies in them, `SizeError` when
        sizes differ, and `InputError` for what is no batch of pictures.
        """
        sums: _Sums | None = None
        for batch in in_batches(pictures):
            for few in batch.split(_AT_ONCE):
                sums = _Sums.of(few) if sums is None else sums + _Sums.of(few)
        if sums is None or sums.count == 0:
            raise DataError("no pictures to measure a spectrum of; give at least one")
        return sums.spectrum()

    @classmethod
    def natural(cls, channels: int, size: tuple[int, int]) -> "Spectrum":
        """The 1/f of photographs, around mid-grey, without any data.

        Neighbouring channels are taken to be correlated as they are in photographs, which for
        three channels gives the axes brightness, red-blue and green-magenta.

        *Source:* Field, "Relations between the statistics of natural images and the response
        properties of cortical cells", J. Opt. Soc. Am. A 1987.
        """
        order = torch.arange(channels)
        covariance = _DEVIATION**2 * _CORRELATION ** (order[:, None] - order).abs()
        basis = ColorBasis.of_covariance(covariance)
        variance = (basis.axes * (covariance @ basis.axes)).sum(dim=0)
        y, x = (torch.fft.fftfreq(side) for side in size)
        shape = 1 / torch.hypot(y[:, None], x).clamp_min(1 / max(size))
        shape = shape / shape.square().mean().sqrt()
        return cls(variance.sqrt()[:, None, None] * shape, torch.zeros(channels, *size), basis)

    @property
    def channels(self) -> int:
        """How many channels the pictures have."""
        return len(self.level)

    @property
    def size(self) -> tuple[int, int]:
        """`(h, w)` of the pictures."""
        return (self.magnitude.shape[1], self.magnitude.shape[2])

    @property
    def half(self) -> Float[Tensor, "c h wf"]:
        """The columns of `magnitude` that `torch.fft.rfft2` keeps, `wf = w // 2 + 1`."""
        return self.magnitude[..., : self.size[1] // 2 + 1]

    @property
    def centred(self) -> float:
        """How much of the variance of a pixel is that of the mean picture, from 0 to 1.

        Near one half where things have their places, as in sets of handwritten digits; near zero
        where they may be anywhere, as in photographs.
        """
        level = self.level.double()
        mean = (level - level.mean(dim=(1, 2), keepdim=True)).square().sum(dim=0).mean()
        around = self.magnitude.double().square().sum(dim=0).mean()
        return float(mean / (mean + around).clamp_min(1e-30))

    def resized(self, size: tuple[int, int]) -> "Spectrum":
        """The spectrum of windows of `size` cut from these pictures, at the same pixel scale.

        A smaller window sees the power of the whole through the Fejér kernel,
        `P'(k') = 1 / (h h') sum_k |sum_{n < h'} exp(2 pi i n (k/h - k'/h'))|^2 P(k)` along each
        axis: this is exactly the expected power of all windows, and what is too slow for the
        window goes to its mean. For a larger one the power is interpolated between frequencies.
        A window may lie anywhere, so its level is flat and what the level was counts as power.
        Either way the variance of a pixel is kept.
        """
        rows, columns = (_window(*sides) for sides in zip(self.size, size, strict=True))
        flat = self.level.mean(dim=(1, 2), keepdim=True)
        uneven = self.basis.decorrelate((self.level - flat)[None])[0].double()
        power = (
            self.magnitude.double().square() + torch.fft.fft2(uneven, norm="ortho").abs().square()
        )
        power = rows @ power @ columns.T
        return Spectrum(power.sqrt().float(), flat.expand(-1, *size), self.basis)

    def fitted(self, shape: tuple[int, int, int]) -> "Spectrum":
        """For a canvas of `(c, h, w)`; raises `ChannelError` when the channels differ."""
        channels, height, width = shape
        if channels != self.channels:
            raise ChannelError(
                f"a spectrum of {self.channels} channels cannot shape a canvas of {channels}; "
                "measure it on pictures prepared as the network takes them"
            )
        return self if self.size == (height, width) else self.resized((height, width))

    def logits(self, waves: Complex[Tensor, "b c h wf"]) -> Float[Tensor, "b c h w"]:
        """The logits of pictures from complex `rfft2` coefficients along the colour axes."""
        independent = torch.fft.irfft2(waves, s=self.size, norm="ortho")
        return self.basis.correlate(independent) + self.level

    def waves(self, logits: Float[Tensor, "b c h w"]) -> Complex[Tensor, "b c h wf"]:
        """The inverse of `logits`."""
        independent = self.basis.decorrelate(logits - self.level)
        waves: Tensor = torch.fft.rfft2(independent, norm="ortho")
        return waves

    def to(self, device: torch.device | str) -> "Spectrum":
        """The same spectrum on another device."""
        return Spectrum(self.magnitude.to(device), self.level.to(device), self.basis.to(device))

    def arrays(self) -> dict[str, Float[np.ndarray, "..."]]:
        """Everything as float32 arrays, for storing."""
        tensors = {"magnitude": self.magnitude, "level": self.level, "axes": self.basis.axes}
        return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Float[np.ndarray, "..."]]) -> "Spectrum":
        """The inverse of `arrays`."""
        magnitude, level, axes = (
            torch.from_numpy(np.array(arrays[name], dtype=np.float32))
            for name in ("magnitude", "level", "axes")
        )
        return cls(magnitude, level, ColorBasis(axes))

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that differ when anything in the spectrum does."""
        digest = hashlib.blake2b(digest_size=8)
        for name, array in self.arrays().items():
            digest.update(f"{name} {array.shape} ".encode() + array.tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spectrum) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


def in_batches(pictures: object) -> Iterator[Float[Tensor, "_ _ _ _"]]:
    """Batches `b c h w`, of which one may be given as it is; raises `InputError` for others."""
    given = [pictures] if isinstance(pictures, Tensor) else pictures
    for batch in given if isinstance(given, Iterable) else [given]:
        if not isinstance(batch, Tensor) or batch.ndim != 4:
            kind = "x".join(map(str, batch.shape)) if isinstance(batch, Tensor) else ""
            raise InputError(
                f"{kind or type(batch).__name__} was given where batches of pictures b c h w are "
                "expected; give such a tensor, or several. Of a dataset that is: "
                "(batch.pictures for batch in phosphene.data.batches(dataset))"
            )
        yield batch


@dataclass(frozen=True)
class _Sums:
    """Sums over pictures from which level, colour axes and magnitudes all follow.

    `total` and `power` are of the pictures themselves, `cross` is `P_i conj(P_j)` of their
    periodic components, which give the power along any colour axes, so one pass is enough.
    """

    count: int
    total: Complex[Tensor, "c h w"]
    power: Float[Tensor, "c h w"]
    covariance: Float[Tensor, "c c"]
    cross: Float[Tensor, "c c h w"]

    @classmethod
    def of(cls, pictures: Float[Tensor, "b c h w"]) -> "_Sums":
        logits = to_logits(pictures.cpu().double())
        waves, periodic = torch.fft.fft2(logits, norm="ortho"), periodic_waves(logits)
        pixels = logits.movedim(1, 0).flatten(1)
        return cls(
            len(pictures),
            waves.sum(dim=0),
            waves.abs().square().sum(dim=0),
            pixels @ pixels.T / logits[0, 0].numel(),
            torch.einsum("bihw,bjhw->ijhw", periodic, periodic.conj()).real,
        )

    def __add__(self, other: "_Sums") -> "_Sums":
        if self.cross.shape != other.cross.shape:
            shapes = [tuple(sums.cross.shape[1:]) for sums in (self, other)]
            raise SizeError(
                f"pictures of shape {shapes[1]} came after pictures of shape {shapes[0]}; "
                "a spectrum needs one shape. Resize or crop them first"
            )
        return _Sums(
            self.count + other.count,
            self.total + other.total,
            self.power + other.power,
            self.covariance + other.covariance,
            self.cross + other.cross,
        )

    def spectrum(self) -> Spectrum:
        mean = torch.fft.ifft2(self.total / self.count, norm="ortho").real
        level = self._level()
        between = mean.flatten(1), (mean - level).flatten(1)
        covariance = (
            self.covariance / self.count
            + (between[1] @ between[1].T - between[0] @ between[0].T) / mean[0].numel()
        )
        basis = ColorBasis.of_covariance(covariance)
        axes = basis.axes.double()
        cross = self.cross / self.count - _crossed(mean) + _crossed(mean - level)
        power = torch.einsum("ijhw,ik,jk->khw", cross, axes, axes).clamp_min(0)
        # What was in the jumps across the borders belongs to the pictures, if not to those waves.
        variance = (axes * (covariance @ axes)).sum(dim=0).clamp_min(0)
        if variance.sum() < _NOTHING:
            height, width = mean.shape[1:]
            raise DataError(
                f"{plural(self.count, 'picture')} of {height} x {width} hold nothing that varies: "
                "all are the same, or of one colour, and a spectrum of them has no wave. "
                "See whether they were read right, give pictures that differ, or take "
                f"Spectrum.natural({len(mean)}, ({height}, {width}))"
            )
        power *= (variance / power.mean(dim=(1, 2)).clamp_min(1e-30))[:, None, None]
        return Spectrum(power.sqrt().float(), level.float(), basis)

    def _level(self) -> Float[Tensor, "c h w"]:
        """The mean picture, as far as its waves are more than chance.

        The mean of n pictures that have nothing in common still shows a faint ghost of each, of
        power P / n at a frequency of power P. What does not stand well above that is dropped, so
        that a few photographs give a flat level and not their superposition.
        """
        mean = self.total / self.count
        power = mean.abs().square()
        ghost = (self.power / self.count - power).clamp_min(0) / max(1, self.count - 1)
        # All channels of a wave or none: then level and remainder are orthogonal in any colours.
        kept = (power.sum(dim=0) > _CHANCE * ghost.sum(dim=0)) & (self.count > 1)
        kept[0, 0] = True
        level: Tensor = torch.fft.ifft2(mean * kept, norm="ortho").real
        return level


def _crossed(picture: Float[Tensor, "c h w"]) -> Float[Tensor, "c c h w"]:
    waves = periodic_waves(picture)
    return torch.einsum("ihw,jhw->ijhw", waves, waves.conj()).real


def _window(whole: int, window: int) -> Float[Tensor, "window whole"]:
    """What each frequency of a whole axis adds to the power at those of a window on it."""
    there = torch.arange(whole, dtype=torch.float64) / whole
    here = torch.arange(window, dtype=torch.float64) / window
    apart = there - here[:, None]
    apart -= apart.round()
    if window > whole:  # a hat function; lags longer than the whole were never seen
        hat = (1 - whole * apart.abs()).clamp_min(0)
        return hat / hat.sum(dim=0) * (window / whole)
    return (torch.sinc(window * apart) / torch.sinc(apart)).square() * (window / whole)
