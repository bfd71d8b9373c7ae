"""What somebody meets who is new here: weights that know their network, warnings, hints."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from phosphene.atlas import Atlas
from phosphene.cli import output
from phosphene.cli.finishing import next_step
from phosphene.cli.output import write_new
from phosphene.network import Input
from phosphene.study.finding import found_data
from phosphene.training import seeded
from phosphene.zoo import hvass, read_trained

MODEL = """
import torch
from phosphene.training import seeded
from phosphene.zoo import hvass

def make():
    return hvass(widths=(2, 3), dense=(8,))

def same():
    return seeded(make, 0)
"""
DRAWN = ["--steps", 1, "--layers", "fc2", "--no-neurons", "--units", "fc2:7"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which everything is typed, with a model and its weights."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.py").write_text(MODEL)
    module = seeded(lambda: hvass(widths=(2, 3), dense=(8,)), 0)
    save_file(module.state_dict(), tmp_path / "m" / "w.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def trained(run, here: Path) -> Path:
    """Weights as `train` makes them, of a network of unusual widths."""
    words = ["train", "digits", "--widths", "2,3", "--dense", "8", "--steps", 2]
    status, printed = run(*words, "--out", "w.safetensors")
    assert status == 0, printed
    told = "Now: phosphene build w.safetensors --out w.atlas"
    assert told in printed
    assert "phosphene probe fool w.safetensors" in printed
    return here / "w.safetensors"


@pytest.mark.parametrize(
    ("typed", "there", "said"),
    [
        (".venv/bin/phosphene", None, ".venv/bin/phosphene"),
        ("/my tools/phosphene", None, "'/my tools/phosphene'"),
        (".venv/bin/phosphene", "/usr/bin/phosphene", "phosphene"),
        ("/usr/bin/pytest", None, "phosphene"),
    ],
)
def test_the_next_step_can_be_typed_as_it_is_told(
    typed: str, there: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [typed])
    monkeypatch.setattr(output, "which", lambda name: there)
    told = next_step(Path("my data/net.atlas"))
    assert told.startswith(f"Next: [b]{said} view 'my data/net.atlas'[/]")


@pytest.mark.slow
def test_weights_of_train_are_a_model(run, trained: Path):
    status, printed = run("layers", trained.name)
    assert (status, "conv2 Conv2d 3 x 14 x 14 3 14 x 14" in printed) == (0, True), printed
    status, printed = run("build", trained.name, "--out", "w.atlas", *DRAWN)
    assert (status, "no --weights" in printed) == (0, False), printed
    assert "Next: phosphene view w.atlas opens" in printed
    with Atlas.open("w.atlas") as atlas:
        assert atlas.document("data")["name"] == "digits test"
        assert atlas.document("network")["name"] == "Hvass's network"
    for target in (trained.name, "w.atlas"):
        status, printed = run("probe", "errors", target, "--slice", "0:9")
        assert (status, "no --weights" in printed) == (0, False), printed


@pytest.mark.slow
def test_weights_of_train_go_with_the_articles_name(run, trained: Path):
    status, printed = run("probe", "weights", "hvass", "--weights", trained.name)
    assert (status, "no --weights" in printed) == (0, False), printed
    assert run("layers", "krishna", "--weights", trained.name)[0] == 2


def test_what_a_file_says_of_its_network(tmp_path: Path):
    assert read_trained(tmp_path / "none.safetensors") is None
    save_file(hvass(widths=(2,)).state_dict(), tmp_path / "foreign.safetensors")
    assert read_trained(tmp_path / "foreign.safetensors") is None
    for told in ('{"network": 3}', "[]", '{"network": {"article": "hvass"}}', "{"):
        path = tmp_path / "odd.safetensors"
        save_file(hvass(widths=(2,)).state_dict(), path, {"recipe": told})
        assert read_trained(path) is None


@pytest.mark.slow
def test_what_train_wrote_is_read_back(trained: Path):
    known = read_trained(trained)
    assert known is not None
    assert known.input == Input(1, (28, 28))
    assert (known.article, known.data) == ("hvass", "digits")
    assert dict(known.settings) == {"widths": (2, 3), "dense": (8,)}
    state = known.network(trained).module.state_dict()
    assert all(value.equal(state[name]) for name, value in load_file(trained).items())


@pytest.mark.slow
def test_random_weights_are_said_loudly(run, here: Path):
    for model, said in (
        ("hvass", "hvass draws its own at random"),
        ("m/model.py:make", "m/model.py:make draws its own at random"),
        ("m/model.py:same", "m/model.py:same's own values are studied"),
    ):
        status, printed = run("probe", "weights", model, "--layer", "conv1")
        assert (status, "warning: no --weights were given" in printed) == (0, True), printed
        assert said in printed
    words = ["probe", "weights", "m/model.py:make", "--weights", "m/w.safetensors"]
    assert "warning" not in run(*words)[1]


@pytest.mark.slow
def test_accuracy_by_chance_is_said_before_the_study(run, here: Path):
    words = ["build", "m/model.py:make", "--weights", "m/w.safetensors", "--data", "digits"]
    status, printed = run(*words, "--out", "far/a.atlas", *DRAWN)
    assert status == 0, printed  # the folder is made
    assert "of 10 classes are read right, which is chance" in printed
    assert "--weights" in printed
    assert "--mean, --std" in printed


@pytest.mark.slow
def test_an_atlas_finds_its_model_from_elsewhere(run, here: Path, monkeypatch):
    words = ["build", "m/model.py:make", "--weights", "m/w.safetensors", "--data", "digits"]
    assert run(*words, "--out", "out/a.atlas", *DRAWN)[0] == 0
    assert str(here) not in json.dumps(Atlas.open("out/a.atlas").__enter__().document("source"))
    asked = ["probe", "weights", "--layer", "conv1", "--out"]
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    status, printed = run(*asked[:2], here / "out" / "a.atlas", *asked[2:], "a.png")
    assert status == 0, printed
    shutil.copytree(here / "out", here / "mailed")
    shutil.copy(here / "m" / "model.py", here / "mailed")
    shutil.copy(here / "m" / "w.safetensors", here / "mailed")
    shutil.rmtree(here / "m")
    beside = [*asked[:2], here / "mailed" / "a.atlas", *asked[2:], "b.png"]
    assert run(*beside)[0] == 2, "the code may be another's there"
    status, printed = run(*beside, "--trust")
    assert status == 0, printed
    (here / "mailed" / "model.py").unlink()
    status, printed = run("probe", "strokes", here / "mailed" / "a.atlas")
    assert (status, "--model path/to/model.py:make" in printed) == (2, True), printed


def test_an_atlas_finds_its_data_from_elsewhere(tmp_path: Path, monkeypatch):
    for folder in ("photos", "out", "elsewhere"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "photos" / "few.tar").touch()
    atlas, source = tmp_path / "out" / "a.atlas", {"from": ".."}
    for spec, found in (
        ("photos", f"{tmp_path / 'out' / '..' / 'photos'}"),
        ("mnist:photos:test", f"mnist:{tmp_path / 'out' / '..' / 'photos'}:test"),
        ("digits:test", "digits:test"),
        ("data.py:make", "data.py:make"),
        (str(tmp_path / "photos"), str(tmp_path / "photos")),
        ("photos/{0..9}.tar", f"{tmp_path / 'out' / '..' / 'photos'}/{{0..9}}.tar"),
        ("photos/few.tar", f"{tmp_path / 'out' / '..' / 'photos' / 'few.tar'}"),
        ("s3://photos/{0..9}.tar", "s3://photos/{0..9}.tar"),
    ):
        assert found_data(spec, atlas, source) == found
        assert found_data(spec, None, source) == spec
    (tmp_path / "out" / "photos").mkdir()
    assert found_data("photos", atlas, source) == str(tmp_path / "out" / "photos")


def test_what_is_there_is_not_written_over(tmp_path: Path):
    path = tmp_path / "fool.png"
    assert write_new(path, b"one") == path
    assert write_new(path, b"one") == path
    assert write_new(path, b"two") == tmp_path / "fool-2.png"
    assert write_new(path, b"three") == tmp_path / "fool-3.png"
    assert write_new(path, b"two") == tmp_path / "fool-2.png"
    assert [p.read_bytes() for p in sorted(tmp_path.iterdir())] == [b"two", b"three", b"one"]
    assert write_new(path, b"four", replace=True) == path
    assert path.read_bytes() == b"four"


@pytest.mark.slow
def test_a_probe_leaves_older_pictures_alone(run, here: Path):
    words = ["probe", "errors", "m/model.py:make", "--weights", "m/w.safetensors"]
    words += ["--data", "digits", "--slice"]
    assert run(*words, "0:5")[0] == 0
    before = Path("errors.png").read_bytes(), Path("errors.json").read_bytes()
    status, printed = run(*words, "0:9")
    assert (status, "errors-2.png; errors.png was there" in printed) == (0, True), printed
    assert (Path("errors.png").read_bytes(), Path("errors.json").read_bytes()) == before
    assert Path("errors-2.json").exists()
    status, printed = run(*words, "0:9", "--out", "errors.png")
    assert (status, "Drawn to errors.png" in printed) == (0, True), printed
    assert Path("errors.png").read_bytes() == Path("errors-2.png").read_bytes()


@pytest.mark.slow
def test_hints_name_what_there_is(run, here: Path):
    words = ["build", "m/model.py:make", "--weights", "m/w.safetensors", "--data", "digits"]
    assert run(*words, "--out", "a.atlas", *DRAWN)[0] == 0
    for asked, said in (
        (["show", "a.atlas", "fc2-7"], "did you mean fc2:7?"),
        (["show", "a.atlas", "unit-fc2-7.html"], "did you mean fc2:7?"),
        (["probe", "weights", "a.atlas", "--weights", "m/v.safetensors"], "nearest: w.safetensors"),
        (["probe", "weights", "a.atlas", "--weights", "n/w.safetensors"], "there is no folder n"),
        (["probe", "weights", "m/w.safetensors"], "file.py:factory --weights m/w.safetensors"),
        (["probe", "weights", "hvas"], "or one of softmax, krishna, bruner, hvass, pytorch"),
        (["train", "digits", "--network", "resnet", "--out", "w"], "there are: softmax, krishna"),
        ([*words, "--out", "a.atlas", *DRAWN, "--steps", 2], "steps 2 where the atlas has 1"),
        ([*words, "--out", "a.atlas", *DRAWN, "--classes", "9"], "units fc2:7,9 where the atlas"),
        ([*words, "--out", "b.atlas", "--classes", "x"], "no class 'x'"),
        ([*words, "--out", "b.atlas", "--units", "fc2"], "such as conv2:17"),
        (["build", "hvass", "--out", "b.atlas"], "give --data digits"),
    ):
        status, printed = run(*asked)
        assert (status, said in printed) == (2, True), printed
    status, printed = run("show", "a.atlas", "7", "--out", "seven.png")
    assert (status, "fc2:7" in printed) == (0, True), printed  # a class, by its name


def test_layers_are_whole_when_piped(run, here: Path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    (here / "m" / "long.py").write_text(
        "from torch import nn\n"
        "class Convolution_with_a_name_that_takes_more_than_half_a_terminal(nn.Conv2d): pass\n"
        "def make():\n"
        "    name = Convolution_with_a_name_that_takes_more_than_half_a_terminal\n"
        "    return nn.Sequential(name(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))\n"
    )
    status, printed = run("layers", "m/long.py:make", "--input", "1x8x8")
    assert status == 0
    assert "Convolution_with_a_name_that_takes_more_than_half_a_terminal 2 x 6 x 6" in printed


def test_the_second_demo_says_what_it_needs(run, here: Path, monkeypatch):
    monkeypatch.setattr("phosphene.zoo.photos.find_spec", lambda name: None)
    status, printed = run("demo", "--photos")
    assert status == 2
    assert "pip install 'phosphene[photos]'" in printed
    assert not Path("demo-photos").exists()
