"""Shapes in signatures, `Float[ndarray, "c h w"]`, for what is told without torch.

They are jaxtyping's wherever that has been imported, as who checks them does first. Importing it
takes 0.05 s, for `unittest` and `asyncio` among others, a tenth of what drawing a stored unit
takes; to who checks nothing, an array is an array.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Float, Real, UInt8
else:

    class _Array:
        """`Float[ndarray, "c h w"]` is `ndarray`."""

        def __class_getitem__(cls, told: tuple[Any, str]) -> Any:
            return told[0]

    Float = Real = UInt8 = _Array

__all__ = ["Float", "Real", "UInt8"]
