"""What can be said of a network is said alike in the record and on every command, and kept."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.atlas import Atlas
from phosphene.cli.app import COMMANDS
from phosphene.cli.described import OPTIONS, Described
from phosphene.network import Input, load_network

Run = Callable[..., tuple[int, str]]

MODEL = """
import torch
from torch import nn


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.shape, self.colour = nn.Conv2d(3, 6, 5), nn.Linear(6, 4), nn.Linear(6, 3)

    def forward(self, x):
        x = torch.tanh(self.conv(x)).mean((2, 3))
        return {"shape": self.shape(x), "colour": self.colour(x)}


def heads(): return Heads()


def one():
    torch.manual_seed(0)
    end = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 1)
    return nn.Sequential(nn.Conv2d(3, 6, 5), nn.Tanh(), *end)
"""

INPUT = ("--input", "3x12x12", "--mean", "10,20,30", "--std", "50", "--range", "0,255")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and photographs of two kinds; it is the current one."""
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    rng = np.random.default_rng(0)
    for kind in ("blue", "red"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / kind / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def build(run: Run, factory: str, *said: str) -> str:
    status, printed = run(
        *("build", f"model.py:{factory}", "--data", "photos", "--out", "a.atlas", *INPUT),
        *("--steps", 1, "--no-neurons", "--examples", 1, *said),
    )
    assert status == 0, printed
    return printed


def test_every_command_that_takes_a_model_takes_all_of_it() -> None:
    commands = {str(later.name): later.read() for later in COMMANDS}
    probe = commands.pop("probe")
    told = [f"probe {name}" for name in probe.list_commands(None)]
    asking = dict(zip(told, probe.commands.values(), strict=True))
    taking = {"build", "layers", "show"} | asking.keys() - {"probe list", "probe forget"}
    for name, command in (commands | asking).items():
        has = OPTIONS.keys() & {parameter.name for parameter in command.params}
        if name in taking:
            assert has == OPTIONS.keys(), name
    assert set(inspect.signature(Described).parameters) == set(OPTIONS)


@pytest.mark.slow
def test_what_was_said_is_kept_and_found_again(run: Run, place: Path) -> None:
    printed = build(
        *(run, "heads", "--output", "colour", "--task", "sigmoid", "--labels", "red,green,blue"),
        *("--order", "bgr", "--resize", "squash"),
    )
    assert "Class scores are taken from colour: sigmoid" in printed
    expected = load_network(
        "model.py:heads",
        None,
        Input(3, (12, 12), (10, 20, 30), 50, (0.0, 255.0), "bgr"),
        ("red", "green", "blue"),
        output="colour",
        task="sigmoid",
    )
    with Atlas.open("a.atlas") as atlas:
        record = atlas.document("network")
        assert (record["output"], record["task"]) == ("colour", "sigmoid")
        assert record["input"]["order"] == [2, 1, 0]
        assert record["fingerprint"] == expected.fingerprint
        assert "squashed to 12x12" in atlas.document("data")["note"]
        assert atlas.document("reading")["layer"] == "colour"
        assert atlas.document("evaluation")["count"] == 8, "blue and red by their names"
    status, printed = run("probe", "fool", "a.atlas", "--out", "f.png")
    assert status == 0, printed
    told = json.loads(Path("f.json").read_text("utf-8"))
    assert set(told["targets"]) == {"red", "green", "blue"}


@pytest.mark.later
def test_a_probe_of_a_model_is_told_alike(run: Run, place: Path) -> None:
    status, printed = run("probe", "fool", "model.py:heads", *INPUT, "--out", "f.png")
    assert status == 2
    assert "say which is: output='output[shape]', on the command line --output" in printed
    status, printed = run(
        *("probe", "fool", "model.py:heads", *INPUT, "--output", "shape", "--out", "f.png")
    )
    assert status == 0, printed
    assert json.loads(Path("f.json").read_text("utf-8"))["targets"] == ["0", "1", "2", "3"]


@pytest.mark.later
def test_two_folders_and_one_output(run: Run, place: Path) -> None:
    printed = build(run, "one")
    assert "sigmoid of one score for the second of two classes (as was said" in printed
    assert "classes were taken in order (blue = 0, red = 1)" in printed
    with Atlas.open("a.atlas") as atlas:
        assert atlas.document("network")["labels"] == ["blue", "red"]
        assert atlas.document("evaluation")["count"] == 8


@pytest.mark.later
def test_none_of_it_is_classes(run: Run, place: Path) -> None:
    printed = build(run, "one", "--task", "none")
    assert "no classes (task 'none')" in printed
    with Atlas.open("a.atlas") as atlas:
        assert "evaluation" not in atlas.documents()
        assert len(atlas.units("0")[0].class_means) == 2, "the data's own labels"
    status, printed = run("probe", "fool", "a.atlas")
    assert status == 2
    assert "no classes" in printed


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (("--task", "multi"), "--task 'multi': choose one of softmax, sigmoid, binary, none"),
        (("--order", "gbr"), "order 'gbr' is neither 'rgb' nor 'bgr'"),
        (("--resize", "big"), "--resize 'big' is neither the length of the short side"),
        (("--output", "color"), "there is no output 'color'; nearest: colour"),
        (("--output", "colour", "--labels", "a,b"), "2 labels were given for 3 classes of Heads"),
    ],
)
def test_what_cannot_be_is_told(run: Run, place: Path, said: tuple[str, ...], words: str) -> None:
    status, printed = run(
        *("build", "model.py:heads", "--data", "photos", "--out", "a.atlas", *INPUT, *said)
    )
    assert status == 2
    assert words in printed


def test_a_network_turned_round_answers_alike(place: Path) -> None:
    plain = load_network("model.py:heads", None, Input(3, (12, 12)), output="shape")
    turned = load_network("model.py:heads", None, Input(3, (12, 12), order="bgr"), output="shape")
    with torch.no_grad():
        turned.module.conv.weight.copy_(plain.module.conv.weight.flip(1))
    pictures = torch.rand(2, 3, 12, 12)
    torch.testing.assert_close(turned.class_scores(pictures), plain.class_scores(pictures))
