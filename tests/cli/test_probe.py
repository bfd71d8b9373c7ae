"""The probe commands: each answers, draws, keeps, and says what is wrong in words."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import save_file

from phosphene.atlas import Atlas
from phosphene.attribution import METHODS
from phosphene.canvas import Spectrum
from phosphene.maximize import Recipe
from phosphene.probes import class_pictures, transfers
from phosphene.training import seeded
from phosphene.zoo import hvass

pytestmark = pytest.mark.slow  # many small studies and trainings

MODEL = """
from phosphene.zoo import hvass

def make():
    return hvass(widths=(2, 3), dense=(40,))
"""

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, two sets of weights and the atlas of one."""
    here = tmp_path_factory.mktemp("probe")
    (here / "model.py").write_text(MODEL)
    for seed in (0, 1):
        module = seeded(lambda: hvass(widths=(2, 3), dense=(40,)), seed)
        module.fc2.weight.data *= 50  # as sure of itself as a trained one
        save_file(module.state_dict(), here / f"w{seed}.safetensors")
    return here


@pytest.fixture(autouse=True)
def atlas(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is where the commands run, and its atlas is there."""
    monkeypatch.chdir(folder)
    if not (folder / "a.atlas").exists():
        words = ["build", "model.py:make", "--weights", "w0.safetensors", "--data", "digits"]
        status, printed = run(*words, "--out", "a.atlas", "--steps", 1, "--layers", "fc*")
        assert status == 0, printed


def kept(folder: Path, kind: str) -> int:
    with Atlas.open(folder / "a.atlas") as atlas:
        return sum(probe.kind == kind for probe in atlas.probes())


ASKED = {
    "fool": ["fool", "--to", "3,7", "--steps", 2],
    "fool ": ["fool", "--start", "black", "--aim", "against", "--optimizer", "Adam", "--steps", 2],
    "morph": ["morph", "--image", 4, "--to", 1, "--steps", 2],
    "distances": ["distances", "--slice", "0:6", "--steps", 2],
    "flips": ["shift", "--radius", 1, "--slice", "0:9", "--also", "w1.safetensors"],
    "move": ["shift", "--image", 2, "--move", "scale"],
    "strokes": ["strokes"],
    "units": ["units", "--layers", "conv2", "--slice", "0:20"],
    "restarts": ["restarts", "7", "--starts", 3, "--steps", 2],
    "restarts ": ["restarts", "fc1:2", "--starts", 3, "--steps", 2],
    "weights": ["weights"],
    "filters": ["weights", "--layer", "conv2", "--image", 1, "--steps", 1],
    "dissect": ["dissect", "fc1"],
    "errors": ["errors", "--slice", "10:30"],
    "classes": ["classes", "--to", "3", "--steps", 2],
    "dream": ["dream", "conv2", "--image", 1, "--octaves", 1, "--steps", 1],
    "invert": ["invert", "--layers", "conv1", "--image", 1, "--steps", 2],
    "caricature": ["caricature", "--layers", "conv2", "--image", 1, "--steps", 2],
    "facets": ["facets", "fc1:0", "--count", 2, "--steps", 2],
    "interpolate": ["interpolate", "3", "fc1:1", "--count", 2, "--steps", 2],
    "transfer": ["transfer", "--also", "w1.safetensors", "--images", 1, "--confidence", 0.11],
}


@pytest.mark.parametrize("asked", ASKED)
def test_a_probe_answers_draws_and_is_kept(run: Run, folder: Path, asked: str) -> None:
    kind = asked.strip()
    before = kept(folder, kind)
    words = ["probe", ASKED[asked][0], "a.atlas", *ASKED[asked][1:], "--out", "out.png"]
    status, printed = run(*words)
    assert status == 0, printed
    assert "Drawn to out.png and kept in a.atlas" in printed
    assert kept(folder, kind) == before + 1
    with Image.open(folder / "out.png") as image:
        assert image.width > 400  # as wide as what is on it
    assert json.loads((folder / "out.json").read_text())
    again = run(*words)
    assert again[0] == 0
    assert "Drawn to out.png; kept in a.atlas since 20" in again[1]
    assert kept(folder, kind) == before + 1


def test_a_model_is_probed_without_an_atlas(run: Run, folder: Path) -> None:
    words = ["probe", "errors", "model.py:make", "--weights", "w1.safetensors", "--data", "digits"]
    status, printed = run(*words, "--out", "plain.png")
    assert (status, "kept" in printed) == (0, False)
    assert (folder / "plain.png").exists()


def test_a_message_is_read_by_its_network_alone(run: Run, folder: Path) -> None:
    status, printed = run("probe", "hide", "a.atlas", "to be", "--into", "m.png")
    assert status == 0, printed
    with Atlas.open(folder / "a.atlas") as atlas:
        assert "A hidden message of 5 characters" in {probe.title for probe in atlas.probes()}
    assert run("probe", "reveal", "a.atlas", "m.png") == (0, "to be")
    status, printed = run(
        *("probe", "reveal", "model.py:make", "--weights", "w1.safetensors", "m.png")
    )
    assert status == 2
    assert "they hold no message, or one for another network" in printed


def test_a_drawing_of_the_users_is_read(run: Run, folder: Path) -> None:
    image = Image.new("RGB", (90, 60), "white")
    image.paste((20, 30, 90), (40, 10, 48, 50))
    image.save(folder / "mine.jpg")
    status, printed = run("probe", "strokes", "a.atlas", "--drawing", "mine.jpg")
    assert status == 0, printed
    assert "found to be light, so it was inverted" in printed


def test_networks_are_trained_again_once(run: Run, folder: Path) -> None:
    train = ["--train", "digits", "--training-steps", 3, "--folder", "nets", "--steps", 1]
    words = ["probe", "variants", "a.atlas", *train, "--variant", "widths=2,3 dense=4"]
    status, printed = run(*words)
    assert status == 0, printed
    assert "widths=2,3 dense=4: " in printed
    written = (folder / "nets" / "hvass-widths2-3-dense4.safetensors").stat().st_mtime_ns
    assert run(*words)[0] == 0
    assert (folder / "nets" / "hvass-widths2-3-dense4.safetensors").stat().st_mtime_ns == written
    seeds = ["--seeds", 1, "--images", 1, "--confidence", 0.1, "--make", "morph"]
    status, printed = run("probe", "transfer", "a.atlas", *train[:-2], *seeds)
    assert status == 0, printed
    assert (folder / "nets" / "hvass-seed1.safetensors").exists()


def test_classes_are_imagined_by_a_decoder_trained_once(run: Run, folder: Path) -> None:
    words = ["probe", "imagine", "a.atlas", "--train", "digits", "--training-steps", 2]
    words += ["--codes", 3, "--per-class", 1, "--steps", 2]
    status, printed = run(*words)
    assert status == 0, printed
    assert "10 pictures of 10 classes; read as meant by the network" in printed
    assert "times that of real pictures" in printed
    assert kept(folder, "imagine") == 1
    assert run(*words)[0] == 0
    assert kept(folder, "imagine") == 1


def test_what_is_kept_already_is_told_without_a_look_at_the_data(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = partial(class_pictures, recipe=Recipe(steps=1))
    monkeypatch.setattr(transfers, "class_pictures", brief)
    words = ["probe", "transfer", "a.atlas", "--make", "classes", "--also", "w1.safetensors"]
    status, printed = run(*words)
    assert status == 0, printed
    monkeypatch.setattr(Spectrum, "measure", lambda _: pytest.fail("data were measured"))
    status, printed = run(*words)
    assert (status, "kept in a.atlas since 20" in printed) == (0, True), printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["interpolate", "a.atlas", "3", "fc1:1", "--steps", "0"], "Invalid value for '--steps'"),
        (["fool", "a.atlas", "--to", "eleven"], "no class 'eleven'; there are: 0, 1, 2"),
        (["fool", "a.atlas", "--aim", "logitt"], "no aim 'logitt'; nearest: logit"),
        (["fool", "a.atlas", "--start", "no.png"], "no.png"),
        (["shift", "a.atlas", "--image", "1", "--slice", "0:5"], "leave it out with --image"),
        (["transfer", "a.atlas", "--also", "w1.safetensors", "--confidence", "1.1"], "none of the"),
        (["fool", "a.atlas", "--start", "grau"], "no start is called 'grau'; nearest: grey"),
        (["fool", "b.atlas"], "there is no atlas b.atlas; give one, a model"),
        (["fool", "a.atlas", "--out", "x.txt"], "--out x.txt is no picture file"),
        (["fool", "a.atlas", "--weights", "w1.safetensors"], "study of another network"),
        (["fool", "a.atlas", "--weights", "w9.safetensors"], "w9.safetensors"),
        (["morph", "a.atlas", "--image", "9999"], "--image 9999: the data has 0 to 359"),
        (["morph", "a.atlas", "--image", "no.png"], "no.png"),
        (["shift", "a.atlas", "--move", "turn"], "no move 'turn'; there are: shift"),
        (["errors", "a.atlas", "--slice", "first"], "slice 'first' is not from:to"),
        (["errors", "a.atlas", "--slice", "400:500"], "the data has 0 to 359"),
        (["errors", "model.py:make"], "this probe needs pictures; give --data"),
        (["units", "a.atlas", "--layers", "conv9"], "no layer 'conv9'; nearest: conv"),
        (["weights", "a.atlas", "--layer", "relu1"], "layer 'relu1' has no weights"),
        (["restarts", "a.atlas", "fc2:10"], "has units 0 to 9; 10 was asked for"),
        (["strokes", "a.atlas", "--drawing", "no.png"], "there is no file no.png"),
        (["transfer", "a.atlas"], "transfer needs other networks"),
        (["transfer", "a.atlas", "--seeds", "1"], "training needs pictures: give --train"),
        (["transfer", "a.atlas", "--make", "art"], "no pictures are called 'art'"),
        (["variants", "a.atlas"], "no variant was given"),
        (["variants", "a.atlas", "--variant", "wide"], "'wide' is not name=value"),
        (["variants", "a.atlas", "--variant", "w=2", "--train", "digits"], "--w does not go with"),
        (["reveal", "a.atlas", "model.py"], "model.py"),
    ],
)
def test_a_mistake_is_told_in_words(run: Run, words: list[str], said: str) -> None:
    status, printed = run("probe", *words)
    assert status == 2, printed
    assert said in printed
    assert "Traceback" not in printed


def test_an_atlas_that_was_moved_takes_the_weights_beside_it(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.atlas", "model.py", "w0.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    monkeypatch.chdir(tmp_path.parent)
    inside = tmp_path.name
    words = ("probe", "strokes", f"{inside}/a.atlas", "--out", tmp_path / "s.png")
    assert run(*words)[0] == 2, "the code beside it may be another's"
    status, printed = run(*words, "--trust")
    assert status == 0, printed  # model and weights lie beside it
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "a.atlas").write_bytes((folder / "a.atlas").read_bytes())
    status, printed = run("probe", "strokes", f"{inside}/alone/a.atlas")
    assert (status, "holds no weights, and those it was built with are neither" in printed) == (
        2,
        True,
    )
    model = f"{inside}/model.py:make"
    status, printed = run(
        "probe", "strokes", f"{inside}/a.atlas", "--model", model, "--out", tmp_path / "s.png"
    )
    assert status == 0, printed


def test_show_says_where_units_look_in_a_picture(run: Run, folder: Path) -> None:
    status, printed = run("show", "a.atlas", "fc1:3", "fc2:1", "--image", 4, "--out", "w.png")
    assert (status, "Drawn to w.png" in printed) == (0, True), printed
    with Image.open(folder / "w.png") as image:
        two = image.height
    assert run("show", "a.atlas", "fc1:3", "--image", 4, "--out", "w.png")[0] == 0
    with Image.open(folder / "w.png") as image:
        assert image.height < two
    status, printed = run("show", "a.atlas", "conv1:0", "--image", 4)
    assert status == 2
    assert "has no layer 'conv1'" in printed


def test_show_knows_a_class_by_its_name_with_and_without_a_picture(run: Run, folder: Path) -> None:
    pictures = []
    for name in ("fc2:3", "3"):  # digits are called by their figures
        status, printed = run("show", "a.atlas", name, "--image", 4, "--out", "c.png")
        assert status == 0, printed
        pictures.append((folder / "c.png").read_bytes())
    assert pictures[0] == pictures[1]
    for words in ([], ["--image", 4]):
        status, printed = run("show", "a.atlas", "33", *words)
        assert status == 2
        assert "no class or layer '33' in the atlas; nearest: 3" in printed
    status, printed = run("show", "a.atlas", "fc1", "--image", 4)
    assert (status, "'fc1' is a layer; with --image name units" in printed) == (2, True), printed


def test_show_looks_by_the_methods_that_are_named(run: Run, folder: Path) -> None:
    look = ["show", "a.atlas", "fc1:3", "--image", 4, "--out", "m.png"]
    widths = []
    ours = [name.replace(" ", "-") for name in METHODS]
    for methods in (["guided"], [*ours, "captum:Occlusion"]):
        status, printed = run(*look, *(word for name in methods for word in ("--method", name)))
        assert status == 0, printed
        with Image.open(folder / "m.png") as image:
            widths.append(image.width)
    assert widths[0] < widths[1]
    for words, said in (
        ([*look, "--method", "guidde"], "nearest: guided"),
        ([*look, "--method", "captum:Oclusion"], "nearest: Occlusion"),
        (["show", "a.atlas", "fc1:3", "--method", "guided"], "give --image cat.png too"),
    ):
        status, printed = run(*words)
        assert (status, said in printed) == (2, True), printed


def test_the_help_of_show_names_every_method(run: Run) -> None:
    _, printed = run("show", "--help")
    words = " ".join(printed.replace("│", " ").split())
    assert all(name.replace(" ", "-") in words for name in METHODS)


def test_show_draws_each_of_several_units(run: Run, folder: Path) -> None:
    assert run("show", "a.atlas", "fc1:0", "fc1:1", "--out", "u.png")[0] == 0
    assert (folder / "u-fc1-0.png").exists()
    assert (folder / "u-fc1-1.png").exists()


def test_a_picture_on_another_ground_than_the_data_is_inverted_and_said(
    run: Run, folder: Path
) -> None:
    image = Image.new("L", (56, 56), 255)
    image.paste(0, (24, 10, 32, 46))
    image.save(folder / "light.png")
    status, printed = run("probe", "fool", "a.atlas", "--start", "light.png", "--steps", 1)
    assert status == 0, printed
    assert "light.png is light where the data is dark; it was inverted." in printed


def test_answers_without_a_name_do_not_overwrite_each_other(run: Run, folder: Path) -> None:
    for steps in (1, 2):
        status, printed = run("probe", "fool", "a.atlas", "--to", "2", "--steps", steps)
        assert status == 0, printed
    assert len(list(folder.glob("fool-*.png"))) >= 2


def test_kept_answers_are_listed_and_forgotten(run: Run, folder: Path) -> None:
    assert run("probe", "errors", "a.atlas", "--slice", "3:9", "--out", "e.png")[0] == 0
    with Atlas.open(folder / "a.atlas") as atlas:
        before = [probe.name for probe in atlas.probes()]
        layers = len(atlas.layers())
    status, printed = run("probe", "list", "a.atlas")
    assert status == 0
    assert all(name in printed for name in before)
    assert run("probe", "forget", "a.atlas", before[-1])[0] == 0
    with Atlas.open(folder / "a.atlas") as atlas:
        assert [probe.name for probe in atlas.probes()] == before[:-1]
        assert len(atlas.layers()) == layers
    status, printed = run("probe", "forget", "a.atlas", "errors")
    assert (status, "no probe 'errors'" in printed) == (2, True)
