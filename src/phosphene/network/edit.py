"""Put other values in the place of a layer's, for as long as a block lasts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from phosphene.errors import UnknownLayerError, nearest
from phosphene.network.layers import OUTPUT


@contextmanager
def replace(module: nn.Module, layer: str, edit: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """While it holds, the network goes on from `edit(value)` wherever `layer` gives back a value.

    `layer` is a name as `Network.layers` has it: of a module that is called several times in a
    pass, `path@1` is the second call alone and `path` stands for all of them. Calls are counted
    within each pass over `module`. `edit` gives back a new tensor; a recording made inside the
    block holds the replaced values. The hooks are removed on the way out, also after an exception.

    Raises:
        UnknownLayerError: no module of that name, with the nearest.

    >>> import torch
    >>> double = nn.Sequential(nn.Identity(), nn.ReLU())
    >>> with replace(double, "0", torch.neg):
    ...     double(torch.tensor([-2.0, 3.0]))
    tensor([2., 0.])
    """
    modules = dict(module.named_modules())
    path, turn = _site(layer, modules)
    calls = 0

    def restart(submodule: nn.Module, args: tuple[Any, ...]) -> None:
        nonlocal calls
        calls = 0

    def hook(submodule: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return edit(output) if turn in (None, calls - 1) else output

    handles = [
        module.register_forward_pre_hook(restart),
        modules[path].register_forward_hook(hook),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _site(layer: str, modules: dict[str, nn.Module]) -> tuple[str, int | None]:
    """The module's path, and which of its calls is meant."""
    base, _, call = layer.rpartition("@")
    path, turn = (base, int(call)) if base and call.isdigit() else (layer, None)
    if path == OUTPUT and OUTPUT not in modules:
        path = ""
    if path not in modules:
        raise UnknownLayerError(
            f"no layer {layer!r} to replace; {nearest(path, filter(None, modules))}"
        )
    return path, turn
