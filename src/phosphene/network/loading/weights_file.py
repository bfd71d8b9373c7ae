"""A file of weights as it was saved, whatever may be wrong with it.

A file can claim more than it holds: a header of a gibibyte, an archive that unpacks to a thousand
times its size, a tensor whose elements are one number told over and over. Each is found before
memory is taken for it.
"""

import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file as load_safetensors
from torch import Tensor

from phosphene.errors import WeightsError
from phosphene.words import printable

MOST_HEADER = 2**27
"""Bytes; safetensors itself takes 100 MB."""

MOST_UNPACKED = 4
"""How many times its own size a file may hold. What PyTorch and safetensors save is not packed."""

LEAST_DOUBTED = 2**28
"""Bytes up to which any claim is believed."""


def load_file(path: Path) -> Any:
    """What `torch.save` or safetensors put into the file: tensors, and what stands around them.

    Pickles are read with `weights_only=True`: code in them is never run.

    Raises:
        WeightsError: neither format, damaged, or more is claimed than the file can hold.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(9)
    except OSError as error:
        raise WeightsError(f"cannot read {printable(path)}: {error.strerror or error}") from error
    if header[8:9] == b"{":  # safetensors: eight bytes of length, then JSON
        value: Any = _safetensors(path, int.from_bytes(header[:8], "little"), size)
    else:
        value = _pickled(path, size)
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in _tensors(value))
    _believe(path, claimed, size, "its tensors have")
    return value


def _safetensors(path: Path, header: int, size: int) -> dict[str, Tensor]:
    if header > min(size, MOST_HEADER):
        raise WeightsError(
            f"{printable(path)} is a damaged safetensors file: it has {size:,} bytes, and its "
            f"header claims {header:,}; copy or download it again"
        )
    try:
        return dict(load_safetensors(path))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{printable(path)} is a damaged safetensors file: {printable(error)}; copy or "
            "download it again"
        ) from error


def _pickled(path: Path, size: int) -> Any:
    _believe(path, _unpacked(path), size, "unpacked it would be")
    try:
        # An open file, because PyTorch would go by a path's suffix.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of foreign pickles, which are refused below
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors, or is no weights file, and is not unpickled because "
            "that could run code. In the program that made it, save the state_dict: "
            "torch.save(model.state_dict(), path)"
        ) from error
    except Exception as error:  # a damaged pickle may fail in any way
        if "TorchScript" in str(error):
            raise WeightsError(
                f"{printable(path)} is a compiled network (TorchScript) and no file of weights. "
                f"Save its weights: torch.save(torch.jit.load({str(path)!r}).state_dict(), path)"
            ) from error
        raise WeightsError(
            f"{printable(path)} is neither a safetensors file nor a readable torch.save file: "
            f"{printable(error):.300}; if it is one, it is damaged or cut short: copy or download "
            "it again"
        ) from error


def _unpacked(path: Path) -> int:
    """How many bytes the files of an archive say they have; 0 where it is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except Exception:  # told by PyTorch, which reads archives in its own way
        return 0


def _believe(path: Path, claimed: int, size: int, told: str) -> None:
    if claimed > max(LEAST_DOUBTED, MOST_UNPACKED * size):
        raise WeightsError(
            f"{printable(path)} has {size:,} bytes, but {told} {claimed:,}; this is no file of "
            "weights as torch.save or safetensors write them"
        )


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in what a file holds, each place once, however the parts refer to each other."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Tensor):
            yield part
        elif id(part) not in seen and isinstance(part, Mapping | list | tuple | set):
            seen.add(id(part))
            waiting.extend(part.values() if isinstance(part, Mapping) else part)
