"""Which places of a picture an ascent was about, as the picture's transparency."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.maximize.loop import Step

PERCENTILE = 0.8
GRAINS = 56
"""Single pixels say little: a large picture is seen in cells, at most so many along a side."""


def traced(
    steps: Iterable[Step],
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b h w"]]:
    """The pictures at the end of an ascent, and how much it asked of each of their places.

    A = Σ |∂ score / ∂ picture| over the steps in which a picture changed, meaned over channels.
    """
    asked: Tensor | None = None
    for step in steps:
        now = step.gradient.abs().mean(1)
        now[step.stopped] = 0
        asked = now if asked is None else asked + now
        pictures = step.pictures
    assert asked is not None, "an ascent shows at least its start"
    return pictures, asked


def opacity(asked: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """How opaque each place is, from 0 where nothing was asked to 1: alpha = min(A / q, 1).

    A is the mean over a cell, and q its 80th percentile among the cells that were asked for
    anything. A picture that was asked for nothing is opaque.

    *Source:* Fel et al. 2023 (arXiv 2306.06805), on transparency. There A is of single pixels, and
    q the percentile of all, which is zero for a unit that looks at a small part of the picture.

    >>> opacity(torch.tensor([[[0.0, 1.0, 2.0, 2.0]], [[0.0, 0.0, 0.0, 0.0]]])).tolist()
    [[[0.0, 0.5, 1.0, 1.0]], [[1.0, 1.0, 1.0, 1.0]]]
    """
    cells = coarse(asked)
    shares = torch.stack([_share(one) for one in cells])
    if shares.shape == asked.shape:
        return shares
    size = (asked.shape[-2], asked.shape[-1])
    return torch.nn.functional.interpolate(shares[:, None], size, mode="bilinear")[:, 0]


def coarse(values: Float[Tensor, "b h w"]) -> Float[Tensor, "b h2 w2"]:
    """The means over cells, so large that there are at most `GRAINS` along a side.

    >>> coarse(torch.rand(1, 224, 112)).shape, coarse(torch.rand(1, 28, 28)).shape
    (torch.Size([1, 56, 28]), torch.Size([1, 28, 28]))
    """
    height, width = values.shape[-2:]
    side = -(-max(height, width) // GRAINS)
    if side == 1:
        return values
    return torch.nn.functional.adaptive_avg_pool2d(values, (-(-height // side), -(-width // side)))


def _share(asked: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    some = asked[asked > 0]
    if not len(some):
        return torch.ones_like(asked)
    return (asked / torch.quantile(some, PERCENTILE)).clamp_max(1)
