"""Follow what is made of the picture without a gradient: the masks of rectifiers written out.

In `x * (x > 0)` the comparison has no gradient, so the autograd graph shows a product with a
constant. While a pass runs, what comes out of such operations is marked with the tensors that it
was made of. A product, a choice or an assignment that uses a mark is either exactly `max(x, 0)`, or
its node in the autograd graph is marked for `switches` to refuse.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

Origin = tuple[Any, int]
"""A value in the autograd graph: its node (of a leaf the tensor's number), and which output."""

MASKED = "phosphene masked by"
IN_PLACE = "phosphene in place"
SEEN = "phosphene seen"
"""Keys of an autograd node's metadata."""

_FRESH = ("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like",
          "new_zeros", "new_ones", "new_empty", "new_full", "new_tensor")  # fmt: skip

_HARMLESS = {
    "add", "add_", "__add__", "__radd__", "__iadd__", "sub", "sub_", "__sub__", "__rsub__",
    "__isub__", "rsub", "cat", "concat", "stack", "scaled_dot_product_attention",
    "multi_head_attention_forward", "max_unpool1d", "max_unpool2d", "max_unpool3d", "grid_sample",
    "grid_sampler", "affine_grid", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "baddbmm",
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose2d", "expand_as", "view_as",
    "reshape_as", "type_as", "to", "copy_", "broadcast_tensors", "broadcast_to", "batch_norm",
    "layer_norm", "group_norm", "instance_norm", "lstm", "gru", "rnn_tanh", "rnn_relu",
    "interpolate",
}  # fmt: skip
"""What may take a mark beside a value without switching the value's gradient by it."""

_SCALES = {"mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply", "multiply_",
           "div", "div_", "__truediv__", "__itruediv__", "divide", "true_divide"}  # fmt: skip


_NOTED = {
    *_SCALES, "masked_fill", "masked_scatter", "where", "__setitem__", "index_put", "__getitem__",
    "masked_select", "addcmul", "addcdiv", "pad",
}  # fmt: skip
"""Calls that `switches` asks about, whether they were seen."""


class Marks:
    """What was made of the picture without a gradient, each with the values it was made of."""

    def __init__(self) -> None:
        self._made_of: Any = WeakIdKeyDictionary()

    def origins(self, tensor: Tensor) -> frozenset[Origin]:
        """The values that a marked tensor was made of; empty where it is not marked."""
        found: frozenset[Origin] = self._made_of.get(tensor, frozenset())
        return found

    def follow(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], made: Any) -> None:
        """Note what the function called `name` made of its arguments."""
        if getattr(made, "requires_grad", False) and not (
            self._made_of or name in _NOTED or name.endswith("_")
        ):
            return  # as nearly all calls
        given = [*_tensors(args), *_tensors(list(kwargs.values()))]
        marks = [self.origins(t) for t in given if not t.requires_grad]
        masked = any(marks) and not _harmless(name, given, self)
        for tensor in _tensors(made):
            if tensor.requires_grad:
                _note(tensor, name, masked)
            elif name not in _FRESH:
                of = frozenset().union(*marks, (origin(t) for t in given if t.requires_grad))
                if of:
                    self._made_of[tensor] = of
        if name == "__setitem__" and given and given[0].requires_grad:
            _note(given[0], name, masked)
        if name == "pad":  # of which circular padding is written in place, out of sight
            _note_inside(made, {origin(t)[0] for t in given})


def origin(tensor: Tensor) -> Origin:
    """Which value of the autograd graph a tensor is."""
    return (tensor.grad_fn, tensor.output_nr) if tensor.grad_fn is not None else (id(tensor), 0)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


def _note(made: Tensor, name: str, masked: bool) -> None:
    """Write on the autograd node of what was made how it came about."""
    base = made._base if name.endswith("_") and made._is_view() else None
    for tensor in (made, base):
        node: Any = None if tensor is None else tensor.grad_fn
        if node is None:
            continue
        metadata = node.metadata
        metadata[SEEN] = name
        if masked:
            metadata[MASKED] = name
        if node.name().endswith("CopySlices"):
            metadata[IN_PLACE] = name


def _note_inside(made: Tensor, given: set[Any]) -> None:
    """Say of what a function wrote in place that it only copied."""
    waiting = [made.grad_fn]
    while waiting:
        node: Any = waiting.pop()
        if node is None or node in given:
            continue
        if node.name().endswith("CopySlices"):
            node.metadata[IN_PLACE] = "copy_"
        waiting += [parent for parent, _ in node.next_functions]


def _harmless(name: str, given: Sequence[Tensor], marks: Marks) -> bool:
    if name in _HARMLESS:
        return True
    if name not in _SCALES:
        return False
    # A norm or the like, one number for many values, scales them without choosing among them.
    largest = max(t.numel() for t in given)
    return all(
        t.requires_grad
        or not marks.origins(t)
        or (t.is_floating_point() and 2 * t.numel() <= largest and bool((t != 0).all()))
        for t in given
    )


def written_rectifier(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], marks: Marks
) -> tuple[Tensor, bool] | None:
    """The x of which a call makes exactly max(x, 0), and whether in place; None for another call.

    What a mask would make of x is worked out and compared; the mask must be made of x alone.
    """
    reader = _READERS.get(name)
    if reader is None or not torch.is_grad_enabled():
        return None
    with torch.no_grad():
        found = reader(args, kwargs, marks)
        if found is None:
            return None
        x, value, in_place = found
        same = value.shape == x.shape and value.dtype == x.dtype
        return (x, in_place) if same and torch.equal(value, x.clamp(min=0)) else None


Read = tuple[Tensor, Tensor, bool]
"""x, what a call makes of it, and whether in place."""


def _product(args: Sequence[Any], kwargs: Mapping[str, Any], marks: Marks) -> Read | None:
    if len(args) != 2 or kwargs or not all(isinstance(a, Tensor) for a in args):
        return None
    for x, mask in (args, args[::-1]):
        if x.requires_grad and not mask.requires_grad and _of(mask, x, marks):
            return x, x * mask, False
    return None


def _product_in_place(args: Sequence[Any], kwargs: Mapping[str, Any], marks: Marks) -> Read | None:
    found = _product(args, kwargs, marks)
    return None if found is None or found[0] is not args[0] else (*found[:2], True)


def _where(args: Sequence[Any], kwargs: Mapping[str, Any], marks: Marks) -> Read | None:
    given = [*args, *(kwargs[k] for k in ("condition", "input", "other") if k in kwargs)]
    if len(given) != 3:
        return None
    if isinstance(given[0], Tensor) and given[0].requires_grad:  # x.where(condition, other)
        given = [given[1], given[0], given[2]]
    condition, *choices = given
    for x, other in (choices, choices[::-1]):
        if _differs(x) and _zero(other, marks) and _of(condition, x, marks):
            return x, torch.where(condition, choices[0], choices[1]), False
    return None


def _masked_fill(args: Sequence[Any], kwargs: Mapping[str, Any], marks: Marks) -> Read | None:
    given = [*args, *(kwargs[k] for k in ("mask", "value") if k in kwargs)]
    if len(given) != 3 or not (_differs(given[0]) and _zero(given[2], marks)):
        return None
    x, mask, value = given
    return (x, x.masked_fill(mask, value), False) if _of(mask, x, marks) else None


def _masked_fill_in_place(
    args: Sequence[Any], kwargs: Mapping[str, Any], marks: Marks
) -> Read | None:
    found = _masked_fill(args, kwargs, marks)
    return None if found is None else (*found[:2], True)


def _assigned(args: Sequence[Any], kwargs: Mapping[str, Any], marks: Marks) -> Read | None:
    x, mask, value = args
    if not (_differs(x) and _zero(value, marks) and _of(mask, x, marks)):
        return None
    if mask.dtype != torch.bool or mask.shape != x.shape:
        return None
    return x, x.masked_fill(mask, 0), True


def _larger(args: Sequence[Any], kwargs: Mapping[str, Any], marks: Marks) -> Read | None:
    given = [*args, *(kwargs[k] for k in ("input", "other") if k in kwargs)]
    if len(given) != 2 or not all(isinstance(a, Tensor) for a in given):
        return None
    for x, other in (given, given[::-1]):
        if x.requires_grad and _zero(other, marks):
            return x, torch.maximum(x, other), False
    return None


def _bounded(args: Sequence[Any], kwargs: Mapping[str, Any], marks: Marks) -> Read | None:
    given = [*args, *(kwargs[k] for k in ("input", "min") if k in kwargs)]
    if len(given) != 2 or kwargs.get("max") is not None or not isinstance(given[1], Tensor):
        return None
    x, low = given
    return (x, torch.maximum(x, low), False) if _differs(x) and _zero(low, marks) else None


def _differs(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _zero(value: Any, marks: Marks) -> bool:
    """Whether a value is zero whatever the picture."""
    if isinstance(value, Tensor):
        return not value.requires_grad and not marks.origins(value) and not bool(value.any())
    return isinstance(value, int | float) and value == 0


def _of(mask: Any, x: Tensor, marks: Marks) -> bool:
    """Whether a mask was made of x and of nothing else."""
    return isinstance(mask, Tensor) and marks.origins(mask) == {origin(x)}


_READERS: dict[str, Callable[[Sequence[Any], Mapping[str, Any], Marks], Read | None]] = {
    **dict.fromkeys(("mul", "__mul__", "__rmul__", "multiply"), _product),
    **dict.fromkeys(("mul_", "__imul__", "multiply_"), _product_in_place),
    "where": _where,
    "masked_fill": _masked_fill,
    "masked_fill_": _masked_fill_in_place,
    "__setitem__": _assigned,
    **dict.fromkeys(("maximum", "fmax", "max"), _larger),
    **dict.fromkeys(("clamp", "clip", "clamp_min"), _bounded),
}
