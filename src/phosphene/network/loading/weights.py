"""Read weights from a file into a module, with errors that say what does not fit."""

import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from phosphene.errors import WeightsError, nearest
from phosphene.network.loading.weights_file import load_file
from phosphene.network.state import check_finite, infinite_on_purpose

_DEEPEST = 8
"""Wrappings within each other; one may even hold itself."""

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params",
             "checkpoint", "module", "state", "ema", "ema_state_dict", "model_ema",
             "state_dict_ema", "params_ema")  # fmt: skip
"""What a checkpoint calls its state dict, in the order in which they are preferred."""


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a safetensors file or a `torch.save` file, without its wrappings.

    `{"state_dict": ...}` and its like are opened and a common `module.` prefix is dropped.
    Pickles are read with `weights_only=True`: code in them is never run.

    Raises:
        WeightsError: no such file, neither format, no state dict inside, NaN or infinity.
    """
    state = _read(Path(path))
    if state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    check_finite(state)
    return state


def load_weights(module: nn.Module, path: str | Path) -> tuple[str, ...]:
    """Load the weights in `path` into `module`, all of them or none; gives back what is unusual.

    What wrappers put before the names (`module.`, `_orig_mod.`, `model.`, whatever all names that
    fit the module have in common) is dropped, and said.

    Raises:
        WeightsError: additionally, names or shapes that do not fit, with the nearest names.
    """
    expected = module.state_dict()
    state, remarks = _unwrapped(_read(Path(path)), expected)
    check_finite(state, infinite_on_purpose(module))
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
    return remarks


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"no weights at {path}; give a .safetensors file or a saved state_dict")
    return _state_dict(load_file(path), path)


def _unwrapped(
    state: dict[str, Tensor], expected: Mapping[str, Any]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The entries that fit a module, without the prefix that wrappers gave them, and what is said.

    `_orig_mod.` stands anywhere in the names of a network of which parts were compiled.
    """
    needed = [name for name, value in expected.items() if isinstance(value, Tensor)
              and not name.endswith("num_batches_tracked")]  # fmt: skip
    if not needed or set(needed) <= state.keys():
        return state, ()
    compiled = {name.replace("_orig_mod.", ""): name for name in state}
    ends = [name for name in compiled if name.endswith(needed[0])]
    for prefix in sorted({name[: len(name) - len(needed[0])] for name in ends}, key=len):
        if prefix and not prefix.endswith("."):
            continue
        if all(prefix + name in compiled for name in needed):
            inner = {
                name.removeprefix(prefix): state[whole]
                for name, whole in compiled.items()
                if name.startswith(prefix)
            }
            return inner, tuple(_said(state, inner, compiled, prefix))
    common = state and all(name.startswith("module.") for name in state)
    return ({n.removeprefix("module."): v for n, v in state.items()}, ()) if common else (state, ())


def _said(
    state: Mapping[str, Tensor],
    inner: Mapping[str, Tensor],
    compiled: Mapping[str, str],
    prefix: str,
) -> Iterator[str]:
    first = compiled[prefix + next(iter(inner))]
    yield (
        f"the names in the weights' file have a prefix, which was dropped: {first} became "
        f"{next(iter(inner))}"
    )
    rest = [whole for name, whole in compiled.items() if not name.startswith(prefix)]
    if rest:
        more = f" and {len(rest) - 3} more" if len(rest) > 3 else ""
        yield (
            f"the weights' file holds others beside the network's, which were left: "
            f"{', '.join(rest[:3])}{more}"
        )


def _state_dict(value: Any, path: Path) -> dict[str, Tensor]:
    for _ in range(_DEEPEST):  # a checkpoint may hold tensors beside its state dict
        wrapped = value if isinstance(value, Mapping) else {}
        inner = [wrapped[k] for k in _WRAPPERS if isinstance(wrapped.get(k), Mapping)]
        inner = [found for found in inner if _holds_tensors(found)]
        if not inner:
            break
        value = inner[0]
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


def _holds_tensors(value: Mapping[Any, Any], depth: int = _DEEPEST) -> bool:
    return any(
        isinstance(part, Tensor)
        or (isinstance(part, Mapping) and depth > 0 and _holds_tensors(part, depth - 1))
        for part in value.values()
    )
