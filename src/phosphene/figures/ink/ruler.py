"""What the colours of signed pictures stand for: their common range, and a bar that tells it."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phosphene.figures.ink.layout import SMALL
from phosphene.figures.ink.palette import on_paper, signed_to_rgba
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.words import signed


def magnitude(pictures: Float[Tensor, "..."]) -> float:
    """The largest magnitude in all of `pictures`, the limit of their common range."""
    return float(pictures.abs().max()) if pictures.numel() else 0.0


def ruler(paper: Paper, limit: float, words: str, channels: int = 1) -> None:
    """A colour bar from -limit to limit as signed pictures of that many channels are coloured."""
    ramp = np.linspace(-1.0, 1.0, 201)[None]
    shown = np.stack([ramp] * 3) if channels == 3 else ramp
    axes = paper.chart(MARGIN + 0.15, paper.top, 2.2, 0.12)
    axes.imshow(on_paper(signed_to_rgba(shown, 1.0)), extent=(-1, 1, 0, 1), aspect="auto")
    axes.set_yticks([])
    axes.set_xticks([-1, 0, 1], [signed(-limit), "0", signed(limit)])
    left = MARGIN + 0.15 + 2.2 + 0.35
    written = paper.write(words, left, paper.top - 0.02, size=SMALL, color=SOFT)
    paper.top += max(0.4, written + 0.1)
