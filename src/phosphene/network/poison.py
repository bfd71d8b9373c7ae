"""Set lines of a picture to NaN and see what turns NaN: which positions depend on which lines.

This is exact for any architecture, and one pass tells of every layer. What a pass costs is kept
down: convolutions only spread the NaN (`hollow`), the pass ends after the deepest layer that is
still asked about, and of each value only the marks are kept.
"""

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from itertools import pairwise
from math import prod

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from phosphene.network.hollow import Hollow
from phosphene.network.layers import Layer
from phosphene.network.settings import kept_settings
from phosphene.network.tap import tap

Extent = tuple[int, int]
"""First and last input row (or column) that an output position depends on, both included."""

Span = tuple[int, int]
"""Input rows (or columns) from the first to before the second."""

ROWS, COLUMNS = 2, 3
"""The axes of `b c h w` along which lines are counted."""

_NUMBERS = 2**19
"""How many numbers go through at once: layers' values should stay in the cache."""

_NARROW = 6
"""How often a narrow picture fits into the whole one, side by side."""

_BLOCKS = 8
"""How many blocks of lines a narrow picture has to agree on with the whole one."""

_FEWEST_LINES = 32
"""From so many lines on narrow pictures are worth the comparison."""


class Poison:
    """Pictures of one shape, with NaN in some lines, shown to one module.

    What depends on which rows does not ask for the picture's full width, as a rule. So layers are
    shown a few blocks of NaN in whole and in narrow pictures, and where both leave the same marks,
    narrow ones serve for the rest.
    """

    def __init__(
        self, module: nn.Module, layers: Collection[Layer], shape: tuple[int, int, int]
    ) -> None:
        self.module = module
        self.layers = {layer.name: layer for layer in layers}
        self.shape = shape
        self.narrow: dict[int, set[str]] = {ROWS: set(), COLUMNS: set()}
        self.hollow = True
        self.hollow = self._harmless()

    def resized(self, shape: tuple[int, int, int]) -> "Poison":
        """The same for pictures of another shape, with what was learned of the layers."""
        other = copy.copy(self)
        other.shape = shape
        return other

    def _harmless(self) -> bool:
        """Whether no NaN arises from what hollow layers give back instead of their sums."""
        clean = self._passes(self.layers, ROWS, [(0, 0)], self.shape)
        return not any(marks.any() for marks in clean.values())

    def _compare(self, axis: int, spans: Sequence[Span], whole: Mapping[str, Tensor]) -> None:
        """Find out for which layers narrow pictures leave the same marks as `whole` ones did."""
        narrow = self._passes(whole, axis, spans, self._narrowed(axis))
        self.narrow[axis] |= {n for n in narrow if torch.equal(narrow[n], whole[n])}

    def _narrowed(self, axis: int) -> tuple[int, int, int]:
        channels, height, width = self.shape
        if axis == ROWS:
            return channels, height, -(-width // _NARROW)
        return channels, -(-height // _NARROW), width

    def reached(
        self, names: Iterable[str], axis: int, spans: Sequence[Span]
    ) -> dict[str, Bool[Tensor, "spans positions"]]:
        """Which positions turn NaN when the lines of a span are, for the layers that are reached.

        A layer without positions counts as one, a sequence has one for each token.
        """
        names = set(names)
        narrow = names & self.narrow[axis]
        found = self._passes(narrow, axis, spans, self._narrowed(axis)) if narrow else {}
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
        with (
            kept_settings(self.module),
            Hollow() if self.hollow else nullcontext(),
            tap(self.module, sites, take=lambda value: _marks(value, axis)) as marks,
            suppress(Exception),
        ):
            self.module(inputs)
        # Where this size is cut into windows, a layer may have a row for each of them.
        return {name: found for name, found in marks.items() if len(found) == len(spans)}

    def extents(self, axis: int) -> dict[str, tuple[Extent, ...]]:
        """For each position along `axis`: the first and last line it sees, with what lies between.

        What mixes all positions is told by the two outermost lines alone. For the rest every line
        is tried. A position that sees no line, because it sees only padding or a NaN was
        swallowed, is given all of them.
        """
        lines = self.shape[axis - 1]
        ends = [(0, 1), (lines - 1, lines)]
        outermost = self._passes(self.layers, axis, ends, self.shape)
        mixed = {name: marks for name, marks in outermost.items() if marks.all()}
        self._compare(axis, ends, mixed)
        found = {name: ((0, lines - 1),) * marks.shape[1] for name, marks in mixed.items()}
        open_ = [name for name in outermost if name not in found]
        if open_:
            if lines >= _FEWEST_LINES:
                cuts = [i * lines // _BLOCKS for i in range(_BLOCKS + 1)]
                blocks = [*pairwise(cuts), *ends]
                self._compare(axis, blocks, self._passes(open_, axis, blocks, self.shape))
            each = self.reached(open_, axis, [(i, i + 1) for i in range(lines)])
            found |= {name: _ends(marks) for name, marks in each.items()}
        return {name: found[name] for name in self.layers if name in found}


def _marks(value: Tensor, axis: int) -> Bool[Tensor, "b positions"]:
    """Where along `axis` there is a NaN: a sum that has a NaN among its terms is NaN."""
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
