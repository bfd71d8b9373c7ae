"""The layers of a network, found by running it once and watching.

A layer is one call of one module that gives back a tensor with a row for each picture. It is named
by the module's dotted `named_modules()` path; a module that is called several times gives `path@0`,
`path@1`, … in the order of its calls. The network's own output is called `output`, unless a module
has that name. Scripted modules take no hooks, so they are no layers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.hooks import RemovableHandle

OUTPUT = "output"

NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Layer:
    """One named place in the network where values can be recorded.

    `shape` leaves out the batch: `(c, h, w)` for maps, `(d,)` for dense layers, `(t, d)` for
    sequences of tokens. `default` marks the layers a study looks at unless told otherwise:
    those with a weight matrix of their own, or the normalisation that directly follows one.
    `weights` is the path of the module whose `weight` makes this layer's units.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    default: bool
    weights: str | None = None

    @property
    def units(self) -> int:
        """How many units: channels of maps, features of dense layers and of tokens."""
        return self.shape[-1] if len(self.shape) == 2 else self.shape[0]

    @property
    def spatial(self) -> bool:
        """Whether the layer's units are maps over the picture."""
        return len(self.shape) == 3


@dataclass(frozen=True)
class _Call:
    path: str
    module: nn.Module
    source: Any
    source_state: tuple[int, int]
    value: Tensor
    state: tuple[int, int]
    copy: Tensor


def site_names(paths: Sequence[str]) -> list[str]:
    """Name each call of a module, given the modules' paths in the order of the calls.

    >>> site_names(["conv", "relu", "fc", "relu", ""])
    ['conv', 'relu@0', 'fc', 'relu@1', 'output']
    """
    total = Counter(paths)
    seen: Counter[str] = Counter()
    names = []
    for path in paths:
        base = path or OUTPUT
        names.append(f"{base}@{seen[path]}" if total[path] > 1 else base)
        seen[path] += 1
    return names


def discover(module: nn.Module, inputs: Tensor) -> tuple[dict[str, Layer], dict[str, Tensor]]:
    """Run `module` once on normalised `inputs`: its layers in the order they finish, their values.

    The values are copied before an in-place operation can change them. Give at least two inputs,
    or what does not grow with their number (constants, windows, time first) is taken for a layer.
    """
    calls = _watch(module, inputs)
    weighted = {call.state: call for call in calls.values() if _has_weights(call.module)}
    feeders = {
        name: weighted.get(call.source_state)
        for name, call in calls.items()
        if isinstance(call.module, NORMS)
    }
    normed = {feeder.state for feeder in feeders.values() if feeder is not None}
    layers, values = {}, {}
    for name, call in calls.items():
        feeder = feeders.get(name)
        own = _has_weights(call.module)
        layers[name] = Layer(
            name=name,
            kind=type(call.module).__name__,
            shape=tuple(call.value.shape[1:]),
            default=feeder is not None or (own and call.state not in normed),
            weights=feeder.path if feeder is not None else (call.path if own else None),
        )
        values[name] = call.copy
    return layers, values


def _watch(module: nn.Module, inputs: Tensor) -> dict[str, _Call]:
    paths: list[str] = []  # of all calls, also of those that are no layers: `tap` counts them too
    calls: dict[int, _Call] = {}
    handles: list[RemovableHandle] = []

    def watcher(path: str) -> Any:
        def hook(submodule: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            if _per_picture(output, len(inputs)):
                source = args[0] if args else None
                state = _state(source)
                calls[len(paths)] = _Call(
                    path, submodule, source, state, output, _state(output), output.clone()
                )
            paths.append(path)

        return hook

    modules = dict(module.named_modules())
    try:
        for path, submodule in modules.items():
            hookable = not isinstance(submodule, torch.jit.ScriptModule)
            if hookable and (path or OUTPUT not in modules):
                handles.append(submodule.register_forward_hook(watcher(path)))
        with torch.no_grad():
            module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    names = site_names(paths)
    return {names[place]: call for place, call in calls.items()}


def _per_picture(output: Any, pictures: int) -> bool:
    return (
        isinstance(output, Tensor)
        and output.is_floating_point()
        and 2 <= output.ndim <= 4
        and len(output) == pictures
    )


def _state(tensor: Any) -> tuple[int, int]:
    # In-place operations keep the object but raise its version: conv -> relu_ -> norm is not
    # conv -> norm. The calls hold on to the tensors, so an id is never given out twice.
    return id(tensor), getattr(tensor, "_version", 0)


def _has_weights(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return (
        isinstance(weight, Tensor)
        and weight.ndim >= 2
        and weight.is_floating_point()
        and not isinstance(module, (nn.Embedding, nn.EmbeddingBag, *NORMS))
    )
