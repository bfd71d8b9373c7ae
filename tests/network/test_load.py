"""Networks from `file.py:factory` and `package.module:factory`, with inputs told or found."""

import os
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import nn

import tiny
from phosphene.errors import SpecError, WeightsError
from phosphene.network import Input, find_factory, guess_input, load_network

MODEL = """
    from dataclasses import dataclass
    from torch import nn
    import widths
    from phosphene.network import Input, Network

    @dataclass
    class Settings:
        channels: int = widths.FIRST

    def make():
        return nn.Sequential(
            nn.Conv2d(1, Settings().channels, 5), nn.ReLU(), nn.Flatten(), nn.Linear(1728, 10)
        )

    def record():
        return Network(make(), Input(1, (28, 28), mean=0.5), labels="abcdefghij", name="mine")

    def sized(classes, *, width, depth=3):
        return make()

    def text():
        return "no network"

    number = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(textwrap.dedent(MODEL))
    (tmp_path / "widths.py").write_text("FIRST = 3")
    (tmp_path / "broken.py").write_text("import there_is_no_such_module")
    (tmp_path / "typo.py").write_text("def make(:")
    return tmp_path


def test_a_file_gives_a_network(folder: Path) -> None:
    before = list(sys.path)
    network = load_network(f"{folder / 'model.py'}:make")
    assert network.input == Input(1, (28, 28))
    assert network.name == "make"
    assert [layer.name for layer in network.default_layers] == ["0", "3"]
    assert sys.path == before


@pytest.mark.later
def test_weights_are_loaded(folder: Path) -> None:
    spec = f"{folder / 'model.py'}:make"
    trained = load_network(spec)
    torch.save({"state_dict": trained.module.state_dict()}, folder / "w.pt")
    again = load_network(spec, weights=folder / "w.pt")
    assert again.fingerprint == trained.fingerprint
    assert load_network(spec).fingerprint != trained.fingerprint
    with pytest.raises(WeightsError):
        load_network("phosphene.zoo:hvass", weights=folder / "w.pt")


def test_a_factory_may_give_a_whole_record(folder: Path) -> None:
    spec = f"{folder / 'model.py'}:record"
    network = load_network(spec)
    assert network.name == "mine"
    assert network.input.mean == (0.5,)
    assert network.classes == tuple("abcdefghij")
    told = load_network(spec, input=Input(1, (28, 28), mean=0.1), labels="0123456789")
    assert told.input.mean == (0.1,)
    assert told.classes == tuple("0123456789")
    grey = load_network(spec, input={"mean": 0.25})
    assert grey.input == Input(1, (28, 28), mean=0.25)


@pytest.mark.later
def test_a_package_gives_a_network() -> None:
    network = load_network("phosphene.zoo:hvass")
    assert network.input == Input(1, (28, 28))
    assert network.logits.units == 10


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("model.py", "names no factory; write file.py:factory or package.module:factory"),
        (":make", "names no factory"),
        ("{}/model.py:", "names no factory"),
        ("{}/modle.py:make", r"no file .*modle\.py; nearest: model\.py"),
        ("{}/model.py:maek", "has no function 'maek'; nearest: make"),
        ("{}/model.py:number", "has no function 'number'"),
        ("{}/model.py:sized", r"needs arguments \(classes, width\); write a function without"),
        (
            "{}/model.py:text",
            r"returned a str; expected a torch\.nn\.Module or a phos",
        ),
        ("{}/broken.py:make", "cannot be imported: ModuleNotFoundError: .*there_is_no_such_module"),
        ("{}/typo.py:make", "cannot be imported: SyntaxError"),
        ("there_is_no_such_package:make", "cannot be imported: .*give a path to a .py file"),
        ("phosphene.zoo:hvas", "has no function 'hvas'; nearest: hvass"),
    ],
)
def test_specifications_that_cannot_be_resolved(folder: Path, spec: str, says: str) -> None:
    before = list(sys.path), set(sys.modules)
    with pytest.raises(SpecError, match=says):
        load_network(spec.format(folder))
    assert sys.path == before[0]
    assert not {m for m in set(sys.modules) - before[1] if "broken" in m or "typo" in m}


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.py").write_text(f"def make(): return {name!r}")
    makes = [find_factory(f"{tmp_path / name / 'model.py'}:make") for name in "ab"]
    assert [make() for make in makes] == ["a", "b"]


def head(channels: int, features: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, 2, 3, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(features, 3)
    )


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (4, 64), (3, 224), (3, 299)])
def test_the_input_is_guessed_from_the_only_size_that_runs(channels: int, size: int) -> None:
    module = head(channels, 2 * ((size + 1) // 2) ** 2)
    assert guess_input(module) == Input(channels, (size, size))
    assert load_network("phosphene.zoo:hvass", input=Input(1, (28, 28))).input.size == (28, 28)


@pytest.mark.later
def test_parts_of_an_input_go_before_what_is_found() -> None:
    found = load_network("phosphene.zoo:hvass", input={"mean": 0.1307, "std": 0.3081})
    assert found.input == Input(1, (28, 28), mean=0.1307, std=0.3081)
    whole = {"channels": 3, "size": (20, 20), "value_range": (0, 255)}
    assert load_network("torch.nn:Flatten", input=whole).input == Input(3, (20, 20), 0, 1, (0, 255))


@pytest.mark.later
def test_inputs_that_cannot_be_told() -> None:
    pooled = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(SpecError, match=r"sizes \[28, 32.*\] all run; give it: .* 3x224x224"):
        guess_input(pooled)
    with pytest.raises(SpecError, match=r"none of the sizes .* runs; give it: "):
        guess_input(head(1, 17))
    with pytest.raises(SpecError, match="has no convolution; give it: "):
        guess_input(tiny.dense())


def test_what_python_keeps_of_a_file_is_not_taken_for_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two versions of the same length, written in the same second."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    text = "from torch import nn\ndef make():\n    return nn.Conv2d(1, {}, 3)\n"
    units = []
    for count in (2, 3):
        (tmp_path / "model.py").write_text(text.format(count))
        os.utime(tmp_path / "model.py", (1, 1))
        network = load_network(f"{tmp_path / 'model.py'}:make", input=Input(1, (9, 9)))
        units += [layer.units for layer in network.layers.values()]
    assert units == [2, 3]
