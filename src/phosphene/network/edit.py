"""Put other values in the place of a layer's, for as long as a block lasts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from phosphene.network.discovery.layers import Layer
from phosphene.network.layouts import Grid
from phosphene.network.sites import Site
from phosphene.network.tapping import watched


@contextmanager
def replace(
    module: nn.Module, layer: Layer | str, edit: Callable[[Tensor], Tensor]
) -> Iterator[None]:
    """While it holds, the network goes on from `edit(value)` wherever `layer` gives back a value.

    With a `Layer` of `Network.layers`, `edit` is given values as they are recorded: maps as
    `b c h w`, also where the network has its channels last or patches in a row. With a name it is
    given what the module gave back; of a module that is called several times in a pass, `path@1`
    is the second call alone and `path` stands for all of them. Calls are counted within each pass
    over `module`. `edit` gives back a new tensor; a recording made inside the block holds the
    replaced values. The hooks are removed on the way out, also after an exception.

    Raises:
        UnknownLayerError: no module of that name, with the nearest.

    >>> import torch
    >>> double = nn.Sequential(nn.Identity(), nn.ReLU())
    >>> with replace(double, "0", torch.neg):
    ...     double(torch.tensor([[[[-2.0, 3.0]]]]))
    tensor([[[[2., 0.]]]])
    """
    site = layer.site if isinstance(layer, Layer) else Site.parse(layer, module)

    def watch(path: str, call: int, output: Any, picture: Grid) -> Any:
        if site.call not in (None, call):
            return None
        return site.write(output, edit(site.read(output, picture)))

    with watched(module, [site.path], watch):
        yield
