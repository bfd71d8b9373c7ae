"""What each layer costs: the multiply-adds of one pass, counted as the operations run."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from phosphene.network.discovery.layers import Layer
from phosphene.network.tapping import watched


def multiply_adds(module: nn.Module, layers: dict[str, Layer], inputs: Tensor) -> dict[str, int]:
    """The multiply-adds of each layer's call for all `inputs`, with all that runs inside it.

    Matrix products, convolutions and attention are counted, as PyTorch's own counter has them
    (it says two operations for each); sums, activations and poolings are not. A class token is a
    part of another layer and has no cost of its own.
    """
    wanted: dict[str, list[Layer]] = {}
    for layer in layers.values():
        if layer.layout != "token":
            wanted.setdefault(layer.site.path, []).append(layer)
    counter = FlopCounterMode(display=False)
    begun: dict[str, int] = {}
    found: dict[str, int] = {}

    def begin(path: str) -> Any:
        def hook(submodule: nn.Module, args: tuple[Any, ...]) -> None:
            begun[path] = counter.get_total_flops()

        return hook

    def end(path: str, call: int, output: Any, picture: tuple[int, int]) -> None:
        for layer in wanted[path]:
            if layer.site.call in (None, call):
                found[layer.name] = (counter.get_total_flops() - begun[path]) // 2

    modules = dict(module.named_modules())
    handles = [modules[path].register_forward_pre_hook(begin(path)) for path in wanted]
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # its one operation is not counted
        with watched(module, wanted, end), torch.no_grad(), counter:
            module(inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for handle in handles:
            handle.remove()
    return found
