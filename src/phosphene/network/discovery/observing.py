"""Watch one pass over a module: which calls there are, what each gives back and what it is made of.

A value that can be recorded has a row for each picture. Which axis counts them is observed, by
showing another number of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from phosphene.network.discovery.queries import Followed
from phosphene.network.layouts import Evidence, Grid, Layout, layout_of
from phosphene.network.sites import OUTPUT, Key, tensors

Place = tuple[int, tuple[Key, ...]]
"""The number of a call, and where in what it gave back."""

State = tuple[int, int]
"""Which tensor, and how often it was changed in place."""


@dataclass(frozen=True)
class Given:
    """A tensor that a call gave back."""

    place: int
    path: str
    keys: tuple[Key, ...]
    module: nn.Module
    source: State | None
    state: State
    copy: Tensor
    layout: Layout
    made_of: frozenset[int]


class Seen(NamedTuple):
    """A value's shape, and a copy of its rows: of the first two unless it has three axes."""

    shape: tuple[int, ...]
    value: Tensor


def seen_in(module: nn.Module, inputs: Tensor) -> dict[Place, Seen]:
    """What the calls of a pass over `inputs` give back, by its place."""
    found: dict[Place, Seen] = {}
    calls = 0

    def hook(module: nn.Module, args: Any, output: Any) -> None:
        nonlocal calls
        for keys, value in tensors(output):
            rows = value if value.ndim == 3 or not value.ndim else value[:2]
            found[calls, keys] = Seen(tuple(value.shape), rows.detach().clone())
        calls += 1

    handles = [m.register_forward_hook(hook) for _, m in _watchable(module)]
    try:
        with torch.no_grad():
            module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


class Observer:
    """Watches one pass over a module: which calls there are, and what each gives back."""

    followed: Followed

    def __init__(
        self, module: nn.Module, inputs: Tensor, more: Mapping[Place, Seen] | None
    ) -> None:
        self.module = module
        self.pictures = len(inputs)
        self.picture: Grid = (inputs.shape[2], inputs.shape[3])
        self.more = more
        self.paths: list[str] = []  # of all calls, also of those that are no layers
        self.values: list[Given] = []
        self.layouts = {id(inputs): Layout("maps")}
        self.held: list[Any] = [inputs]  # so that no id is given out twice
        self.grids: set[Grid] = set()
        self.signals: set[tuple[int, ...]] = set()
        self.left_out: dict[str, str] = {}
        self.handles: list[RemovableHandle] = []

    def __enter__(self) -> None:
        for path, submodule in _watchable(self.module):
            hook = self._watcher(path)
            self.handles.append(submodule.register_forward_hook(hook, with_kwargs=True))

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _watcher(self, path: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            given = [tensor for _, tensor in tensors((args, kwargs))]
            origin = self.followed.origin
            fed = frozenset[int]().union(*(origin(tensor).sources for tensor in given))
            parts = [(keys, value, origin(value).sources) for keys, value in tensors(output)]
            for keys, value, made_of in parts:
                self._keep(
                    path, keys, module, next(iter(given), None), value, made_of=made_of or fed
                )
            self.paths.append(path)
            self.followed.calls = len(self.paths)

        return hook

    def _axis(self, keys: tuple[Key, ...], value: Tensor) -> int | None:
        """Which axis of a value counts the pictures; None where it can't be recorded."""
        if not value.is_floating_point() or not 2 <= value.ndim <= 4:
            return None
        if self.more is None:
            return 0 if len(value) == self.pictures else None
        other = self.more.get((len(self.paths), keys))
        if other is None or len(other.shape) != value.ndim:
            return None
        pairs = list(zip(value.shape, other.shape, strict=True))
        grown = [i for i, (few, many) in enumerate(pairs) if few != many]
        if len(grown) != 1 or pairs[grown[0]][0] != self.pictures:
            return None
        return grown[0] if grown[0] == 0 or (grown[0] == 1 and value.ndim == 3) else None

    def _keep(
        self,
        path: str,
        keys: tuple[Key, ...],
        module: nn.Module,
        source: Any,
        value: Tensor,
        *,
        made_of: frozenset[int],
    ) -> None:
        axis = self._axis(keys, value)
        if axis is None:
            self.left_out[path] = _unrecordable(module, value, self.pictures)
            return
        layout = self.layouts.get(id(value))
        if layout is None:
            layout = replace(self._layout(keys, module, source, value, axis), axis=axis)
        self.layouts[id(value)] = layout
        self.held += [value, source]
        copy = value.clone()
        recorded = layout.read(copy, self.picture)
        if recorded.ndim == 4:
            self.grids.add((recorded.shape[2], recorded.shape[3]))
        if layout.kind == "signal":
            self.signals.add(tuple(value.movedim(axis, 0).shape[1:]))
        origin = None if source is None else _state(source)
        self.followed.is_layer(value, len(self.values))
        state = _state(value)
        self.values.append(
            Given(len(self.paths), path, keys, module, origin, state, copy, layout, made_of)
        )

    def _layout(
        self, keys: tuple[Key, ...], module: nn.Module, source: Any, value: Tensor, axis: int
    ) -> Layout:
        same = source is not None and source.shape == value.shape
        evidence = Evidence(
            picture=self.picture,
            seen=self.grids,
            signals=self.signals,
            inherited=self.layouts.get(id(source)) if same else None,
            rows=self.followed.of_places(value, axis),
            places=lambda grid: self._local(keys, axis, grid),
        )
        return layout_of(module, keys in {(), (0,)}, value.movedim(axis, 0), evidence)

    def _local(self, keys: tuple[Key, ...], axis: int, grid: Grid) -> bool:
        """Whether each place of a row of tokens looks at its own part of the picture.

        The first and the third picture differ in their left half alone.
        """
        other = None if self.more is None else self.more.get((len(self.paths), keys))
        if other is None or other.shape[axis] < _HALVED + 1 or grid[1] < 2:
            return False
        rows = other.value.movedim(axis, 0)
        differs = (rows[0] != rows[_HALVED]).any(-1).unflatten(0, grid).any(0)
        middle = -(-grid[1] // 2)
        return bool(differs.any() and not differs[middle:].any())


_HALVED = 2
"""The number of the picture that is the first one, but for its left half."""


def _unrecordable(module: nn.Module, value: Tensor, pictures: int) -> str:
    """Why a module's value is no layer, in words."""
    shape = " x ".join(map(str, value.shape)) or "one number"
    said = f"for {pictures} pictures {type(module).__name__} gives back {shape}"
    if not value.is_floating_point():
        return f"{said} of {str(value.dtype).removeprefix('torch.')}, which are no answers of units"
    if value.ndim > 4:
        return (
            f"{said}: volumes or films, which have no picture; maps (b c h w), sequences (b t c) "
            "and vectors (b c) are recorded"
        )
    return f"{said}, in which no axis counts the pictures"


def _watchable(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that take hooks, with their paths; the network itself is called the output."""
    modules = dict(module.named_modules())
    for path, submodule in modules.items():
        hookable = not isinstance(submodule, torch.jit.ScriptModule)
        if hookable and (path or OUTPUT not in modules):
            yield path, submodule


def _state(tensor: Tensor) -> State:
    # In-place operations keep the object but raise its version: conv -> relu_ -> norm is not
    # conv -> norm.
    return id(tensor), tensor._version
