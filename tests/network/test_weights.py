"""Weights from files of every make; files that do not fit, or are something else, say so."""

import pickle
import random
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import tiny
from phosphene.errors import WeightsError
from phosphene.network import Network, load_weights, read_weights


def build() -> nn.Module:
    return nn.Sequential(
        OrderedDict(conv1=nn.Conv2d(1, 4, 3), bn1=nn.BatchNorm2d(4), fc1=nn.Linear(4, 3))
    )


def save_zip(state: Any, path: Path) -> None:
    torch.save(state, path)


def save_legacy(state: Any, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def save_safe(state: Any, path: Path) -> None:
    save_file(state, path)


SAVES = {"zip": save_zip, "legacy": save_legacy, "safetensors": save_safe}
by_format = pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)

WRAPPINGS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "bare": lambda s: s,
    "data parallel": lambda s: {f"module.{k}": v for k, v in s.items()},
    "state_dict": lambda s: {"state_dict": s},
    "both": lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}, "epoch": 7},
    "trainer": lambda s: {"epoch": 7, "model_state_dict": s, "loss": 0.5},
    "nested": lambda s: {"model": {"state_dict": s}},
    # As PyTorch's own ImageNet example saves it: tensors and other states beside the weights.
    "imagenet example": lambda s: {
        "epoch": 90,
        "arch": "resnet18",
        "state_dict": {f"module.{k}": v for k, v in s.items()},
        "best_acc1": torch.tensor(69.8),
        "optimizer": {"state": {0: {"momentum_buffer": torch.rand(4)}}, "param_groups": []},
    },
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
@pytest.mark.parametrize("save", [save_zip, save_legacy], ids=["zip", "legacy"])
def test_state_dicts_are_found_in_their_wrappings(
    tmp_path: Path, save: Callable[[Any, Path], None], wrap: Callable[[dict[str, Tensor]], Any]
) -> None:
    trained, fresh = tiny.seeded(build, 1), tiny.seeded(build, 2)
    path = tmp_path / "weights.pt"
    save(wrap(dict(trained.state_dict())), path)
    load_weights(fresh, path)
    for name, value in trained.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value), name


@by_format
def test_formats_are_told_by_their_content(
    tmp_path: Path, save: Callable[[Any, Path], None]
) -> None:
    state = tiny.seeded(build).state_dict()
    for name in ("a.pt", "b.safetensors", "c.th", "d"):
        save(state, tmp_path / name)
        read = read_weights(tmp_path / name)
        assert read.keys() == state.keys()
        assert all(torch.equal(read[k], v) for k, v in state.items())


@by_format
def test_loading_keeps_dtypes_of_the_network(
    tmp_path: Path, save: Callable[[Any, Path], None]
) -> None:
    trained, fresh = tiny.seeded(build, 1).half(), tiny.seeded(build, 2)
    save(trained.state_dict(), tmp_path / "half")
    load_weights(fresh, tmp_path / "half")
    assert fresh.conv1.weight.dtype == torch.float32
    assert torch.equal(fresh.conv1.weight, trained.conv1.weight.float())


def test_batch_counters_of_old_files_may_be_missing(tmp_path: Path) -> None:
    state = tiny.seeded(build, 1).state_dict()
    del state["bn1.num_batches_tracked"]
    torch.save(state, tmp_path / "old.pt")
    fresh = tiny.seeded(build, 2)
    load_weights(fresh, tmp_path / "old.pt")
    assert torch.equal(fresh.bn1.running_mean, state["bn1.running_mean"])


@by_format
def test_what_does_not_fit_is_listed_and_nothing_is_loaded(
    tmp_path: Path, save: Callable[[Any, Path], None]
) -> None:
    state = dict(tiny.seeded(build, 1).state_dict())
    state["conv_1.weight"] = state.pop("conv1.weight")
    state["head.bias"] = torch.zeros(3)
    state["fc1.weight"] = torch.zeros(3, 5)
    save(state, tmp_path / "other")
    fresh = tiny.seeded(build, 2)
    before = {k: v.clone() for k, v in fresh.state_dict().items()}
    with pytest.raises(WeightsError) as error:
        load_weights(fresh, tmp_path / "other")
    message = str(error.value)
    assert "missing: conv1.weight (in the file, nearest: conv_1.weight" in message
    assert "unexpected: head.bias" in message
    assert "unexpected: conv_1.weight" in message
    assert "fc1.weight is (3, 5) in the file and (3, 4) in the network" in message
    assert "do not fit Sequential" in message
    assert "Check that the factory builds" in message
    assert all(torch.equal(v, before[k]) for k, v in fresh.state_dict().items())


def test_long_lists_are_cut(tmp_path: Path) -> None:
    torch.save({f"other.{i}": torch.zeros(1) for i in range(30)}, tmp_path / "w.pt")
    with pytest.raises(WeightsError) as error:
        load_weights(nn.Sequential(*[nn.Linear(1, 1) for _ in range(10)]), tmp_path / "w.pt")
    assert "… and 12 more missing" in str(error.value)
    assert "… and 22 more unexpected" in str(error.value)
    assert len(str(error.value).splitlines()) < 25


class Holder:
    """What people save when they save the whole model."""

    def __init__(self) -> None:
        self.weight = torch.zeros(3)


NO_STATE: dict[str, tuple[Any, str]] = {
    "list": ([1, 2], "no state_dict but 'list'"),
    "tensor": (torch.zeros(3), "no state_dict but 'Tensor'"),
    "int": (3, "no state_dict but 'int'"),
    "empty": ({}, "no state_dict but"),
    "settings": ({"epoch": 3, "lr": 0.1}, r"no state_dict but \['epoch', 'lr'\]"),
    "wrapped list": ({"state_dict": [1, 2]}, r"no state_dict but \['state_dict'\]"),
    "object": (Holder(), "could run code"),
    "module": (build(), "could run code"),
}


@pytest.mark.parametrize("kind", NO_STATE)
@pytest.mark.parametrize("save", [save_zip, save_legacy], ids=["zip", "legacy"])
def test_pickles_that_are_no_state_dict(
    tmp_path: Path, save: Callable[[Any, Path], None], kind: str
) -> None:
    value, says = NO_STATE[kind]
    save(value, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=says) as error:
        read_weights(tmp_path / "w.pt")
    assert "torch.save(model.state_dict(), path)" in str(error.value)  # the remedy


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('the pickle was run')",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [[1, 2], 3, {"a": 1}, Holder(), Bomb()], ids=type)
def test_plain_pickles_are_refused_and_never_run(tmp_path: Path, value: Any, protocol: int) -> None:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(value, protocol))
    with pytest.raises(WeightsError, match=r"w\.pkl"):
        read_weights(tmp_path / "w.pkl")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"these are no weights\n" * 50, b"12345678{not json", b"\x89PNG\r\n\x1a\n" * 9,
     b"PK\x03\x04", b"SQLite format 3\0" * 10, bytes(range(256))],
)  # fmt: skip
def test_files_of_other_kinds_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"notes\.txt"):
        read_weights(path)


def test_no_file_at_all(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pt", tmp_path):
        with pytest.raises(WeightsError, match="no weights at"):
            read_weights(path)


def test_a_whole_scripted_network_is_refused(tmp_path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(build()), tmp_path / "scripted.pt")
    with pytest.raises(WeightsError, match=r"scripted\.pt"):
        read_weights(tmp_path / "scripted.pt")


@by_format
def test_truncated_files_are_refused_at_every_length(
    tmp_path: Path, save: Callable[[Any, Path], None]
) -> None:
    save(tiny.seeded(build).state_dict(), tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    draw = random.Random(0)
    for length in [0, 1, 7, 8, 9, 10, len(content) - 1, *(draw.sample(range(len(content)), 60))]:
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(WeightsError, match="cut"):
            read_weights(tmp_path / "cut")


@by_format
@pytest.mark.slow
def test_damaged_files_are_read_or_refused_but_never_crash(
    tmp_path: Path, save: Callable[[Any, Path], None]
) -> None:
    save(tiny.seeded(build).state_dict(), tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    draw = random.Random(1)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(draw.randint(1, 20)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            read_weights(tmp_path / "damaged")
        except WeightsError:
            refused += 1
    assert refused > 10


@by_format
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_named(
    tmp_path: Path, save: Callable[[Any, Path], None], bad: float
) -> None:
    module = tiny.seeded(build)
    with torch.no_grad():
        module.fc1.weight[1, :3] = bad
        module.bn1.running_var[0] = bad
    says = r"bn1\.running_var \(1 of 4 values\), fc1\.weight \(3 of 12 values\).*earlier checkpoint"
    save(module.state_dict(), tmp_path / "bad")
    with pytest.raises(WeightsError, match=says):
        read_weights(tmp_path / "bad")
    with pytest.raises(WeightsError, match=says):
        Network(module, tiny.Input(1, (8, 8)))
