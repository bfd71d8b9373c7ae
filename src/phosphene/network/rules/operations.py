"""Kinds of operation that a rule may replace, and the calls that are of each."""

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Operation = Literal["linear", "norm", "softmax", "attention", "gate", "product"]
"""Rectifiers, which have gates of their own, are no member."""

_CALLS: dict[Operation, tuple[Callable[..., Any], ...]] = {
    "linear": (F.linear, torch.conv1d, torch.conv2d, torch.conv3d),
    "norm": (F.layer_norm, torch.layer_norm),
    "softmax": (F.softmax, torch.softmax, Tensor.softmax),
    "attention": (F.scaled_dot_product_attention, F.multi_head_attention_forward),
    "gate": (F.gelu, F.silu),
    "product": (torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, torch.multiply),
}

_OF_CALL = {call: kind for kind, calls in _CALLS.items() for call in calls}


def operation(func: Callable[..., Any]) -> Operation | None:
    """What kind of operation a call is.

    >>> operation(torch.conv2d), operation(torch.exp)
    ('linear', None)
    """
    return _OF_CALL.get(func)
