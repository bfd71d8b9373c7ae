"""The layers of a network, found by running it once and watching.

A layer is a tensor with a row for each picture that one call of one module gives back: the whole
of what it gives back, or a part of a tuple or a dictionary. How they are named, `sites` says; how
their values are recorded, `layouts`. Scripted modules take no hooks, so they are no layers.
Which axis counts the pictures is observed, by showing another number of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.hooks import RemovableHandle

from phosphene.errors import UnknownUnitError
from phosphene.network.discovery.queries import Followed
from phosphene.network.layouts import Evidence, Grid, Kind, Layout, layout_of, unit_axis
from phosphene.network.sites import OUTPUT, Key, Site, call_names, tensors
from phosphene.units import Unit

NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Layer:
    """One named place in the network where values can be recorded.

    `shape` is that of a recorded value without the batch: `(c, h, w)` for maps, `(d,)` for dense
    layers, `(t, d)` for sequences. Patches that a network has in a row, with or without a class
    token before them, are maps; the class token is a layer of its own. `layout` says how the
    network itself has them. `default` marks the layers a study looks at unless told otherwise.
    `weights` is the path of the module whose `weight` makes this layer's units.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    default: bool
    site: Site
    weights: str | None = None

    @property
    def units(self) -> int:
        """How many units: channels of maps, features of dense layers and of sequences."""
        return self.shape[unit_axis(1 + len(self.shape)) - 1]

    @property
    def spatial(self) -> bool:
        """Whether the layer's units are maps over the picture."""
        return len(self.shape) == 3

    @property
    def layout(self) -> Kind:
        """How the network itself has the layer's values."""
        return self.site.layout.kind

    def at(self, place: int) -> tuple[int, int]:
        """Row and column of position number `place`, counted row by row; tokens are one row."""
        return divmod(place, self.shape[0] if len(self.shape) == 2 else self.shape[-1])

    def check(self, unit: Unit) -> None:
        """Raise `UnknownUnitError` if the layer has no such unit, or not there."""
        if not 0 <= unit.index < self.units:
            raise UnknownUnitError(
                f"layer {self.name!r} has units 0 to {self.units - 1}; {unit.index} was asked for"
            )
        if unit.y is not None and not (
            self.spatial and unit.y < self.shape[1] and (unit.x or 0) < self.shape[2]
        ):
            raise UnknownUnitError(f"{unit} is outside layer {self.name!r} of shape {self.shape}")


Place = tuple[int, tuple[Key, ...]]
"""The number of a call, and where in what it gave back."""


@dataclass(frozen=True)
class Discovery:
    """What one pass showed: the layers in the order they finish, their values, their inputs.

    `ends` are the names of the layers that the last call gave back, `places` tells for each layer
    which call it was, `picture` the size of the pictures. `left_out` says of modules that gave
    back nothing that can be recorded what it was. `blurred` are the layers from the first operation
    on that decides by a value, as comparisons and max-unpooling do: a NaN may not reach what
    depends on it. `sources` are the names of the layers that each one's value is made of, without
    another layer between them; a module that gives its input back stands between what comes before
    it and all that comes after.
    """

    layers: dict[str, Layer]
    values: dict[str, Tensor]
    ends: tuple[str, ...]
    places: dict[str, Place]
    picture: Grid
    left_out: dict[str, str]
    blurred: frozenset[str]
    sources: dict[str, tuple[str, ...]]


State = tuple[int, int]


@dataclass(frozen=True)
class _Value:
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


def discover(
    module: nn.Module, inputs: Tensor, more: Mapping[Place, Seen] | None = None
) -> Discovery:
    """Run `module` once on normalised `inputs` and name what can be recorded.

    The values are copied before an in-place operation can change them. `more` is what `seen_in`
    found for another number of pictures: an axis that grows with it counts the pictures; without
    it that is taken to be the first axis. Of `more`, the first and the third picture are to be
    alike in their right half, so that grids of places can be told from other rows.
    Layers with a weight matrix of their own are default, or the norm that directly follows one.
    """
    seen = _Observer(module, inputs, more)
    with seen, Followed(inputs) as seen.followed, torch.no_grad():
        module(inputs)
    weighted = {v.state: v for v in seen.values if _weights(v) is not None}
    feeders = [weighted.get(v.source) if isinstance(v.module, NORMS) and v.source else None
               for v in seen.values]  # fmt: skip
    normed = {feeder.state for feeder in feeders if feeder is not None}
    names = call_names(seen.paths)
    layers, values, places, ends, sources, order = {}, {}, {}, [], {}, list[str]()
    for value, feeder in zip(seen.values, feeders, strict=True):
        base = names[value.place]
        own = _weights(value)
        site = Site(
            base + "".join(f"[{key}]" for key in value.keys),
            value.path,
            int(base.rpartition("@")[2]) if base != (value.path or OUTPUT) else None,
            value.keys,
            value.layout,
        )
        layer = Layer(
            name=site.name,
            kind=type(value.module).__name__,
            shape=tuple(site.layout.read(value.copy, seen.picture).shape[1:]),
            default=feeder is not None or (own is not None and value.state not in normed),
            site=site,
            weights=_weights(feeder) if feeder is not None else own,
        )
        order.append(layer.name)
        for found in _with_tokens(layer, value.copy.shape):
            sources[found.name] = tuple(order[number] for number in sorted(value.made_of))
            layers[found.name] = found
            places[found.name] = (value.place, value.keys)
            values[found.name] = found.site.layout.read(value.copy, seen.picture)
        if value.place == len(names) - 1:
            ends.append(layer.name)
    paths = {layer.site.path for layer in layers.values()}
    left_out = {path: said for path, said in seen.left_out.items() if path not in paths}
    since = len(names) if seen.followed.swallowed is None else seen.followed.swallowed
    return Discovery(
        layers=layers,
        values=values,
        ends=tuple(ends),
        places=places,
        picture=seen.picture,
        left_out=left_out,
        blurred=frozenset(name for name, (call, _) in places.items() if call >= since),
        sources=sources,
    )


def _with_tokens(layer: Layer, shape: tuple[int, ...]) -> Iterator[Layer]:
    """The layer itself, and the tokens that stand before its patches."""
    yield layer
    leading = layer.site.layout.leading
    for i in range(leading):
        name = f"{layer.name}[{'class' if leading == 1 else f'token{i}'}]"
        site = replace(
            layer.site, name=name, layout=replace(layer.site.layout, kind="token", leading=i)
        )
        yield replace(layer, name=name, shape=(shape[2],), site=site, default=False)


class _Observer:
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
        self.values: list[_Value] = []
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
            _Value(len(self.paths), path, keys, module, origin, state, copy, layout, made_of)
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


def _weights(value: _Value) -> str | None:
    """The path of the module whose weight makes the units of `value`, if one does directly."""
    if isinstance(value.module, nn.MultiheadAttention) and value.keys in {(), (0,)}:
        return f"{value.path}.out_proj"  # used by it, never called
    weight = getattr(value.module, "weight", None)
    own = (
        isinstance(weight, Tensor)
        and weight.ndim >= 2
        and weight.is_floating_point()
        and value.keys in {(), (0,)}
        and not isinstance(value.module, (nn.Embedding, nn.EmbeddingBag, *NORMS))
    )
    return value.path if own else None
