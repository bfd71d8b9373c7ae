"""Training states as safetensors files that know which training they belong to."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from phosphene.errors import WeightsError
from phosphene.zoo.recipe import Recipe


def identity(recipe: Recipe, module: nn.Module) -> dict[str, str]:
    """What a file says about itself: the recipe, and the shape of the network it trains."""
    text = ",".join(f"{k}{tuple(v.shape)}" for k, v in module.state_dict().items())
    shape = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return {"recipe": json.dumps(recipe.to_json() | {"module": shape})}


def check_identity(path: Path, expected: dict[str, str]) -> dict[str, str]:
    """The file's metadata; `WeightsError` unless it is of the training `expected`."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(
            f"{path} is there and is no safetensors file ({error}); give another path"
        ) from error
    found = metadata.get("recipe")
    if found != expected["recipe"]:
        raise WeightsError(
            f"{path} was trained as {found or 'something unknown'}, not as {expected['recipe']}; "
            "give another path, or delete the file to train anew"
        )
    return metadata


def training_state(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All tensors that training goes on from."""
    state = {f"module.{k}": v for k, v in module.state_dict().items()}
    for index, values in optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
    return state


def restore(
    module: nn.Module, optimizer: torch.optim.Optimizer, path: Path, expected: dict[str, str]
) -> int:
    """Take up the state saved at `path`; how many steps had been made."""
    metadata = check_identity(path, expected)
    state = load_file(path)
    module.load_state_dict(
        {k.removeprefix("module."): v for k, v in state.items() if k.startswith("module.")}
    )
    saved: dict[int, dict[str, Tensor]] = {}
    for key, value in state.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            saved.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": saved})
    return int(metadata["step"])


def save(state: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write tensors and metadata so that a kill leaves no half file at `path`."""
    part = path.with_name(path.name + ".part")
    save_file({k: v.detach().cpu().contiguous() for k, v in state.items()}, part, metadata)
    part.replace(path)
