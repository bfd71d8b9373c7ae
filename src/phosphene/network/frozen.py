"""Hold a module still: eval mode, no gradients for its weights; give it back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """For the duration, `module` is in eval mode and its parameters need no gradient.

    Every submodule's `training` flag and every parameter's `requires_grad` are restored on the
    way out, also after an exception, and so are attributes that a module sets on itself while it
    runs (transformers' Swin fits its windows to small pictures for good). `.grad` is never touched.
    """
    attributes = [(m, dict(vars(m))) for m in module.modules()]
    training = [m for m in module.modules() if m.training]
    learning = [p for p in module.parameters() if p.requires_grad]
    for m in training:
        m.training = False  # not .eval(): models override it, and it recurses
    for p in learning:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for m, before in attributes:
            _put_back(m, before)
        for m in training:
            m.training = True
        for p in learning:
            p.requires_grad_(True)


def _put_back(module: nn.Module, before: dict[str, Any]) -> None:
    now = vars(module)
    for name in now.keys() - before.keys():
        del now[name]
    now |= {name: value for name, value in before.items() if now.get(name) is not value}
