"""States of accumulators as files that know whose they are."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


@runtime_checkable
class Held(Protocol):
    """What can tell its state and take it again: accumulators, and trees of them."""

    def state(self) -> dict[str, Any]:
        """All that is held, as JSON values and tensors."""

    def restore(self, state: dict[str, Any]) -> None:
        """Hold what a state says in place of what was held."""


def save_state(accumulator: Held, path: Path, key: str) -> None:
    """Write the state of `accumulator` so that a kill leaves no half file; `key` says whose it is.

    The file is safetensors, exact to the bit, with the values of JSON and a checksum of all that
    it holds among its metadata.
    """
    state, tensors = told_apart(accumulator.state())
    about = json.dumps({"key": key, "state": state})
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, {"about": about, "checksum": _checksum(about, tensors)})
    part.replace(path)


def load_state(accumulator: Held, path: Path, key: str) -> bool:
    """Give `accumulator` the state saved at `path`; False where there is none of that `key`.

    A file that is damaged is told of with a warning, and is as none.
    """
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        told, tensors = {}, {}
    about = told.get("about", "")
    if told.get("checksum") != _checksum(about, tensors):
        warnings.warn(f"{path} is damaged; what it held is made again", stacklevel=2)
        return False
    saved = json.loads(about)
    if saved["key"] != key:
        return False
    accumulator.restore(put_together(saved["state"], tensors))
    return True


def told_apart(state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A state as a JSON value, and the tensors of it by the numbers that stand in their place."""
    tensors: dict[str, Tensor] = {}
    return _apart(state, tensors), tensors


def put_together(about: dict[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The state that was `told_apart`."""
    found: dict[str, Any] = _together(about, tensors)
    return found


def _checksum(about: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the JSON and of each tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(about.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _apart(state: Any, tensors: dict[str, Tensor]) -> Any:
    """The state with its tensors put into `tensors`, by number."""
    match state:
        case Tensor():
            number = str(len(tensors))
            tensors[number] = state.contiguous()
            return {"tensor": number}
        case dict():
            return {name: _apart(part, tensors) for name, part in state.items()}
        case _:
            return state


def _together(told: Any, tensors: Mapping[str, Tensor]) -> Any:
    match told:
        case {"tensor": str(number)}:
            return tensors[number]
        case dict():
            return {name: _together(part, tensors) for name, part in told.items()}
        case _:
            return told
