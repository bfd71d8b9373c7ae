"""Training states as safetensors files that know which training they belong to."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Dataset

from phosphene.data import ImageDataset
from phosphene.errors import WeightsError
from phosphene.training.settings import Training
from phosphene.words import differences

ABOUT = "network"
"""Where a file says which network it belongs to; that does not tell trainings apart."""


def identity(
    recipe: Training, module: nn.Module, dataset: Dataset[Any], **record: object
) -> dict[str, str]:
    """What a file says about itself: recipe, shape of the network it trains, `record`, data.

    Data that cannot tell its own fingerprint is left out: a sample's would change with every
    epoch where a dataset augments at random.
    """
    text = ",".join(f"{k}{tuple(v.shape)}" for k, v in module.state_dict().items())
    shape = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    known = recipe.to_json() | {"module": shape} | record
    if isinstance(dataset, ImageDataset):
        known["data"] = dataset.fingerprint()
    # One entry for all: safetensors writes several in an order that changes from run to run.
    return {"recipe": json.dumps(known)}


def check_identity(path: Path, expected: dict[str, str]) -> dict[str, str]:
    """The file's metadata; `WeightsError` unless it is of the training `expected`."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(
            f"{path} is there and is no safetensors file ({error}); give another path"
        ) from error
    found, wanted = told(metadata), told(expected)
    for known in (found, wanted):
        known.pop(ABOUT, None)
    data, given = found.pop("data", None), wanted.pop("data", None)
    if found != wanted:
        raise WeightsError(
            f"{path} was not trained by the recipe given: {_differing(wanted, found)}. Give the "
            "settings it was trained with, another path, or delete the file to train anew"
        )
    if None not in (data, given) and data != given:
        raise WeightsError(
            f"{path} was trained by this recipe on other data (its fingerprint is {data}, that of "
            f"the data given {given}); give another path, or delete the file to train anew"
        )
    return metadata


def _differing(wanted: dict[str, Any], found: dict[str, Any]) -> str:
    if not found:
        return "it does not say how it was trained"
    named = {"module": "shape of the network"}  # a hash, which says nothing to anybody
    return differences(
        {named.get(k, k): v for k, v in wanted.items()},
        {named.get(k, k): v for k, v in found.items()},
        "the file",
        hidden=set(named.values()),
    )


def told(metadata: dict[str, str]) -> dict[str, Any]:
    """What a file says about its training; nothing where it says nothing."""
    known = json.loads(metadata.get("recipe", "{}"))
    return known if isinstance(known, dict) else {}


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
