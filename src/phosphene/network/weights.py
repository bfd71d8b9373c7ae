"""Read weights from a file into a module, with errors that say what does not fit."""

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from phosphene.errors import WeightsError, nearest
from phosphene.network.record import check_finite
from phosphene.network.weights_file import load_file

_DEEPEST = 8
"""Wrappings within each other; one may even hold itself."""

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a safetensors file or a `torch.save` file, without its wrappings.

    `{"state_dict": ...}` and its like are opened and a common `module.` prefix is dropped.
    Pickles are read with `weights_only=True`: code in them is never run.

    Raises:
        WeightsError: no such file, neither format, no state dict inside, NaN or infinity.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"no weights at {path}; give a .safetensors file or a saved state_dict")
    state = _state_dict(load_file(path), path)
    if state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    check_finite(state)
    return state


def load_weights(module: nn.Module, path: str | Path) -> None:
    """Load the weights in `path` into `module`, all of them or none.

    Raises:
        WeightsError: additionally, names or shapes that do not fit, with the nearest names.
    """
    state = read_weights(path)
    expected = module.state_dict()
    # Files from before PyTorch 0.4.1 have no batch counters, and no network needs them to run.
    missing = [k for k in expected if k not in state and not k.endswith("num_batches_tracked")]
    unexpected = [k for k in state if k not in expected]
    misshapen = [
        f"{k} is {tuple(v.shape)} in the file and {tuple(expected[k].shape)} in the network"
        for k, v in state.items()
        if k in expected and v.shape != expected[k].shape
    ]
    if missing or unexpected or misshapen:
        lines = [f"the weights in {path} do not fit {type(module).__name__}:"]
        lines += [f"  missing: {k} (in the file, {nearest(k, state)})" for k in missing[:8]]
        lines += [f"  … and {len(missing) - 8} more missing"] * (len(missing) > 8)
        lines += [f"  unexpected: {k}" for k in unexpected[:8]]
        lines += [f"  … and {len(unexpected) - 8} more unexpected"] * (len(unexpected) > 8)
        lines += [f"  wrong shape: {text}" for text in misshapen[:8]]
        lines += ["Check that the factory builds the network that the weights were trained for."]
        raise WeightsError("\n".join(lines))
    module.load_state_dict(state, strict=False)


def _state_dict(value: Any, path: Path) -> dict[str, Tensor]:
    for _ in range(_DEEPEST):  # a checkpoint may hold tensors beside its state dict
        wrapped = value if isinstance(value, Mapping) else {}
        inner = next((wrapped[k] for k in _WRAPPERS if isinstance(wrapped.get(k), Mapping)), None)
        if inner is None:
            break
        value = inner
    tensors = (
        {str(k): v for k, v in value.items() if isinstance(v, Tensor)}
        if isinstance(value, Mapping)
        else {}
    )
    if not tensors:
        keys = list(value)[:20] if isinstance(value, Mapping) else type(value).__name__
        raise WeightsError(
            f"{path} holds no state_dict but {reprlib.repr(keys)}; save the network with "
            "torch.save(model.state_dict(), path) or safetensors.torch.save_file"
        )
    return tensors
