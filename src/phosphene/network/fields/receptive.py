"""Receptive fields by poisoning: which input pixels can change which output.

One column of the input is set to NaN; whatever turns NaN depends on it. One pass measures every
layer, and this is exact wherever a NaN is passed on. Comparisons, max-unpooling and other decisions
by a value pass over it: behind them the field is at least what is measured, and says so. Where a
field is cut by the picture's border at every position, its full size is sought on pictures of two
and three times the size, if the network takes them.
"""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from phosphene.errors import NetworkError
from phosphene.network.discovery.layers import Layer
from phosphene.network.feed import ANY, Feed
from phosphene.network.fields.poison import COLUMNS, ROWS, Extent, Poison, Span
from phosphene.network.freezing import frozen, steady

Bound = Literal["", "at least", "at most"]


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a layer's units.

    `size` is (height, width) in input pixels. `rows[y]` and `columns[x]` are the extents seen by
    output position (y, x), cut at the picture's border; a layer without positions has one of
    each, a layer of tokens one per token. `whole` says that every position sees the whole picture;
    where the field has no size of its own (attention, global pooling, dense layers), `size` is
    then the picture's.

    `bound` is empty where the size is exact; "at least" where more may be seen, since the network
    decides by values or no picture that it takes shows the whole field; "at most" where nothing
    could be measured.
    """

    size: tuple[int, int]
    rows: tuple[Extent, ...]
    columns: tuple[Extent, ...]
    picture: tuple[int, int]
    whole: bool
    bound: Bound = ""

    def __str__(self) -> str:
        size = "whole picture" if self.whole else f"{self.size[0]} x {self.size[1]}"
        return f"{self.bound} {size}".strip()

    def box(self, y: int, x: int) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) seen from output position (y, x), bottom and right excluded.

        Boxes of a layer have one size, the field's or the picture's where that is smaller, so at
        the border they may reach outside the picture. A position that sees more, as at a border
        with circular padding, where it sees both ends, has a box of all that.
        """
        top, bottom = _uncut(self.rows[y], self.size[0], self.picture[0])
        left, right = _uncut(self.columns[x], self.size[1], self.picture[1])
        return top, left, bottom, right


def receptive_fields(
    module: torch.nn.Module,
    layers: Collection[Layer],
    shape: tuple[int, int, int],
    feed: Feed = ANY,
    blurred: Collection[str] = (),
) -> dict[str, ReceptiveField]:
    """The receptive field of each of `layers` for a module fed with `shape` = (c, h, w).

    Of the layers in `blurred` it is known that more may reach them than a NaN does. A layer that
    pictures with NaN do not reach sees the whole picture at most.

    Raises:
        NetworkError: the network does not run at all.
    """
    module = on_cpu(module)
    with frozen(module), steady(module), torch.no_grad():
        poison = Poison(module, layers, shape, feed)
        rows, columns = poison.extents(ROWS), poison.extents(COLUMNS)
        reached = [layer.name for layer in layers if layer.name in rows.keys() & columns.keys()]
        open_ = [
            name
            for name in reached
            if not (_measured(rows[name], shape[1]) and _measured(columns[name], shape[2]))
        ]
        larger = _on_larger(poison, open_)
        unseen = _passed_over(poison, [name for name in reached if name in blurred])
        if len(reached) < len(layers):
            _run_clean(poison)
    fields = {}
    for layer in layers:
        name = layer.name
        if name not in reached:
            fields[name] = _unknown(layer, shape)
            continue
        measured = larger.get(name, (_longest(rows[name]), _longest(columns[name])))
        whole = _covers(rows[name], shape[1]) and _covers(columns[name], shape[2])
        size = shape[1:] if whole and name not in larger else measured
        cut = (
            name in open_
            and name not in larger
            and not (_settled(rows[name], shape[1]) and _settled(columns[name], shape[2]))
        )
        bound: Bound = "at least" if cut or (name in blurred and not whole) else ""
        if name in unseen:  # `extents` gives them every line
            bound = "at most"
        fields[name] = ReceptiveField(size, rows[name], columns[name], shape[1:], whole, bound)
    return fields


def _on_larger(poison: Poison, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """The fields that show whole in pictures of twice the size, or else of three times.

    What sees all of the larger picture too has no size of its own and is tried no further.
    """
    channels, height, width = poison.shape
    found: dict[str, tuple[int, int]] = {}
    for times in (2, 3):
        larger = poison.resized((channels, times * height, times * width))
        sizes, all_ = _central_sizes(larger, [name for name in names if name not in found])
        found |= sizes
        names = [name for name in names if name not in all_]
        if poison.shape[1] * poison.shape[2] * times**2 > _LARGEST:
            break
    return found


def _passed_over(poison: Poison, names: Sequence[str]) -> set[str]:
    """The layers that stay numbers on a picture of nothing but NaN."""
    marks = poison.reached(names, ROWS, [(0, poison.shape[1])]) if names else {}
    return {name for name, mark in marks.items() if not mark.any()}


def _run_clean(poison: Poison) -> None:
    """Raise `NetworkError` if it is not the NaN that a network fails on."""
    part, _ = next(poison.feed.parts(torch.zeros(1, *poison.shape)))
    try:
        poison.module(part)
    except Exception as error:
        raise NetworkError(
            f"no receptive field can be measured, the network fails: {error}"
        ) from error


_LARGEST = 2**19  # pixels; three times 224 are fewer


def _unknown(layer: Layer, shape: tuple[int, int, int]) -> ReceptiveField:
    """The field of a layer of which nothing could be measured: the whole picture at most."""
    places = {1: (1, 1), 2: (layer.shape[0], layer.shape[0])}.get(
        len(layer.shape), (layer.shape[-2:] if len(layer.shape) > 1 else (1, 1))
    )
    rows, columns = (
        ((0, lines - 1),) * count for lines, count in zip(shape[1:], places, strict=True)
    )
    return ReceptiveField(shape[1:], rows, columns, shape[1:], True, "at most")


def on_cpu(module: torch.nn.Module) -> torch.nn.Module:
    """`module`, or a copy in single precision on the CPU: other kernels may spread a NaN."""
    weights = [p for p in module.parameters() if p.is_floating_point()]
    if all(p.device.type == "cpu" and p.dtype == torch.float32 for p in weights):
        return module
    return copy.deepcopy(module).to("cpu", torch.float32)


def _uncut(extent: Extent, size: int, picture: int) -> Extent:
    first, last = extent
    size = min(size, picture)
    if last - first + 1 > size:
        return first, last + 1
    start = last - size + 1 if first < picture - 1 - last else first  # the nearer border cut it
    return start, start + size


def _longest(extents: tuple[Extent, ...]) -> int:
    return max(last - first + 1 for first, last in extents)


def _measured(extents: tuple[Extent, ...], picture: int) -> bool:
    """Whether a longest extent is surely uncut."""
    # A step back from one position to the next betrays a dilated kernel with taps beyond a border.
    forward = all(a <= c and b <= d for (a, b), (c, d) in pairwise(extents))
    return forward and _inner(extents, picture)


def _settled(extents: tuple[Extent, ...], picture: int) -> bool:
    """Whether all that is to be said along one axis is known."""
    return _measured(extents, picture) or _covers(extents, picture)


def _inner(extents: tuple[Extent, ...], picture: int) -> bool:
    """Whether a longest extent lies clear of both borders."""
    size = _longest(extents)
    return any(e[1] - e[0] + 1 == size and e[0] > 0 and e[1] < picture - 1 for e in extents)


def _covers(extents: tuple[Extent, ...], picture: int) -> bool:
    return all(extent == (0, picture - 1) for extent in extents)


def _central_sizes(
    poison: Poison, names: Sequence[str]
) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """The field of the central position, for the layers whose field fits inside the picture.

    With the layers that see all of it, and those that were not reached.
    """
    if not names:
        return {}, []
    seen: dict[int, dict[str, Extent]] = {}
    for axis in (ROWS, COLUMNS):
        guesses = seen.get(ROWS, {}).values()
        seen[axis] = _central_extents(poison, names, axis, guesses)
    height, width = poison.shape[1:]
    sizes: dict[str, tuple[int, int]] = {}
    all_ = []
    for name in names:
        row, column = seen[ROWS].get(name), seen[COLUMNS].get(name)
        if row is None or column is None or (_covers((row,), height) and _covers((column,), width)):
            all_.append(name)
        elif _inner((row,), height) and _inner((column,), width):
            sizes[name] = (_longest((row,)), _longest((column,)))
    return sizes, all_


def _central_extents(
    poison: Poison, names: Sequence[str], axis: int, guesses: Collection[Extent]
) -> dict[str, Extent]:
    """What the central position sees along one axis, for the layers that are reached."""
    lines = poison.shape[axis - 1]
    whole = poison.reached(names, axis, [(0, lines)])
    sighted = [name for name, marks in whole.items() if marks.all()]

    def edges(span: Callable[[int], Span], guesses: Collection[int]) -> dict[str, int]:
        def reached(distances: Sequence[int], names: Sequence[str]) -> dict[str, Tensor]:
            marks = poison.reached(names, axis, [span(d) for d in distances])
            return {name: mark[:, 0] for name, mark in marks.items()}

        return _bisect(reached, sighted, lines, guesses)

    first = edges(lambda i: (0, i + 1), [first for first, _ in guesses])
    last = edges(lambda i: (lines - 1 - i, lines), [lines - 1 - last for _, last in guesses])
    blind = dict.fromkeys(whole, (0, lines - 1))  # as in `Poison.extents`
    return blind | {name: (first[name], lines - 1 - last[name]) for name in sighted}


def _bisect(
    holds: Callable[[Sequence[int], Sequence[str]], Mapping[str, Tensor]],
    names: Sequence[str],
    count: int,
    guesses: Collection[int],
) -> dict[str, int]:
    """For each name the smallest i in 0..count-1 that holds for it; what holds goes on holding.

    All names are sought together: what is tried for one is learned of all. `guesses` are tried
    first, each with its predecessor.
    """
    low, high = dict.fromkeys(names, 0), dict.fromkeys(names, count - 1)
    tried = sorted({i for guess in guesses for i in (guess - 1, guess) if 0 <= i < count})
    while open_ := [name for name in names if low[name] < high[name]]:
        tried = tried or sorted({(low[name] + high[name]) // 2 for name in open_})
        for name, answers in holds(tried, open_).items():
            for i, answer in zip(tried, answers.tolist(), strict=True):
                if answer:
                    high[name] = min(high[name], i)
                else:
                    low[name] = max(low[name], i + 1)
        tried = []
    return low
