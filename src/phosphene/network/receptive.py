"""Receptive fields by poisoning: which input pixels can change which output.

One column of the input is set to NaN; whatever turns NaN depends on it. This is exact for any
architecture, and one pass measures every layer. Where a field is cut by the picture's border at
every position, its full size is sought on a picture of twice the size, if the network takes one.
"""

import copy
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import torch
from jaxtyping import Bool
from torch import Tensor

from phosphene.errors import NetworkError
from phosphene.network.frozen import frozen
from phosphene.network.layers import Layer
from phosphene.network.tap import tap

Extent = tuple[int, int]
"""First and last input row (or column) that an output position depends on, both included."""


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a layer's units.

    `size` is (height, width) in input pixels. `rows[y]` and `columns[x]` are the extents seen by
    output position (y, x), cut at the picture's border; a layer without positions has one of
    each, a layer of tokens one per token. `whole` says that every position sees the whole picture;
    where the field has no size of its own (attention, global pooling, dense layers), `size` is
    then the picture's.
    """

    size: tuple[int, int]
    rows: tuple[Extent, ...]
    columns: tuple[Extent, ...]
    picture: tuple[int, int]
    whole: bool

    def box(self, y: int, x: int) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) seen from output position (y, x), bottom and right excluded.

        All boxes of a layer have one size, the field's or the picture's where that is smaller, so
        at the border they may reach outside the picture.
        """
        top, bottom = _uncut(self.rows[y], self.size[0], self.picture[0])
        left, right = _uncut(self.columns[x], self.size[1], self.picture[1])
        return top, left, bottom, right


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
    module: torch.nn.Module, layer: Layer, channels: int, field: ReceptiveField
) -> Patch:
    """The smallest input, up to a stride's slack, whose centre position sees an uncut field.

    Where there is none that is much smaller than the network's own input, or the layer takes no
    other size, it is that input with the position in the middle of the layer.
    """
    module = _on_cpu(module)
    height, width = field.size
    largest = (field.picture[0] * field.picture[1]) // 2
    for slack in range(_MOST_SLACK):
        size = (height + slack, width + slack)
        if field.whole or size[0] * size[1] > largest:
            break
        with frozen(module), torch.no_grad():
            rows = _extents(module, [layer.name], (channels, *size), axis=2).get(layer.name)
            columns = _extents(module, [layer.name], (channels, *size), axis=3).get(layer.name)
        if rows is None or columns is None:
            break
        y, x = len(rows) // 2, len(columns) // 2
        (top, bottom), (left, right) = rows[y], columns[x]
        if bottom - top + 1 == height and right - left + 1 == width:
            return Patch(size, y if layer.spatial else 0, x, (top, left, bottom + 1, right + 1))
    y, x = len(field.rows) // 2, len(field.columns) // 2
    (top, bottom), (left, right) = field.rows[y], field.columns[x]
    return Patch(field.picture, y if layer.spatial else 0, x, (top, left, bottom + 1, right + 1))


_MOST_SLACK = 33  # the stride of most networks' deepest layer, and one


def receptive_fields(
    module: torch.nn.Module, layers: Collection[Layer], shape: tuple[int, int, int]
) -> dict[str, ReceptiveField]:
    """The receptive field of each of `layers` for a module fed with `shape` = (c, h, w).

    Raises:
        NetworkError: a layer is not reached when the picture holds NaN.
    """
    module = _on_cpu(module)
    names = [layer.name for layer in layers]
    with frozen(module), torch.no_grad():
        rows = _extents(module, names, shape, axis=2)
        columns = _extents(module, names, shape, axis=3)
        unreached = set(names) - (rows.keys() & columns.keys())
        if unreached:
            raise NetworkError(
                f"layers {sorted(unreached)} are not reached by pictures with NaN in them, so "
                "their receptive fields cannot be measured; let the network not check its input"
            )
        uncertain = [
            name
            for name in names
            if not (_measured(rows[name], shape[1]) and _measured(columns[name], shape[2]))
        ]
        larger = _central_sizes(module, uncertain, (shape[0], 2 * shape[1], 2 * shape[2]))
    fields = {}
    for name in names:
        measured = larger.get(name, (_longest(rows[name]), _longest(columns[name])))
        whole = _covers(rows[name], shape[1]) and _covers(columns[name], shape[2])
        size = shape[1:] if whole and name not in larger else measured
        fields[name] = ReceptiveField(size, rows[name], columns[name], shape[1:], whole)
    return fields


def _on_cpu(module: torch.nn.Module) -> torch.nn.Module:
    """`module`, or a copy in single precision on the CPU: other kernels may spread a NaN."""
    weights = [p for p in module.parameters() if p.is_floating_point()]
    if all(p.device.type == "cpu" and p.dtype == torch.float32 for p in weights):
        return module
    return copy.deepcopy(module).to("cpu", torch.float32)


def _uncut(extent: Extent, size: int, picture: int) -> Extent:
    first, last = extent
    size = min(size, picture)
    start = last - size + 1 if first < picture - 1 - last else first  # the nearer border cut it
    return start, start + size


def _longest(extents: tuple[Extent, ...]) -> int:
    return max(last - first + 1 for first, last in extents)


def _measured(extents: tuple[Extent, ...], picture: int) -> bool:
    """Whether a longest extent is surely uncut."""
    # A step back from one position to the next betrays a dilated kernel with taps beyond a border.
    forward = all(a <= c and b <= d for (a, b), (c, d) in pairwise(extents))
    return forward and _inner(extents, picture)


def _inner(extents: tuple[Extent, ...], picture: int) -> bool:
    """Whether a longest extent lies clear of both borders."""
    size = _longest(extents)
    return any(e[1] - e[0] + 1 == size and e[0] > 0 and e[1] < picture - 1 for e in extents)


def _covers(extents: tuple[Extent, ...], picture: int) -> bool:
    return all(extent == (0, picture - 1) for extent in extents)


def _extents(
    module: torch.nn.Module, names: Sequence[str], shape: tuple[int, int, int], axis: int
) -> dict[str, tuple[Extent, ...]]:
    """For each output row (axis 2) or column (axis 3): the first and last input line it sees."""
    lines = shape[axis - 1]
    chunk = max(1, 2**22 // (shape[0] * shape[1] * shape[2]))
    seen: dict[str, list[Bool[Tensor, "lines positions"]]] = {name: [] for name in names}
    for start in range(0, lines, chunk):
        spans = [(i, i + 1) for i in range(start, min(start + chunk, lines))]
        for name, reached in _poisoned(module, names, shape, axis, spans).items():
            seen[name].append(reached)
    extents = {}
    for name, parts in seen.items():
        if not parts:
            continue
        reached = torch.cat(parts).int()
        first = reached.argmax(0)
        last = lines - 1 - reached.flip(0).argmax(0)
        blind = ~reached.any(0)  # a position that sees only padding, or a NaN that was swallowed
        first[blind], last[blind] = 0, lines - 1
        extents[name] = tuple(zip(first.tolist(), last.tolist(), strict=True))
    return extents


def _poisoned(
    module: torch.nn.Module,
    names: Sequence[str],
    shape: tuple[int, int, int],
    axis: int,
    spans: Sequence[tuple[int, int]],
) -> dict[str, Bool[Tensor, "spans positions"]]:
    """Which output positions turn NaN when the input lines of each span are NaN."""
    inputs = torch.zeros(len(spans), *shape)
    for image, (start, stop) in zip(inputs, spans, strict=True):
        image.narrow(axis - 1, start, stop - start).fill_(torch.nan)
    with tap(module, names) as values, suppress(Exception):
        module(inputs)  # a dense layer may refuse this size; what came before it is recorded
    return {name: _positions(value.isnan(), axis) for name, value in values.items()}


def _positions(nan: Bool[Tensor, "b ..."], axis: int) -> Bool[Tensor, "b positions"]:
    if nan.ndim == 4:
        return nan.any(1).any(4 - axis)  # the other spatial axis, once channels are gone
    if nan.ndim == 3:
        return nan.any(2)
    return nan.any(1, keepdim=True)


def _central_sizes(
    module: torch.nn.Module, names: Sequence[str], shape: tuple[int, int, int]
) -> dict[str, tuple[int, int]]:
    """The field of the central position, for the layers whose field fits inside `shape`."""
    if not names:
        return {}
    whole = {axis: (0, shape[axis - 1]) for axis in (2, 3)}
    reachable = _poisoned(module, names, shape, 2, [whole[2]])

    @cache
    def reached(axis: int, start: int, stop: int) -> dict[str, bool]:
        marks = _poisoned(module, list(reachable), shape, axis, [(start, stop)])
        return {name: bool(mark[0, mark.shape[1] // 2]) for name, mark in marks.items()}

    def extent(name: str, axis: int) -> Extent:
        lines = shape[axis - 1]
        if not reached(axis, 0, lines)[name]:
            return 0, lines - 1  # blind, as in `_extents`
        first = _bisect(lambda i: reached(axis, 0, i + 1)[name], lines)
        last = lines - 1 - _bisect(lambda i: reached(axis, lines - 1 - i, lines)[name], lines)
        return first, last

    sizes = {}
    for name in reachable:
        row, column = extent(name, 2), extent(name, 3)
        if _inner((row,), shape[1]) and _inner((column,), shape[2]):
            sizes[name] = (_longest((row,)), _longest((column,)))
    return sizes


def _bisect(holds: Callable[[int], bool], count: int) -> int:
    """The smallest i in 0..count-1 for which `holds(i)`, which never turns false again."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
