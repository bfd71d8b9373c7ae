"""Passes in bfloat16, of a network whose weights are float32: the module stays as it is.

Where PyTorch's autocast lowers a product (convolutions, linear layers, attention), its factors have
8 bits instead of 24, which processors with instructions for it multiply in half the time; the range
is that of float32. What loses by it (softmax, norms of the loss, sums of many) is left in float32.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from phosphene.errors import NetworkError, SettingError, nearest

Precision = Literal["float32", "bfloat16"]
"""What the products of a network are computed in."""

_CAST = frozenset({
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d,
    nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
})  # fmt: skip
"""The classes themselves: others may do more with their weights than to multiply by them."""

_WEIGHTS = ("weight", "bias")

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "sve_bf16")
"""Those of processors that multiply bfloat16, as `torch.cpu.get_capabilities` calls them."""


class Lowered:
    """Passes of `module` in bfloat16, as many as are made one after another.

    Autocast would cast frozen weights anew in each pass, which takes a third of one of AlexNet; so
    the weights of PyTorch's own layers are cast once and held here, half as many bytes as they
    are. A weight that is changed meanwhile is cast again.

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
        self.module, self.device = module, device
        self._casts: dict[tuple[nn.Module, str], tuple[Tensor, int, nn.Parameter]] = {}

    def run(self, inputs: Tensor) -> Any:
        """What the module gives back, from `inputs` of float32."""
        with self._weights(), torch.autocast(self.device.type, torch.bfloat16):
            return self.module(inputs)

    @contextmanager
    def _weights(self) -> Iterator[None]:
        """The casts in the places of the weights."""
        places = [
            (module, name, weight)
            for module in self.module.modules()
            if type(module) in _CAST
            for name in _WEIGHTS
            if (weight := module._parameters.get(name)) is not None
        ]
        try:
            for module, name, weight in places:
                module._parameters[name] = self._cast(module, name, weight)
            yield
        finally:
            for module, name, weight in places:
                module._parameters[name] = weight

    def _cast(self, module: nn.Module, name: str, weight: nn.Parameter) -> nn.Parameter:
        of, version, cast = self._casts.get((module, name), (None, 0, weight))
        if of is not weight or version != weight._version:
            cast = nn.Parameter(weight.detach().bfloat16(), requires_grad=False)
            self._casts[module, name] = weight, weight._version, cast
        return cast


def single(value: Tensor, lowered: Lowered | None) -> Tensor:
    """A value of a lowered pass as float32, in which all is counted that is made of it."""
    return value.float() if lowered and value.dtype == torch.bfloat16 else value


def precision_of(name: str) -> Precision:
    """The precision of that name; raises `SettingError` where there is none."""
    known: tuple[Precision, ...] = get_args(Precision)
    for precision in known:
        if precision == name:
            return precision
    raise SettingError(
        f"no precision {name!r} to draw in; {nearest(name, known, listing=True)}. Leave it out "
        f"for {known[0]}"
    )


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
