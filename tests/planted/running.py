"""A planted network run plainly: one forward pass for each question, with hooks."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations

import torch
from torch import Tensor, nn

from planted.truth import Facts, Planted, Route, Rows

Edit = Callable[[Tensor], Tensor]


@contextmanager
def edited(module: nn.Module, edits: Mapping[str, Edit]) -> Iterator[None]:
    """While it holds, the named modules give back what their edits make of their value."""
    handles = [
        module.get_submodule(name).register_forward_hook(lambda m, given, out, edit=edit: edit(out))
        for name, edit in edits.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def target_of(planted: Planted, module: nn.Module, pictures: Tensor) -> Tensor:
    """The target's value for each picture, (b,)."""
    layer, at = planted.aim
    seen: list[Tensor] = []
    with edited(module, {layer: lambda out: seen.append(out) or out}):
        module(pictures)
    return seen[0][(slice(None), *at)]


def source_of(planted: Planted, module: nn.Module, pictures: Tensor) -> Tensor:
    """The source layer's value for each picture, its units first: (b, units, …)."""
    seen: list[Tensor] = []
    with edited(module, {planted.source: lambda out: seen.append(out) or out}), torch.no_grad():
        module(pictures)
    return seen[0].movedim(planted.axis, 1)


def put(planted: Planted, levels: Mapping[int, float]) -> Edit:
    """An edit that gives whole units of the source layer one value at all places."""

    def edit(out: Tensor) -> Tensor:
        out = out.movedim(planted.axis, 1).clone()
        for unit, level in levels.items():
            out[:, unit] = level
        return out.movedim(1, planted.axis)

    return edit


class Bench:
    """One planted network under test: every question is a forward pass of its own."""

    def __init__(self, planted: Planted) -> None:
        self.planted, self.module = planted, planted.make()
        self.values = source_of(planted, self.module, planted.data)
        self.units = range(self.values.shape[1])
        self.t = self.with_levels({})

    def with_levels(self, levels: Mapping[int, float], pictures: Tensor | None = None) -> Tensor:
        """The target where some units have the given values, (b,)."""
        pictures = self.planted.pictures if pictures is None else pictures
        edits = {self.planted.source: put(self.planted, levels)}
        with torch.no_grad(), edited(self.module, edits):
            return target_of(self.planted, self.module, pictures)

    def removed(self, units: tuple[int, ...], baseline: tuple[float, ...]) -> Tensor:
        """t(x) - t(x; units <- baseline), (b,)."""
        return self.t - self.with_levels({unit: baseline[unit] for unit in units})

    def kept(self, units: tuple[int, ...], baseline: tuple[float, ...]) -> Tensor:
        """t(x; all others <- baseline) - t(x; all <- baseline), (b,)."""
        everything = {unit: baseline[unit] for unit in self.units}
        others = {unit: level for unit, level in everything.items() if unit not in units}
        return self.with_levels(others) - self.with_levels(everything)

    def facts(self, baseline: tuple[float, ...]) -> Facts:
        """Removing and keeping each unit."""
        return Facts(
            removed=_rows([self.removed((unit,), baseline) for unit in self.units]),
            kept=_rows([self.kept((unit,), baseline) for unit in self.units]),
        )

    def raised(self, high: tuple[float, ...]) -> Rows:
        """t(x; unit <- high) - t(x), for each unit."""
        return _rows([self.with_levels({unit: high[unit]}) - self.t for unit in self.units])

    def together(self, pair: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """What removing and keeping both does beyond the sum of each, (b,) both; baseline zero."""
        zero = (0.0,) * len(self.units)
        removed, kept = (
            ask(pair, zero) - ask(pair[:1], zero) - ask(pair[1:], zero)
            for ask in (self.removed, self.kept)
        )
        return removed, kept

    def acts_together(self, units: tuple[int, ...]) -> bool:
        """Whether any two of the units do together what they don't do apart."""
        pairs = [self.together(pair) for pair in combinations(units, 2)]
        return any(bool(effect.abs().max() > 1e-5) for pair in pairs for effect in pair)

    def along(self, route: Route) -> Tensor:
        """Removing a unit while units of a later layer stay what they were, (b,); baseline zero."""
        seen: list[Tensor] = []
        with torch.no_grad(), edited(self.module, {route.layer: seen.append}):
            self.module(self.planted.pictures)
        held = list(route.held)

        def hold(out: Tensor) -> Tensor:
            out = out.clone()
            out[:, held] = seen[0][:, held]
            return out

        edits = {self.planted.source: put(self.planted, {route.unit: 0.0}), route.layer: hold}
        with torch.no_grad(), edited(self.module, edits):
            return self.t - target_of(self.planted, self.module, self.planted.pictures)


def _rows(columns: list[Tensor]) -> Rows:
    return tuple(tuple(row) for row in torch.stack(columns, 1).tolist())
