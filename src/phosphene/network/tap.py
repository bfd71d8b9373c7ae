"""Record the values of named layers during one forward pass, and stop after the deepest."""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from phosphene.network.layers import OUTPUT


class _Stop(BaseException):
    """Leaves the forward pass; not an Exception, so that no model swallows it."""


@contextmanager
def tap(
    module: nn.Module, layers: Collection[str], stop: bool = True
) -> Iterator[dict[str, Tensor]]:
    """Record the values of `layers` in whatever forward pass runs inside the block.

    The dictionary fills as the layers are reached. With `stop` the pass is left as soon as all
    are there, which ends the block. A record is a copy, since the layer may have given back its
    own input, and the model goes on with a copy of the record: what an in-place operation does
    next changes neither; gradients flow through the record. All hooks are removed on the way out.
    """
    wanted = set(layers)
    values: dict[str, Tensor] = {}
    calls: Counter[str] = Counter()
    modules = dict(module.named_modules())

    def recorder(path: str) -> Any:
        base = path or OUTPUT

        def hook(submodule: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            name = f"{base}@{calls[path]}"
            calls[path] += 1
            name = name if name in wanted else base
            if name not in wanted or name in values:
                return None
            values[name] = output.clone()
            if stop and len(values) == len(wanted):
                raise _Stop
            return values[name].clone()

        return hook

    handles = []
    try:
        for path in {_path(name, modules) for name in wanted}:
            handles.append(modules[path].register_forward_hook(recorder(path)))
        yield values
    except _Stop:
        pass
    finally:
        for handle in handles:
            handle.remove()


def _path(name: str, modules: dict[str, nn.Module]) -> str:
    base, _, call = name.rpartition("@")
    path = base if call.isdigit() and base else name
    return "" if path == OUTPUT and OUTPUT not in modules else path
