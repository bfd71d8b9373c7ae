"""Cut receptive fields out of pictures and maps."""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.network import Layer, ReceptiveField
from phosphene.units import Box

OUTSIDE = 0.93
"""How light it is beyond a picture's border."""


def seen_from(layer: Layer, field: ReceptiveField, place: int) -> Box:
    """The box of pixels that position number `place` of `layer` sees."""
    if layer.spatial:
        return field.box(*layer.at(place))
    return field.box(place, place) if len(field.rows) > 1 else field.box(0, 0)


def crop(
    pictures: Float[Tensor, "b c h w"], boxes: Sequence[Box], outside: float = 0.0
) -> list[Float[Tensor, "c bh bw"]]:
    """The box of each picture; `outside` fills what lies beyond the border."""
    height, width = pictures.shape[2:]
    cut = []
    for picture, (top, left, bottom, right) in zip(pictures, boxes, strict=True):
        inside = picture[:, max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
        beyond = (max(0, -left), max(0, right - width), max(0, -top), max(0, bottom - height))
        cut.append(F.pad(inside, beyond, value=outside))
    return cut
