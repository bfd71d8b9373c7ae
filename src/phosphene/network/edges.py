"""What the units of a layer are made of: the layers that feed it, the weights that make them."""

from collections.abc import Collection, Iterable, Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.network.discovery.layers import Layer
from phosphene.network.freezing import frozen


def weights_of(module: nn.Module, layer: Layer) -> Float[Tensor, "units ..."] | None:
    """The weights that make each unit of `layer`, units first; None for layers without."""
    if layer.weights is None:
        return None
    maker = module.get_submodule(layer.weights)
    with frozen(maker):  # a parametrised weight is computed, in training with a change
        weight: Tensor = maker.weight.detach()  # type: ignore[operator]
    weight = weight.transpose(0, 1) if getattr(maker, "transposed", False) else weight
    return torch.cat([-weight / 2, weight / 2]) if layer.layout == "two_sided" else weight


def feeds_of(
    layers: Mapping[str, Layer], sources: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """For each layer those of `layers` that feed it, with no other of them between.

    `sources` is what discovery saw; what it saw and is none of `layers` is passed through. A layer
    that is derived from a layer is fed by that one.
    """

    def fed(name: str) -> Iterator[str]:
        for source in sources[name]:
            yield from [source] if source in layers else fed(source)

    return {
        name: tuple(dict.fromkeys(fed(name))) if name in sources else (name.rpartition("[")[0],)
        for name in layers
    }


def made_of(feeds: Mapping[str, Collection[str]], names: Iterable[str]) -> set[str]:
    """All layers that some layers are made of, near and far, these among them.

    >>> sorted(made_of({"sum": ("left", "right"), "left": ("stem",), "right": (), "stem": ()},
    ...                ["left"]))
    ['left', 'stem']
    """
    seen, todo = set[str](), list(names)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(feeds[name])
    return seen
