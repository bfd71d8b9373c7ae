"""Hold a module still: eval mode, no gradients for its weights; give it back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """For the duration, `module` is in eval mode and its parameters need no gradient.

    Every submodule's `training` flag and every parameter's `requires_grad` are restored on the
    way out, also after an exception. `.grad` is never touched.
    """
    training = [m for m in module.modules() if m.training]
    learning = [p for p in module.parameters() if p.requires_grad]
    for m in training:
        m.training = False  # not .eval(): models override it, and it recurses
    for p in learning:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for m in training:
            m.training = True
        for p in learning:
            p.requires_grad_(True)
