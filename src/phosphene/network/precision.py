"""Passes in bfloat16, of a network whose weights are float32: the module stays as it is.

Where PyTorch's autocast lowers a product (convolutions, linear layers, attention), its factors have
8 bits instead of 24, of which processors with instructions for it multiply twice as many at a time;
the range is that of float32. What would lose by it (softmax and the like) is left in float32.
"""

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.errors import NetworkError, SettingError
from phosphene.network.calls import Calls

_PRODUCTS = frozenset({
    F.linear, F.conv1d, F.conv2d, F.conv3d,
    F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d,
})  # fmt: skip
"""What is called with the weights that are cast once."""

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "sve_bf16")
"""Those of processors that multiply bfloat16, as `torch.cpu.get_capabilities` calls them."""


class Lowered:
    """Passes of `module` in bfloat16, as many as are made one after another.

    Autocast would cast frozen weights anew in each pass, which takes four tenths of a pass of
    AlexNet; here they are cast once and kept, which takes half as many bytes as they have. A weight
    that is changed meanwhile is cast again.

    Raises:
        SettingError: PyTorch has no autocast to bfloat16 for the device.
        NetworkError: weights are not float32.
    """

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        kinds = {p.dtype for p in module.parameters() if p.is_floating_point()} - {torch.float32}
        if kinds:
            raise NetworkError(
                f"weights of {type(module).__name__} are "
                f"{', '.join(sorted(str(kind).removeprefix('torch.') for kind in kinds))}; drawing "
                "in bfloat16 is for weights of float32. Call module.float(), or leave precision "
                "out: the network is then computed as it is"
            )
        _check_device(device)
        self.module, self.kind = module, device.type
        self._casts = _CastOnce(device.type)

    def run(self, inputs: Tensor) -> Any:
        """What the module gives back."""
        with self._casts, torch.autocast(self.kind, torch.bfloat16):
            return self.module(inputs)


class _CastOnce(Calls):
    """Hands products the casts of frozen weights, where autocast would make them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._known: dict[int, tuple[Tensor, tuple[int, int], Tensor]] = {}

    def call(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        if func in _PRODUCTS and torch.is_autocast_enabled(self.kind):
            args = tuple(map(self._cast, args))
            kwargs = {name: self._cast(value) for name, value in kwargs.items()}
        return func(*args, **kwargs)

    def _cast(self, value: Any) -> Any:
        if not isinstance(value, nn.Parameter) or value.requires_grad:
            return value
        if value.dtype != torch.float32:
            return value
        now = value._version, value.data_ptr()
        of, then, cast = self._known.get(id(value), (None, None, value))
        if of is not value or then != now:
            cast = value.detach().bfloat16()
            self._known[id(value)] = value, now, cast
        return cast


def single(value: Tensor, lowered: Lowered | None) -> Tensor:
    """A value of a lowered pass as float32, in which all is counted that is made of it."""
    return value.float() if lowered and value.dtype == torch.bfloat16 else value


@cache
def _check_device(device: torch.device) -> None:
    """Refuse a device without bfloat16, and say of one that has no instructions for it; once."""
    kind = device.type
    refused = f"PyTorch has no autocast to bfloat16 for {kind}; leave precision out, for float32"
    if not torch.amp.is_autocast_available(kind):
        raise SettingError(refused)
    with torch.autocast(kind, torch.bfloat16):
        if not torch.is_autocast_enabled(kind):  # as on a Mac that is too old for it
            raise SettingError(refused)
    if said := slow(kind):
        warnings.warn(said, stacklevel=2)


def slow(kind: str) -> str | None:
    """Why bfloat16 is no faster on devices of a kind, in words; None where it should be.

    It is asked of PyTorch, which tells of processors by `torch.cpu.get_capabilities` (2.10) and of
    the graphics card by `torch.cuda.is_bf16_supported`.
    """
    lost = "drawing in bfloat16 is slower than in float32 on this {}, which has no instructions {}"
    if kind == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return None if native else lost.format("graphics card", "to multiply it")
    if kind != "cpu":
        return None
    told = getattr(torch.cpu, "get_capabilities", None)
    if told is None:
        return (
            f"PyTorch {torch.__version__} does not tell whether this processor has instructions to "
            "multiply bfloat16; where it has none, drawing in it is slower than in float32"
        )
    if any(told().get(name) for name in _INSTRUCTIONS):
        return None
    return lost.format("processor", f"to multiply it ({', '.join(_INSTRUCTIONS)})")
