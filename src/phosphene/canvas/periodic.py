"""A picture's Fourier waves without the jump at its borders.

A discrete Fourier transform takes a picture for a tile of an endless floor. Where the left border
does not meet the right one there is an edge that nobody photographed; it spreads over all
horizontal frequencies, and pictures drawn by such a spectrum are woven like cloth.
"""

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor


def periodic_waves(pictures: Float[Tensor, "*b h w"]) -> Complex[Tensor, "*b h w"]:
    """`fft2` (orthonormal) of the periodic component of each picture u.

    u = p + s, where the smooth component s solves the Poisson equation for the jumps across the
    borders and has no mean: `s^ = v^ / (2 cos(2 pi y / h) + 2 cos(2 pi x / w) - 4)`, with the
    jumps v. What already meets itself across the borders has s = 0.

    *Source:* Moisan, "Periodic plus Smooth Image Decomposition", J. Math. Imaging Vision 2011.

    >>> stripes = torch.tensor([0.0, 1.0, 0.0, 1.0]).expand(4, 4)
    >>> torch.allclose(periodic_waves(stripes.T)[0].abs(), torch.tensor([2.0, 0.0, 0.0, 0.0]))
    True
    """
    height, width = pictures.shape[-2:]
    jumps = torch.zeros_like(pictures)
    down = pictures[..., -1, :] - pictures[..., 0, :]
    jumps[..., 0, :] += down
    jumps[..., -1, :] -= down
    across = pictures[..., -1] - pictures[..., 0]
    jumps[..., 0] += across
    jumps[..., -1] -= across
    curvature = _second_difference(height, pictures)[:, None] + _second_difference(width, pictures)
    curvature[0, 0] = 1  # the mean stays with the periodic component
    smooth = torch.fft.fft2(jumps, norm="ortho") / curvature
    smooth[..., 0, 0] = 0
    waves: Tensor = torch.fft.fft2(pictures, norm="ortho") - smooth
    return waves


def _second_difference(side: int, like: Tensor) -> Float[Tensor, "side"]:
    """What a second difference along an axis does to each of its waves."""
    angles = 2 * math.pi * torch.arange(side, dtype=like.dtype, device=like.device) / side
    return 2 * angles.cos() - 2
