"""States of accumulators as files that know whose they are."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from phosphene.survey.accumulator import Accumulator


def save_state(accumulator: Accumulator, path: Path, key: str) -> None:
    """Write the state of `accumulator` so that a kill leaves no half file; `key` says whose it is.

    The file is safetensors, exact to the bit, with the values of JSON and a checksum of all that
    it holds among its metadata.
    """
    tensors: dict[str, Tensor] = {}
    about = json.dumps({"key": key, "state": _apart(accumulator.state(), tensors)})
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, {"about": about, "checksum": _checksum(about, tensors)})
    part.replace(path)


def load_state(accumulator: Accumulator, path: Path, key: str) -> bool:
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
    accumulator.restore(_together(saved["state"], tensors))
    return True


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


def _together(told: Any, tensors: dict[str, Tensor]) -> Any:
    match told:
        case {"tensor": str(number)}:
            return tensors[number]
        case dict():
            return {name: _together(part, tensors) for name, part in told.items()}
        case _:
            return told
