"""Laws that every member of a kind must show, whatever it is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


@contextmanager
def unchanged(module: nn.Module, inputs: Tensor | None = None) -> Iterator[None]:
    """What runs inside the block leaves `module` bit-identical, also when it ends in an exception.

    Compared are weights, buffers and gradients by their bytes and by their storage, training
    flags, `requires_grad`, hooks, the attributes of every submodule, the global random state and
    grad mode; given `inputs`, also the plain gradients of the weights and of the inputs.
    """
    before = snapshot(module)
    gradients = None if inputs is None else plain_gradients(module, inputs)
    try:
        yield
    finally:
        _compare(before, snapshot(module))
        if inputs is not None:
            _compare(
                {"plain gradients": gradients}, {"plain gradients": plain_gradients(module, inputs)}
            )


def snapshot(module: nn.Module) -> dict[str, Any]:
    """Everything about a module that a visitor could leave changed."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {
        "values": {k: v.detach().clone() for k, v in tensors.items()},
        "storage": {k: (id(v), v.data_ptr()) for k, v in tensors.items()},
        "grad": {k: None if v.grad is None else v.grad.clone() for k, v in tensors.items()},
        "requires_grad": {k: v.requires_grad for k, v in tensors.items()},
        "training": {k: m.training for k, m in module.named_modules()},
        "hooks": {k: [dict(getattr(m, h)) for h in _HOOKS] for k, m in module.named_modules()},
        "attributes": {k: sorted(vars(m)) for k, m in module.named_modules()},
        "random state": torch.get_rng_state(),
        "grad mode": torch.is_grad_enabled(),
    }


def plain_gradients(module: nn.Module, inputs: Tensor) -> list[Tensor]:
    """The gradients of the summed output, for the inputs and the weights that learn."""
    training = [m for m in module.modules() if m.training]
    leaf = inputs.clone().requires_grad_()
    learning = [p for p in module.parameters() if p.requires_grad]
    try:
        for m in training:
            m.training = False
        output = module(leaf)
    finally:
        for m in training:
            m.training = True
    weights = torch.linspace(-1, 1, output.numel()).view_as(output)
    return list(torch.autograd.grad((output * weights).sum(), [leaf, *learning]))


def _compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    changed = [what for what, value in before.items() if not _identical(value, after[what])]
    assert not changed, f"changed: {', '.join(changed)}"


def _identical(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return list(a) == list(b) and all(_identical(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_identical(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)
