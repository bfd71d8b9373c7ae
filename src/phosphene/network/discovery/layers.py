"""The layers of a network, found by running it once and watching.

A layer is a tensor with a row for each picture that one call of one module gives back: the whole
of what it gives back, or a part of a tuple or a dictionary. How they are named, `sites` says; how
their values are recorded, `layouts`. Scripted modules take no hooks, so they are no layers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from phosphene.errors import UnknownUnitError
from phosphene.network.discovery.observing import Given, Observer, Place, Seen
from phosphene.network.discovery.queries import Followed
from phosphene.network.layouts import Grid, Kind, unit_axis
from phosphene.network.sites import OUTPUT, Site, call_names
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
    seen = Observer(module, inputs, more)
    with seen, Followed(inputs) as seen.followed, torch.no_grad():
        module(inputs)
    weighted = {v.state: v for v in seen.values if _weights(v) is not None}
    feeders = [weighted.get(v.source) if isinstance(v.module, NORMS) and v.source else None
               for v in seen.values]  # fmt: skip
    normed = {feeder.state for feeder in feeders if feeder is not None}
    names = call_names(seen.paths)
    layers, values, places, ends, sources, order = {}, {}, {}, [], {}, list[str]()
    for value, feeder in zip(seen.values, feeders, strict=True):
        layer = _layer(value, names[value.place], feeder, value.state in normed, seen.picture)
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


def _layer(value: Given, base: str, feeder: Given | None, normed: bool, picture: Grid) -> Layer:
    """The layer of a value; `base` is the call's name, `feeder` what a norm normalises.

    What is `normed` has its norm in its place among the default layers.
    """
    own = _weights(value)
    site = Site(
        base + "".join(f"[{key}]" for key in value.keys),
        value.path,
        int(base.rpartition("@")[2]) if base != (value.path or OUTPUT) else None,
        value.keys,
        value.layout,
    )
    return Layer(
        name=site.name,
        kind=type(value.module).__name__,
        shape=tuple(site.layout.read(value.copy, picture).shape[1:]),
        default=feeder is not None or (own is not None and not normed),
        site=site,
        weights=_weights(feeder) if feeder is not None else own,
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


def _weights(value: Given) -> str | None:
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
