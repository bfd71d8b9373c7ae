"""Which layers a study looks at unless told otherwise.

Of a small network all that have weights. Of a large one the ends of its stages and the logits:

1. The trunk is the network's outermost modules. A module whose inside comes down by more than
   one halving of the resolution, or from maps to a vector, is opened and its parts take its place;
   any other is one step of the trunk, however much is in it.
2. Steps in a row that give back equally many units on the same grid are a stage, and the last of
   them that has weights is its end.
3. A stage that holds more than half of the layers with weights (a vision transformer is one stage)
   and repeats a block is told at a quarter, half, three quarters and the end of its blocks.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from phosphene.network.discovery.layers import Layer

MOST_WEIGHTED = 12
"""Up to so many layers with weights a study looks at all of them."""

_FEWEST_BLOCKS = 4


def with_defaults(layers: Mapping[str, Layer], logits: str | None) -> dict[str, Layer]:
    """The layers of one network, `default` set for those a study looks at."""
    if sum(layer.default for layer in layers.values()) <= MOST_WEIGHTED:
        return dict(layers)
    chosen = {layer.name for layer in stage_ends(list(layers.values()))} | {logits}
    return {name: replace(layer, default=name in chosen) for name, layer in layers.items()}


def stage_ends(layers: Sequence[Layer]) -> list[Layer]:
    """The last layers before the resolution or the number of units changes for good."""
    ends = []
    for _, steps in groupby(_trunk(layers), key=_form):
        stage = list(steps)
        inside = [la for la in layers if any(_is_in(la, step) or la is step for step in stage)]
        blocks = _repeated(inside)
        if 2 * _weighted(inside) > _weighted(layers) and len(blocks) >= _FEWEST_BLOCKS:
            ends += [blocks[-(-len(blocks) * k // 4) - 1] for k in (1, 2, 3, 4)]
        else:
            ends.append(stage[-1])
    return ends


def _trunk(layers: Sequence[Layer]) -> list[Layer]:
    """The steps of the trunk that have weights, in the order in which they finish."""
    first = [la for la in layers if la.site.path and la.layout != "token" and _leads(la, layers)]
    closed = [la for la in first if not _is_open(la, layers)]
    paths = {la.site.path for la in closed}
    return [
        la
        for la in closed
        if not any(_is_under(la.site.path, path) for path in paths)
        and (la.weights is not None or any(_is_in(x, la) and x.weights for x in layers))
    ]


def _leads(layer: Layer, layers: Sequence[Layer]) -> bool:
    """Whether `layer` is the first of what its call gave back."""
    site = layer.site
    same = (la for la in layers if (la.site.path, la.site.call) == (site.path, site.call))
    return next(la for la in same if la.layout != "token") is layer


def _is_open(layer: Layer, layers: Sequence[Layer]) -> bool:
    inner = [la for la in layers if _is_in(la, layer)]
    if not layer.spatial:
        return bool(inner)
    return any(la.spatial and la.shape[1] > 2 * layer.shape[1] + 1 for la in inner)


def _repeated(layers: Sequence[Layer]) -> list[Layer]:
    """The largest group of alike modules side by side that have weights inside."""
    groups: defaultdict[tuple[str, str, tuple[int, ...]], list[Layer]] = defaultdict(list)
    for layer in layers:
        if layer.layout != "token" and any(_is_in(la, layer) and la.weights for la in layers):
            parent = layer.site.path.rpartition(".")[0]
            groups[parent, layer.kind, layer.shape].append(layer)
    return max(groups.values(), key=len, default=[])


def _weighted(layers: Sequence[Layer]) -> int:
    return sum(layer.default for layer in layers)


def _form(layer: Layer) -> tuple[int, tuple[int, ...]]:
    return layer.units, layer.shape[1:] if layer.spatial else ()


def _is_in(inner: Layer, outer: Layer) -> bool:
    return _is_under(inner.site.path, outer.site.path)


def _is_under(path: str, parent: str) -> bool:
    return path.startswith(f"{parent}.")
