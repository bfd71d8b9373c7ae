"""What does a unit of a trained vision network really look for?"""

from typing import Any

from lazy_loader import attach_stub

from phosphene.allocator import uncollected

_load, __dir__, __all__ = attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    with uncollected():
        return _load(name)
