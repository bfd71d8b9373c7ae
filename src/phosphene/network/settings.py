"""Keep what a module sets on itself for one picture from outlasting that picture.

Some networks fit themselves to the size they are given, and stay fitted: transformers' Swin makes
its windows smaller for a small picture and never larger again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from phosphene.network.turns import turn

_PLAIN = (bool, int, float, str, tuple, type(None))


@contextmanager
def kept_settings(module: nn.Module) -> Iterator[None]:
    """Put the plain attributes of all submodules back to what they were, also after an exception.

    Plain are numbers, texts, tuples and None. Tensors and new attributes are left alone: hooks
    (Captum's) keep values on modules from one pass to the next. PyTorch's own modules, which
    change no settings of theirs, are passed over.
    """
    with turn(module):
        own = [m for m in module.modules() if not type(m).__module__.startswith("torch.nn.")]
        before = [(m, _plain(m)) for m in own]
        try:
            yield
        finally:
            for m, settings in before:
                now = vars(m)
                now |= {name: old for name, old in settings.items() if now.get(name) is not old}


def _plain(module: nn.Module) -> dict[str, Any]:
    # `training` has its own keeper, see `frozen`.
    return {k: v for k, v in vars(module).items() if isinstance(v, _PLAIN) and k != "training"}
