"""States of accumulators as files that know whose they are."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from phosphene.survey.accumulator import Accumulator


def save_state(accumulator: Accumulator, path: Path, key: str) -> None:
    """Write the state of `accumulator` so that a kill leaves no half file; `key` says whose it is.

    The file is safetensors, exact to the bit, with the values of JSON among its metadata.
    """
    tensors: dict[str, Tensor] = {}
    about = {"key": key, "state": _apart(accumulator.state(), tensors)}
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, {"about": json.dumps(about)})
    part.replace(path)


def load_state(accumulator: Accumulator, path: Path, key: str) -> bool:
    """Give `accumulator` the state saved at `path`; False where there is none of that `key`."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            if about.get("key") != key:
                return False
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return False
    accumulator.restore(_together(about["state"], tensors))
    return True


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
