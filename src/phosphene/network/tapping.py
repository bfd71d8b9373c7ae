"""Record the values at named sites during one forward pass, and stop after the deepest."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from phosphene.network.layouts import Grid
from phosphene.network.sites import Site, tensors
from phosphene.network.turns import turn


class _Stop(BaseException):
    """Leaves the forward pass; not an Exception, so that no model swallows it."""


@contextmanager
def tap(
    module: nn.Module,
    sites: Iterable[Site],
    stop: bool = True,
    take: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[dict[str, Tensor]]:
    """Record the values at `sites`, by name, in whatever forward pass runs inside the block.

    The dictionary fills as the sites are reached. With `stop` the pass is left as soon as all
    are there, which ends the block. A record is a copy, since the layer may have given back its
    own input, and the model goes on with a copy of the record: what an in-place operation does
    next changes neither; gradients flow through the record. With `take`, what it makes of each
    value is kept instead, and the model goes on undisturbed. All hooks are removed on the way out.
    """
    wanted: dict[str, list[Site]] = {}
    for site in sites:
        wanted.setdefault(site.path, []).append(site)
    total = len({site.name for of_path in wanted.values() for site in of_path})
    values: dict[str, Tensor] = {}
    end = _Stop()

    def record(site: Site, output: Any, picture: Grid) -> Any:
        value = site.read(output, picture)
        if take is not None:
            values[site.name] = take(value)
            return output
        values[site.name] = value.clone()
        return output if len(values) == total and stop else site.write(output, values[site.name])

    def watch(path: str, call: int, output: Any, picture: Grid) -> Any:
        changed = output
        for site in wanted[path]:
            if site.call in (None, call) and site.name not in values:
                changed = record(site, changed, picture)
        if stop and len(values) == total:
            raise end
        return changed if changed is not output else None

    try:
        with watched(module, wanted, watch):
            yield values
    except _Stop as met:
        if met is not end:
            raise
    finally:
        end.__traceback__ = None  # its frames hold the whole pass, and one of them holds `end`


@contextmanager
def watched(
    module: nn.Module, paths: Iterable[str], watch: Callable[[str, int, Any, Grid], Any]
) -> Iterator[None]:
    """Call `watch(path, call, output, picture)` whenever a module at one of `paths` gives back.

    Calls are counted within each pass over `module`, whose first input is the picture. What
    `watch` gives back, if not None, takes the output's place. Other threads wait for their turn.
    """
    calls: Counter[str] = Counter()
    picture: Grid = (0, 0)

    def restart(submodule: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal picture
        calls.clear()
        _, inputs = next(tensors((args, kwargs)), ((), torch.zeros(0, 0, 0)))
        picture = (inputs.shape[-2], inputs.shape[-1])

    def hook(path: str) -> Any:
        def run(submodule: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            calls[path] += 1
            return watch(path, calls[path] - 1, output, picture)

        return run

    with turn(module):
        handles: list[RemovableHandle] = []
        try:
            restarting = module.register_forward_pre_hook(restart, with_kwargs=True, prepend=True)
            handles.append(restarting)
            for path in paths:
                handles.append(_part(module, path).register_forward_hook(hook(path)))
            yield
        finally:
            for handle in handles:
                handle.remove()


def _part(module: nn.Module, path: str) -> nn.Module:
    """The module at `path`, step by step: to list all of a deep module takes longer than a pass."""
    part: Any = module
    for name in filter(None, path.split(".")):
        part = part._modules[name]
    return cast(nn.Module, part)
