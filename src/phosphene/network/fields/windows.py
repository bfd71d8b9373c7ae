"""Small pictures to draw units on: of one neuron's field, or of some fields side by side."""

from dataclasses import dataclass

import torch

from phosphene.network.discovery.layers import Layer
from phosphene.network.feed import ANY, Feed
from phosphene.network.fields.poison import COLUMNS, ROWS, Poison
from phosphene.network.fields.receptive import ReceptiveField, on_cpu
from phosphene.network.freezing import frozen, steady

_MOST_SLACK = 33  # the stride of most networks' deepest layer, and one
SMALLEST_WINDOW = 64  # pixels


@dataclass(frozen=True)
class Patch:
    """A small input on which one position of a layer sees the whole of its receptive field.

    `size` is the input's, (y, x) the position as `Neuron` has it (0, token for tokens), `box`
    (top, left, bottom, right) what it sees.
    """

    size: tuple[int, int]
    y: int
    x: int
    box: tuple[int, int, int, int]


def smallest_patch(
    module: torch.nn.Module,
    layer: Layer,
    channels: int,
    field: ReceptiveField,
    feed: Feed = ANY,
) -> Patch:
    """The smallest input, up to a stride's slack, whose centre position sees an uncut field.

    Where there is none that is much smaller than the network's own input, or the layer takes no
    other size, it is that input with the position in the middle of the layer.
    """
    module = on_cpu(module)
    height, width = field.size
    largest = (field.picture[0] * field.picture[1]) // 2
    for slack in range(_MOST_SLACK):
        size = (height + slack, width + slack)
        if field.whole or field.bound or size[0] * size[1] > largest:
            break
        with frozen(module), steady(module), torch.no_grad():
            poison = Poison(module, [layer], (channels, *size), feed)
            rows = poison.extents(ROWS).get(layer.name)
            columns = poison.extents(COLUMNS).get(layer.name)
        if rows is None or columns is None:
            break
        y, x = len(rows) // 2, len(columns) // 2
        (top, bottom), (left, right) = rows[y], columns[x]
        if bottom - top + 1 == height and right - left + 1 == width:
            return Patch(size, y if layer.spatial else 0, x, (top, left, bottom + 1, right + 1))
    y, x = len(field.rows) // 2, len(field.columns) // 2
    (top, bottom), (left, right) = field.rows[y], field.columns[x]
    return Patch(field.picture, y if layer.spatial else 0, x, (top, left, bottom + 1, right + 1))


def window_for(own: tuple[int, int], field: ReceptiveField) -> tuple[int, int]:
    """Three fields wide, but not below `SMALLEST_WINDOW` and not beyond a network's `own` input."""
    sides = zip(own, field.size, strict=True)
    height, width = (min(whole, quick(max(SMALLEST_WINDOW, 3 * size))) for whole, size in sides)
    return height, width


def quick(side: int) -> int:
    """The least even number from `side` on without a prime factor above 7.

    The Fourier transform of other sides takes up to ten times as long.

    >>> quick(64), quick(69), quick(141)
    (64, 70, 144)
    """
    while side % 2 or _rough(side) > 1:
        side += 1
    return side


def _rough(number: int) -> int:
    """What is left of a number without its factors 2, 3, 5 and 7."""
    for prime in (2, 3, 5, 7):
        while number % prime == 0:
            number //= prime
    return number
