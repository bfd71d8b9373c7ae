"""Set lines of a picture to NaN and see what turns NaN: which positions depend on which lines.

This is exact wherever a NaN is passed on, and one pass tells of every layer. What a pass costs is
kept down: convolutions only spread the NaN (`hollow`), the pass ends after the deepest layer that
is still asked about, and of each value only the marks are kept.
"""

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from math import prod

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from phosphene.network.discovery.layers import Layer
from phosphene.network.feed import ANY, Feed, shown
from phosphene.network.fields.hollow import spreading
from phosphene.network.settings import kept_settings

Extent = tuple[int, int]
"""First and last input row (or column) that an output position depends on, both included."""

Span = tuple[int, int]
"""Input rows (or columns) from the first to before the second."""

ROWS, COLUMNS = 2, 3
"""The axes of `b c h w` along which lines are counted."""

_NUMBERS = 2**19
"""How many numbers go through at once: layers' values should stay in the cache."""

_NARROW = ((6, 1), (3, 32))
"""How often a narrow picture fits into the whole one, and what its width is a multiple of.

The second is tried where the first is too narrow, or branches of other strides do not fit together.
"""

_BLOCKS = 8
"""How many blocks of lines a narrow picture has to agree on with the whole one."""

_FEWEST_LINES = 32
"""From so many lines on narrow pictures are worth the comparison."""


class Poison:
    """Pictures of one shape, with NaN in some lines, shown to one module.

    What depends on which rows does not ask for the picture's full width, as a rule. So layers are
    shown a few blocks of NaN in whole and in narrow pictures, and where both leave the same marks,
    narrow ones serve for the rest. `narrow` tells, by axis and layer, which of `_NARROW` those are.
    """

    def __init__(
        self,
        module: nn.Module,
        layers: Collection[Layer],
        shape: tuple[int, int, int],
        feed: Feed = ANY,
    ) -> None:
        self.module = module
        self.feed = feed
        self.layers = {layer.name: layer for layer in layers}
        self.shape = shape
        self.narrow: dict[int, dict[str, int]] = {ROWS: {}, COLUMNS: {}}
        self.central = False
        self.hollow = True
        self.hollow = self._harmless()

    def resized(self, shape: tuple[int, int, int]) -> "Poison":
        """The same for pictures of another shape, with what was learned of the layers.

        Of a layer's positions it looks at the central one alone.
        """
        other = copy.copy(self)
        other.shape, other.central = shape, True
        return other

    def _harmless(self) -> bool:
        """Whether no NaN arises from what hollow layers give back instead of their sums."""
        clean = self._passes(self.layers, ROWS, [(0, 0)], self.shape)
        return not any(marks.any() for marks in clean.values())

    def _compare(self, axis: int, spans: Sequence[Span], whole: Mapping[str, Tensor]) -> None:
        """Find out for which layers narrow pictures leave the same marks as `whole` ones did."""
        for kind in range(len(_NARROW)):
            rest = [name for name in whole if name not in self.narrow[axis]]
            narrow = self._passes(rest, axis, spans, self._narrowed(axis, kind)) if rest else {}
            agreeing = [n for n in narrow if torch.equal(narrow[n], whole[n])]
            self.narrow[axis] |= dict.fromkeys(agreeing, kind)

    def _narrowed(self, axis: int, kind: int) -> tuple[int, int, int]:
        def less(side: int) -> int:
            often, multiple = _NARROW[kind]
            return min(side, -(-side // (often * multiple)) * multiple)

        channels, height, width = self.shape
        return (channels, height, less(width)) if axis == ROWS else (channels, less(height), width)

    def reached(
        self, names: Iterable[str], axis: int, spans: Sequence[Span]
    ) -> dict[str, Bool[Tensor, "spans positions"]]:
        """Which positions turn NaN when the lines of a span are, for the layers that are reached.

        A layer without positions counts as one, a sequence has one for each token.
        """
        names, found = set(names), dict[str, Tensor]()
        for kind in range(len(_NARROW)):
            narrow = {name for name in names if self.narrow[axis].get(name) == kind}
            if narrow:
                found |= self._passes(narrow, axis, spans, self._narrowed(axis, kind))
        rest = names - found.keys()
        return found | self._passes(rest, axis, spans, self.shape) if rest else found

    def _passes(
        self,
        names: Iterable[str],
        axis: int,
        spans: Sequence[Span],
        shape: tuple[int, int, int],
    ) -> dict[str, Tensor]:
        names = list(names)
        chunk = max(1, _NUMBERS // prod(shape))
        chunks = [spans[i : i + chunk] for i in range(0, len(spans), chunk)]
        parts = [self._pass(names, axis, some, shape) for some in chunks]
        found = [name for name in names if all(name in part for part in parts)]
        return {name: torch.cat([part[name] for part in parts]) for name in found}

    def _pass(
        self, names: Iterable[str], axis: int, spans: Sequence[Span], shape: tuple[int, int, int]
    ) -> dict[str, Tensor]:
        inputs = torch.zeros(len(spans), *shape)
        for image, (start, stop) in zip(inputs, spans, strict=True):
            image.narrow(axis - 1, start, stop - start).fill_(torch.nan)
        sites = [self.layers[name].site for name in names]
        # A dense layer may refuse this size; what came before it is recorded.

        def run(part: Tensor) -> None:
            with suppress(Exception):
                self.module(part)

        with kept_settings(self.module), spreading(self.hollow):
            marks = shown(
                self.module,
                self.feed,
                inputs,
                sites,
                run,
                take=lambda value: _marks(value, axis, self.central),
            )
        # Where this size is cut into windows, a layer may have a row for each of them.
        return {name: found for name, found in marks.items() if len(found) == len(spans)}

    def extents(self, axis: int) -> dict[str, tuple[Extent, ...]]:
        """For each position along `axis`: the first and last line it sees, with what lies between.

        What mixes all positions is told by the two outermost lines alone, what sees none by a few
        blocks. For the rest every line is tried. A position that sees no line, because it sees
        only padding or a NaN was swallowed, is given all of them.
        """
        lines = self.shape[axis - 1]
        ends = [(0, 1), (lines - 1, lines)]
        outermost = self._passes(self.layers, axis, ends, self.shape)
        told = {name: marks for name, marks in outermost.items() if marks.all()}
        self._compare(axis, ends, told)
        open_ = [name for name in outermost if name not in told]
        if open_ and lines >= _FEWEST_LINES:
            cuts = [i * lines // _BLOCKS for i in range(_BLOCKS + 1)]
            blocks = [*pairwise(cuts), *ends]
            blocked = self._passes(open_, axis, blocks, self.shape)
            self._compare(axis, blocks, blocked)
            # Blocks hold every line: what none of them reaches, a class token say, sees no line.
            told |= {name: marks for name, marks in blocked.items() if not marks.any()}
            open_ = [name for name in open_ if name not in told]
        found = {name: ((0, lines - 1),) * marks.shape[1] for name, marks in told.items()}
        if open_:
            each = self.reached(open_, axis, [(i, i + 1) for i in range(lines)])
            found |= {name: _ends(marks) for name, marks in each.items()}
        return {name: found[name] for name in self.layers if name in found}


def _marks(value: Tensor, axis: int, central: bool) -> Bool[Tensor, "b positions"]:
    """Where along `axis` there is a NaN: a sum that has a NaN among its terms is NaN."""
    if central and value.ndim > 2:
        positions = axis if value.ndim == 4 else 1
        value = value.narrow(positions, value.shape[positions] // 2, 1)
    if value.ndim == 4:
        return value.sum((1, 5 - axis)).isnan()
    return value.sum(2).isnan() if value.ndim == 3 else value.sum(1, keepdim=True).isnan()


def _ends(reached: Bool[Tensor, "lines positions"]) -> tuple[Extent, ...]:
    lines = len(reached)
    first = reached.int().argmax(0)
    last = lines - 1 - reached.flip(0).int().argmax(0)
    blind = ~reached.any(0)
    first[blind], last[blind] = 0, lines - 1
    return tuple(zip(first.tolist(), last.tolist(), strict=True))
