"""Weights files that claim more than they hold, or were cut: words, and no memory taken."""

import json
import random
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from phosphene.errors import WeightsError
from phosphene.network import read_weights
from phosphene.network.loading import weights_file

STATE = {"conv.weight": torch.arange(27.0).reshape(3, 9), "conv.bias": torch.ones(3)}


@pytest.mark.parametrize("length", [2**62, 2**40, 10_000])
def test_a_header_that_claims_more_than_the_file(tmp_path: Path, length: int) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + b'{"a": 1}')
    with pytest.raises(WeightsError, match=f"its header claims {length:,}; copy"):
        read_weights(path)


def test_a_tensor_that_claims_more_than_the_file(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode())
    with pytest.raises(WeightsError, match="damaged safetensors file"):
        read_weights(path)


def test_an_archive_that_unpacks_to_more_than_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**6))
    monkeypatch.setattr(weights_file, "LEAST_DOUBTED", 1000)
    with pytest.raises(WeightsError, match="unpacked it would be 1,000,000"):
        read_weights(path)


def test_a_tensor_of_one_number_told_over_and_over(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1).expand(2**20, 2**20)}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="its tensors have 4,398,046,511,104"):
        read_weights(tmp_path / "w.pt")


def test_a_checkpoint_that_holds_itself(tmp_path: Path) -> None:
    value: dict[str, object] = {"epoch": 3}
    value["model"] = value
    torch.save(value, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="holds no state_dict"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("kind", ["safetensors", "pt", "legacy"])
def test_damaged_files_are_told_in_words(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w"
    if kind == "safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=kind == "pt")
    whole, chance, told = path.read_bytes(), random.Random(0), 0
    for number in range(60):
        data = bytearray(whole)
        if number % 2:
            del data[chance.randrange(len(data)) :]
        else:
            for _ in range(chance.randrange(1, 9)):
                data[chance.randrange(min(len(data), 400))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            read_weights(path)
        except WeightsError as error:
            told += bool(str(error))
    assert told >= 30  # every cut, and flipped bits but for those in names and numbers
