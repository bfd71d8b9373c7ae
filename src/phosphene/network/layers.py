"""The layers of a network, found by running it once and watching.

A layer is a tensor with a row for each picture that one call of one module gives back: the whole
of what it gives back, or a part of a tuple or a dictionary. How they are named, `sites` says; how
their values are recorded, `layouts`. Scripted modules take no hooks, so they are no layers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.hooks import RemovableHandle

from phosphene.network.layouts import Grid, Kind, Layout, layout_of
from phosphene.network.sites import OUTPUT, Key, Site, call_names, tensors

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
        return self.shape[-1] if len(self.shape) == 2 else self.shape[0]

    @property
    def spatial(self) -> bool:
        """Whether the layer's units are maps over the picture."""
        return len(self.shape) == 3

    @property
    def layout(self) -> Kind:
        """How the network itself has the layer's values."""
        return self.site.layout.kind


@dataclass(frozen=True)
class Discovery:
    """What one pass showed: the layers in the order they finish, their values, their inputs.

    `ends` are the names of the layers that the last call gave back.
    """

    layers: dict[str, Layer]
    values: dict[str, Tensor]
    ends: tuple[str, ...]


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


def discover(module: nn.Module, inputs: Tensor) -> Discovery:
    """Run `module` once on normalised `inputs` and name what can be recorded.

    The values are copied before an in-place operation can change them. Give at least two inputs,
    or what does not grow with their number (constants, windows, time first) is taken for a layer.
    Layers with a weight matrix of their own are default, or the norm that directly follows one.
    """
    seen = _Observer(module, inputs)
    with seen, torch.no_grad():
        module(inputs)
    weighted = {v.state: v for v in seen.values if _weights(v) is not None}
    feeders = [weighted.get(v.source) if isinstance(v.module, NORMS) and v.source else None
               for v in seen.values]  # fmt: skip
    normed = {feeder.state for feeder in feeders if feeder is not None}
    names = call_names(seen.paths)
    layers, values, ends = {}, {}, []
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
        for found in _with_tokens(layer, value.copy.shape):
            layers[found.name] = found
            values[found.name] = found.site.layout.read(value.copy, seen.picture)
        if value.place == len(names) - 1:
            ends.append(layer.name)
    return Discovery(layers, values, tuple(ends))


def _with_tokens(layer: Layer, shape: tuple[int, ...]) -> Iterator[Layer]:
    """The layer itself, and the tokens that stand before its patches."""
    yield layer
    leading = layer.site.layout.leading
    for i in range(leading):
        name = f"{layer.name}[{'class' if leading == 1 else f'token{i}'}]"
        site = replace(layer.site, name=name, layout=Layout("token", i))
        yield replace(layer, name=name, shape=(shape[2],), site=site, default=False)


class _Observer:
    """Watches one pass over a module: which calls there are, and what each gives back."""

    def __init__(self, module: nn.Module, inputs: Tensor) -> None:
        self.modules = dict(module.named_modules())
        self.pictures = len(inputs)
        self.picture: Grid = (inputs.shape[2], inputs.shape[3])
        self.paths: list[str] = []  # of all calls, also of those that are no layers
        self.values: list[_Value] = []
        self.layouts = {id(inputs): Layout("maps")}
        self.held: list[Any] = [inputs]  # so that no id is given out twice
        self.grids: set[Grid] = set()
        self.handles: list[RemovableHandle] = []

    def __enter__(self) -> None:
        for path, submodule in self.modules.items():
            hookable = not isinstance(submodule, torch.jit.ScriptModule)
            if hookable and (path or OUTPUT not in self.modules):
                hook = self._watcher(path)
                self.handles.append(submodule.register_forward_hook(hook, with_kwargs=True))

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _watcher(self, path: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            source = next((tensor for _, tensor in tensors((args, kwargs))), None)
            for keys, value in tensors(output):
                if _per_picture(value, self.pictures):
                    self._keep(path, keys, module, source, value)
            self.paths.append(path)

        return hook

    def _keep(
        self, path: str, keys: tuple[Key, ...], module: nn.Module, source: Any, value: Tensor
    ) -> None:
        layout = self.layouts.get(id(value))
        if layout is None:
            same = source is not None and source.shape == value.shape
            inherited = self.layouts.get(id(source)) if same else None
            layout = layout_of(module, value, inherited, self.grids, self.picture)
        self.layouts[id(value)] = layout
        self.held += [value, source]
        copy = value.clone()
        recorded = layout.read(copy, self.picture)
        if recorded.ndim == 4:
            self.grids.add((recorded.shape[2], recorded.shape[3]))
        origin = None if source is None else _state(source)
        self.values.append(
            _Value(len(self.paths), path, keys, module, origin, _state(value), copy, layout)
        )


def _per_picture(output: Tensor, pictures: int) -> bool:
    return output.is_floating_point() and 2 <= output.ndim <= 4 and len(output) == pictures


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
