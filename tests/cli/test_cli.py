"""The commands, and the words a person gets when something is wrong."""

import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from fuzz import small_atlas
from network import libraries
from phosphene.atlas import Atlas
from phosphene.data import digits
from phosphene.training import seeded
from phosphene.zoo import hvass

MODEL = """
from phosphene.zoo import hvass

def make():
    return hvass(widths=(2, 3), dense=(8,))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with model.py and its weights."""
    (tmp_path / "model.py").write_text(MODEL)
    module = seeded(lambda: hvass(widths=(2, 3), dense=(8,)), 0)
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    return tmp_path


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A folder of images, one folder per class."""
    data = digits("test")
    for i in range(20):
        picture, label = data[i]
        folder = tmp_path / "few" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture[0] * 255).byte().numpy()).save(folder / f"{i}.png")
    return tmp_path / "few"


def build_words(model: Path, data: object, **more: object) -> list[object]:
    words = ["build", f"{model / 'model.py'}:make", "--weights", model / "w.safetensors"]
    words += ["--data", data, "--out", model / "a.atlas", "--steps", 2]
    for name, value in more.items():
        words += [f"--{name}", value]
    return words


@pytest.mark.slow
def test_build_show_layers_and_export(run, model, few):
    status, printed = run(*build_words(model, few))
    assert status == 0
    assert "20 pictures of" in printed
    status, printed = run("layers", model / "a.atlas")
    adds = "29.4 k"  # 3 units of 2 x 5 x 5 weights at 14 x 14 places
    assert (status, f"conv2 Conv2d 3 x 14 x 14 3 14 x 14 {adds}" in printed) == (0, True)
    status, printed = run("show", model / "a.atlas", "conv2:1", "--out", model / "unit.png")
    assert (status, "fires on" in printed, (model / "unit.png").exists()) == (0, True, True)
    status, _ = run("show", model / "a.atlas", "conv2", "--out", model / "layer.png")
    assert (status, (model / "layer.png").exists()) == (0, True)
    status, printed = run("export", model / "a.atlas", model / "site")
    assert (status, (model / "site" / "index.html").exists()) == (0, True)
    assert len(list((model / "site").glob("unit-*.html"))) == 2 + 3 + 8 + 10


@pytest.mark.slow
def test_processes_write_what_this_one_does_and_threads_are_compared(run, model, few, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    found = []
    for on in ("here", "processes:2"):
        status, printed = run(*build_words(model, few, on=on))
        assert (status, "20 pictures of" in printed) == (0, True), printed
        assert "warning: a worker differs" not in printed
        with Atlas.open(model / "a.atlas") as atlas:
            found.append(atlas.fingerprint())
        (model / "a.atlas").unlink()
    assert found[0] == found[1]


@pytest.mark.slow
def test_the_overview_shows_as_many_classes_as_it_can(run, model, few):
    assert run(*build_words(model, few, layers="fc2"))[0] == 0
    with Atlas.open(model / "a.atlas") as atlas:
        evaluation = atlas.document("evaluation")
        examples = [atlas.image(i) for i in evaluation["examples"]]
        errors = [atlas.image(i) for i in evaluation["errors"]]
    assert len({image.label for image in examples}) == len(examples) == 9
    assert len({(image.label, image.predicted) for image in errors}) == len(errors) == 9


@pytest.mark.slow
def test_layers_of_a_model(run, model):
    status, printed = run("layers", f"{model / 'model.py'}:make")
    assert status == 0
    assert "● conv1 Conv2d 2 x 28 x 28 2 5 x 5" in printed
    assert "● fc2 Linear 10 10 whole picture" in printed
    assert "whole picture 80" in printed  # multiply-adds of fc2: 8 times 10


@pytest.mark.slow
def test_a_librarys_network_is_studied_and_made_again_from_its_atlas(run, few, monkeypatch):
    for name, module in libraries.torchvision().items():
        monkeypatch.setitem(sys.modules, name, module)
    flat, atlas, out = next(few.iterdir()), few / "a.atlas", few / "fool.png"
    words = ["build", "torchvision:small", "--data", flat, "--out", atlas, "--steps", 1]
    words += ["--input", "3x16x16", "--std", "0.5", "--layers", "head"]
    status, printed = run(*words)
    assert status == 0, printed
    with Atlas.open(atlas) as opened:
        record = opened.document("network")
    assert record["labels"] == ["cat", "dog"]
    assert record["input"]["mean"] == [0.4, 0.5, 0.6]
    assert (record["input"]["size"], record["input"]["std"]) == ([16, 16], [0.5] * 3)
    status, printed = run("probe", "fool", atlas, "--steps", 1, "--out", out)
    assert (status, f"kept in {atlas}" in printed) == (0, True), printed
    status, printed = run(
        "build", "torchvision:small", "--data", flat, "--weights", "DEFAULT", "--out", atlas
    )
    assert (status, "fetch https://example.org/small-1234.pth" in printed) == (2, True)


@pytest.mark.slow
def test_train_writes_weights_that_build_takes(run, tmp_path):
    status, printed = run("train", "digits", "--out", tmp_path / "w.safetensors", "--steps", 3)
    assert (status, "of 360 test pictures" in printed) == (0, True)
    words = ["build", "phosphene.zoo:hvass", "--weights", tmp_path / "w.safetensors"]
    words += ["--data", "digits", "--out", tmp_path / "a.atlas", "--steps", 1, "--layers", "fc2"]
    assert run(*words)[0] == 0


@pytest.mark.slow
def test_every_article_trains_on_its_own_classes(run, tmp_path):
    for name, held_out in (("softmax", 360), ("krishna", 72), ("pytorch", 360)):
        out = tmp_path / f"{name}.safetensors"
        status, printed = run("train", "digits", "--network", name, "--steps", 2, "--out", out)
        assert (status, f"of {held_out} test pictures" in printed) == (0, True), printed
        assert ("for validation" in printed) == (name != "pytorch")
        assert ("step 2: " in printed) == (name != "pytorch")
    words = ["train", "digits", "--classes", "3,8", "--shift", 0.1, "--widths", "2,3", "--steps", 2]
    status, printed = run(*words, "--out", tmp_path / "few.safetensors")
    assert (status, "of 72 test pictures" in printed) == (0, True), printed


@pytest.mark.later
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--network", "bruna"), "nearest: bruner"),
        (("--network", "softmax", "--widths", "3"), "--widths does not go with"),
        (("--classes", "1,x"), "'x'"),
    ],
)
def test_mistakes_in_training_are_told(run, tmp_path, words, said):
    status, printed = run("train", "digits", "--out", tmp_path / "w.safetensors", *words)
    assert (status, said in printed) == (2, True), printed


@pytest.mark.slow
def test_an_unreadable_image_is_left_out_counted_and_said(run, model, few):
    whole = next(few.rglob("*.png"))
    (few / "3" / "cut.png").write_bytes(whole.read_bytes()[:60])
    status, printed = run(*build_words(model, few))
    assert status == 0
    assert "unreadable: 1 of 21 files" in printed
    with Atlas.open(model / "a.atlas") as atlas:
        assert [Path(item.path).name for item in atlas.skipped()] == ["cut.png"]


def wrong_model(model: Path, **changes: object) -> list[object]:
    return build_words(model, "digits", **changes)


def wrong_range(model: Path, values: str) -> list[object]:
    return wrong_model(model, input="1x28x28", range=values)


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        (lambda m: wrong_model(m, layers="conv9"), "no layer 'conv9'; nearest: conv"),
        (lambda m: wrong_model(m, input="3x28x28"), "failed on one picture of its own input"),
        (lambda m: wrong_model(m, input="1x32x32"), "failed on one picture of its own input"),
        (lambda m: wrong_model(m, input="28"), "--input '28' is not channels x height x width"),
        (lambda m: wrong_model(m, canvas="makko"), "nearest: maco"),
        (lambda m: wrong_model(m, examples=0), "both are at least 1"),
        (lambda m: [*wrong_model(m), "--steps", "0"], "at least 1 is needed"),
        (lambda m: wrong_model(m, on="there"), "--on 'there': write here, processes:N (N from 1"),
        (lambda m: wrong_model(m, device="gpu"), "no device 'gpu'; choose one of auto, cpu"),
        (lambda m: wrong_range(m, "0;255"), "is not a list of numbers such as 0,1 or 0,255"),
        (lambda m: wrong_range(m, "255"), "not a lowest and a highest value, such as 0,1 or 0,255"),
        (lambda m: wrong_range(m, "1,1"), "such as 0,1 or 0,255"),
        (lambda m: wrong_model(m, layers="conv1,conv9"), "no layer 'conv9'"),
        (lambda m: wrong_model(m, labels="cat"), "'cat' is no file"),
        (lambda m: wrong_model(m, labels="cat,dog"), "2 labels were given for 10 classes"),
        (lambda m: ["build", "model:make", *wrong_model(m)[2:]], "module 'model' cannot be"),
        (lambda m: ["build", m / "nodel.py:make", *wrong_model(m)[2:]], "nearest: model.py"),
        (lambda m: ["build", f"{m}/model.py:mate", *wrong_model(m)[2:]], "nearest: make"),
        (lambda m: build_words(m, "digitz"), "digits"),
        (lambda m: build_words(m, f"mnist:{m}"), "put MNIST's four files there"),
        (lambda m: ["show", m / "none.atlas", "conv1:0"], "none.atlas"),
        (lambda m: ["show", m / "model.py", "conv1:0"], "no"),
    ],
)
def test_mistakes_are_told_in_words_with_status_2(run, model, arrange, said):
    status, printed = run(*arrange(model))
    assert status == 2
    assert printed.startswith("error:")
    assert said in printed
    assert "Traceback" not in printed


@pytest.mark.slow
def test_a_file_given_as_a_module_is_meant_as_a_file(run, model, monkeypatch):
    monkeypatch.chdir(model)
    (model / "deep").mkdir()
    (model / "deep" / "nets.py").write_text(MODEL)
    for spec, file in (("model:make", "model.py:make"), ("deep.nets:make", "deep/nets.py:make")):
        status, printed = run("layers", spec)
        assert (status, f"did you mean {file}?" in printed) == (2, True), printed
    assert run("layers", "model.py:make")[0] == 0


@pytest.mark.slow
def test_layers_may_be_named_together(run, model, few):
    assert run(*build_words(model, few, layers="conv2,fc*"))[0] == 0
    with Atlas.open(model / "a.atlas") as atlas:
        assert [layer.name for layer in atlas.layers()] == ["conv2", "fc1", "fc2"]


@pytest.mark.later
def test_a_study_that_failed_early_is_said_to_be_unfinished(run, model, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"none")
    status, printed = run(*build_words(model, tmp_path / "bad"))
    assert (status, "none of the 1 pictures" in printed) == (2, True), printed
    for words in (("export", tmp_path / "site"), ("show", "conv1:0"), ("show", "conv1")):
        status, printed = run(words[0], model / "a.atlas", *words[1:])
        assert status == 2
        assert "unfinished" in printed
        assert "none of the 1 pictures" in printed
        assert "`phosphene build`" in printed
    assert not (tmp_path / "site").exists()


def test_weights_that_are_none(run, model):
    for content, said in (
        (pickle.dumps(ValueError("a model")), "could run code"),
        (b"just some text, no weights", "neither a safetensors file nor"),
    ):
        (model / "w.pt").write_bytes(content)
        status, printed = run(*wrong_model(model, weights=model / "w.pt"))
        assert (status, said in printed) == (2, True), printed
    state = seeded(lambda: hvass(widths=(2, 3), dense=(8,)), 0).state_dict()
    state["conv1.bias"][0] = torch.nan
    save_file(state, model / "w.safetensors")
    status, printed = run(*wrong_model(model))
    assert (status, "conv1.bias (1 of 2 values)" in printed) == (2, True), printed


@pytest.mark.later
def test_a_file_that_is_no_atlas_is_left_alone(run, model, few):
    (model / "a.atlas").write_text("my notes")
    status, printed = run(*build_words(model, few))
    assert (status, "a.atlas" in printed) == (2, True)
    assert (model / "a.atlas").read_text() == "my notes"


@pytest.mark.slow
def test_another_networks_atlas_is_left_alone(run, model, few):
    assert run(*build_words(model, few))[0] == 0
    with Atlas.open(model / "a.atlas") as atlas:
        before = atlas.fingerprint()
    save_file(
        seeded(lambda: hvass(widths=(2, 3), dense=(8,)), 1).state_dict(), model / "w.safetensors"
    )
    status, printed = run(*build_words(model, few))
    assert (status, "another network" in printed) == (2, True)
    with Atlas.open(model / "a.atlas") as atlas:
        assert atlas.fingerprint() == before


@pytest.mark.slow
def test_unknown_units(run, model, few):
    run(*build_words(model, few))
    for unit, said in (
        ("conv2:99", "its 3 units are 0 to 2"),
        ("conv2", ""),
        ("konv2:1", "nearest: conv2"),
        ("conv2:1@3,3", "ask for conv2:1"),
        ("nonsense:", "names no unit"),
        ("relu1", "no class or layer 'relu1' in the atlas; there are: conv1, conv2, fc1, fc2"),
        ("relu1", "added by building with --layers"),
    ):
        status, printed = run("show", model / "a.atlas", unit, "--out", model / "x.png")
        assert status == (2 if said else 0), printed
        assert said in printed


@pytest.mark.later
def test_help_reads_like_documentation(run):
    status, printed = run("--help")
    assert status == 0
    for command in ("demo", "train", "build", "export", "layers", "show"):
        assert command in printed
        assert run(command, "--help")[0] == 0


@pytest.mark.slow
@pytest.mark.longest
def test_the_demo(run, tmp_path):
    status, printed = run("demo", "--out", tmp_path / "demo")
    assert status == 0
    assert f"view {tmp_path / 'demo' / 'digits.atlas'}" in printed
    assert "10 of its 10 class pictures" in printed
    with Atlas.open(tmp_path / "demo" / "digits.atlas") as atlas:
        assert sum(layer.units for layer in atlas.layers()) == 190
        assert atlas.document("evaluation")["accuracy"] >= 0.975
        first = atlas.fingerprint()
    assert len(list((tmp_path / "demo" / "site").glob("unit-*.html"))) == 190
    shutil.rmtree(tmp_path / "demo" / "site")
    assert run("demo", "--out", tmp_path / "demo")[0] == 0
    with Atlas.open(tmp_path / "demo" / "digits.atlas") as atlas:
        assert atlas.fingerprint() == first


@pytest.mark.parametrize("document", [{}, None, [1], {"labels": 3}])
def test_a_network_that_is_not_described_is_told(
    document: object,
    run: Callable[..., tuple[int, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_atlas(tmp_path / "a.atlas")
    read = Atlas.document

    def odd(self: Atlas, name: str) -> object:
        return document if name == "network" else read(self, name)

    monkeypatch.setattr(Atlas, "document", odd)
    code, said = run("show", tmp_path / "a.atlas", "conv:0")
    assert (code, "is no description of a network" in said) == (2, True), said
