"""Hold a module still: eval mode, no gradients for its weights; give it back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from phosphene.network.turns import turn

_FROZEN: set[nn.Module] = set()
"""Those in a block of `frozen` now, each by the thread whose turn it is."""


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """For the duration, `module` is in eval mode and its parameters need no gradient.

    Other threads wait for their turn in `module`, see `turn`: a pass and what is made of its
    gradients belong into one block.

    Every submodule's `training` flag and every parameter's `requires_grad` are restored on the
    way out, also after an exception. `.grad` is never touched. Inside a block for the same module
    there is nothing to do.
    """
    with turn(module):
        if module in _FROZEN:
            yield
            return
        parts = list(module.modules())
        training = [m for m in parts if m.training]
        weights = (p for m in parts for p in m._parameters.values() if p is not None)
        learning = [p for p in weights if p.requires_grad]
        for m in training:
            m.training = False  # not .eval(): models override it, and it recurses
        for p in learning:
            p.requires_grad_(False)
        _FROZEN.add(module)
        try:
            yield
        finally:
            _FROZEN.discard(module)
            for m in training:
                m.training = True
            for p in learning:
                p.requires_grad_(True)


@contextmanager
def steady(module: nn.Module, moved: list[str] | None = None) -> Iterator[None]:
    """Put buffers that a pass changes back, in eval mode too: observers and counters go on.

    The names of those that were changed are added to `moved`.
    """
    with turn(module):
        kept = [
            (m, path, name, buffer, buffer.detach().clone())
            for path, m in module.named_modules(remove_duplicate=True)
            if not isinstance(m, torch.jit.ScriptModule)
            for name, buffer in m._buffers.items()
            if buffer is not None
        ]
        try:
            yield
        finally:
            for m, path, name, buffer, before in kept:
                same = m._buffers.get(name) is buffer and _alike(buffer, before)
                if not same:
                    m._buffers[name] = buffer
                    with torch.no_grad():
                        buffer.resize_(before.shape)  # an observer grows with its first values
                        buffer.copy_(before)
                    if moved is not None:
                        moved.append(f"{path}.{name}".lstrip("."))


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same, NaN being equal to itself."""
    if one.shape != other.shape:
        return False
    return torch.equal(one, other) or torch.equal(one.nan_to_num(), other.nan_to_num())
