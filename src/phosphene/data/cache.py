"""What was found out about data at some cost, kept so that the next start need not pay again.

It lies in the person's cache (`$XDG_CACHE_HOME/phosphene/data`) and may be deleted at any time.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from phosphene.folders import cache_folder
from phosphene.words import encodable

Array = Shaped[ndarray, "..."]
Arrays = dict[str, Array]
"""What is kept, by name."""

_FORM = 1
"""Counted up when what is kept of the same data changes."""


def kept(about: str, mark: str) -> Arrays | None:
    """What is kept of `about`, made when its mark was this one; None where there is none.

    What is damaged counts as none.
    """
    path = _path(about)
    try:
        with safe_open(path, framework="np") as file:
            told = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None
    sound = told.get("mark") == encodable(mark) and told.get("checksum") == _checksum(arrays)
    return arrays if sound else None


def keep(about: str, mark: str, arrays: Mapping[str, Array]) -> None:
    """Keep arrays; that this fails is no harm, they are made again."""
    path, held = _path(about), {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    told = {"about": encodable(about), "mark": encodable(mark), "checksum": _checksum(held)}
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(save(held, metadata=told))
        draft.replace(path)


def _path(about: str) -> Path:
    named = json.dumps([_FORM, about])
    name = hashlib.blake2b(named.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return cache_folder() / "data" / f"{name}.safetensors"


def _checksum(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
