"""The input of a module of which nobody said what it takes."""

from contextlib import suppress

import torch
from torch import nn

from phosphene.errors import SpecError
from phosphene.network.freezing import frozen, steady
from phosphene.network.inputs import Input
from phosphene.network.settings import kept_settings

_SIZES = (28, 32, 48, 64, 96, 128, 160, 192, 224, 227, 240, 256, 299, 384)


def guess_input(module: nn.Module) -> Input:
    """The input of a bare module: channels from its first convolution, size by trial.

    Raises:
        SpecError: no convolution to tell the channels from, or not exactly one usual size runs.
    """
    first = next((m for m in module.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        raise SpecError(
            f"the input of {type(module).__name__} cannot be told, it has no convolution; "
            "give it: Network(module, Input(1, (28, 28))), on the command line --input 1x28x28"
        )
    device = next(module.parameters()).device
    running = []
    with frozen(module), steady(module), torch.no_grad():
        for size in _SIZES:
            with (
                suppress(Exception),
                kept_settings(module),
            ):  # a size that does not fit may fail in any way
                module(torch.zeros(1, first.in_channels, size, size, device=device))
                running.append(size)
    if len(running) == 1:
        return Input(first.in_channels, (running[0], running[0]))
    found = f"sizes {running} all run" if running else f"none of the sizes {_SIZES} runs"
    raise SpecError(
        f"the input size of {type(module).__name__} cannot be told: {found}; "
        f"give it: Network(module, Input({first.in_channels}, (224, 224))), on the command line "
        f"--input {first.in_channels}x224x224"
    )
