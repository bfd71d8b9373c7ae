"""Every question is a value: it has a command, a key, a form, JSON, a docs line and an answer."""

import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from cells import some
from heard import Told, heard_in
from phosphene.atlas import Atlas
from phosphene.cli.probe import probe
from phosphene.cli.questions import asked as commands
from phosphene.data import SOURCES, ArrayDataset
from phosphene.data.sources import Source
from phosphene.errors import SettingError
from phosphene.figures import export_site
from phosphene.maximize import Recipe
from phosphene.network import Input, Lowered, Network
from phosphene.precisions import Precision
from phosphene.probes import StrokeScores, options, question, read_strokes
from phosphene.probes.question import PANELS, Question, named, questions, table
from phosphene.probes.subject import InMemory
from phosphene.progress import watching
from phosphene.results import Result, sheet
from phosphene.study import Settings, Study, build
from phosphene.study.asking import Kept, ask, keep

DOCS = Path(__file__).parents[2] / "docs" / "probes.md"


def make_network() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(300, 3))
    return Network(module, Input(1, (12, 12)), ("cat", "dog", "cup"))


NET = make_network()
WIDE = {"COLUMNS": "200"}
PICTURES = torch.rand(9, 1, 12, 12, generator=torch.Generator().manual_seed(0))
DATA = ArrayDataset((PICTURES * 255).byte(), torch.arange(9) % 3, name="nine", classes=NET.classes)
TO_TRAIN_ON = ArrayDataset(
    (255 - PICTURES * 255).byte(), torch.arange(9) % 3, name="other nine", classes=NET.classes
)

LEAST: dict[str, dict[str, Any]] = {
    "fool": {"steps": 2},
    "morph": {"steps": 2},
    "distances": {"steps": 2},
    "shift": {"radius": 1},
    "strokes": {},
    "parts": {"unit": "dog", "image": 1, "most": 2, "depth": 1},
    "wholes": {"unit": "0:1", "image": 1},
    "circuit": {"unit": "dog", "image": 1},
    "why": {"image": 1, "ways": 2},
    "hide": {"text": "a", "confidence": 0.4},
    "units": {},
    "dissect": {"layer": "0"},
    "restarts": {"unit": "dog", "starts": 3, "steps": 2},
    "weights": {},
    "errors": {},
    "classes": {"steps": 2},
    "dream": {"layer": "0", "image": 1, "steps": 1},
    "invert": {"layers": "0", "image": 1, "steps": 2},
    "caricature": {"layers": ["0"], "image": 1, "steps": 2},
    "facets": {"unit": "0:1", "count": 2, "steps": 2},
    "interpolate": {"first": "cat", "second": "0:1", "count": 2, "steps": 2},
    "transfer": {"also": "w.safetensors", "confidence": 0.1, "images": 1},
    "variants": {
        "train_on": "nine", "variant": ["widths=2,3 dense=4"], "training_steps": 3, "steps": 2
    },
    "imagine": {
        "train_on": "nine", "training_steps": 3, "codes": 2, "per_class": 1, "steps": 2
    },
}  # fmt: skip
"""What must be given, and few steps."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are written, with other weights of the network, and data to train on."""
    from safetensors.torch import save_file

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SOURCES, "nine", Source("nine", lambda _, wanted: TO_TRAIN_ON))
    save_file(NET.module.state_dict(), tmp_path / "w.safetensors")
    return tmp_path


def test_every_question_is_asked_here() -> None:
    assert LEAST.keys() == questions().keys()


def assert_rising(told: list[Told]) -> None:
    """A bar begins at nothing, never goes back, and ends full."""
    shares = [done / total for _, done, total, _ in told]
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)
    assert not shares or shares[-1] == 1


@pytest.mark.later
@pytest.mark.parametrize("name", some(LEAST, quick=LEAST.keys() - {"transfer", "variants"}))
def test_a_question_is_answered_once(folder: Path, name: str) -> None:
    asked = named(name, **LEAST[name])
    told: list[Told] = []
    subject = InMemory(NET, DATA)
    subject.tell = lambda text: None
    with Atlas.build(folder / "a.atlas") as atlas, watching(heard_in(told)):
        first = keep(atlas, subject, asked)
        assert isinstance(first, Kept)
        assert first.fresh
        assert first.summary.strip()
        json.dumps(first.to_json(), allow_nan=False)
        assert sheet(first).width > 400
        assert {title for title, *_ in told} <= {asked.title(subject)}
        assert_rising(told)
        kind = type(asked)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kind, "ask", lambda *_: pytest.fail("it was asked again"))
            again = keep(atlas, InMemory(NET, DATA), asked)
        assert isinstance(again, Kept)
        assert not again.fresh
        assert (again.summary, again.to_json()) == (first.summary, first.to_json())


@pytest.mark.parametrize("name", LEAST)
def test_a_question_survives_json(name: str) -> None:
    asked = named(name, **LEAST[name])
    assert Question.from_json(json.loads(json.dumps(asked.to_json()))) == asked


@pytest.mark.parametrize("name", questions())
def test_a_question_has_a_form_and_a_command(name: str) -> None:
    kind = questions()[name]
    form = json.loads(json.dumps(kind.form()))
    assert form["help"].endswith((".", "?"))
    assert form["panel"] in PANELS
    printed = CliRunner().invoke(probe, [name, "--help"], env=WIDE).output
    for each in kind.options():
        assert each.argument or each.flag in printed


def test_the_forms_that_are_kept_are_those_of_the_questions() -> None:
    assert question.KEPT.read_text(encoding="utf-8") == question.forms_text(), "run make forms"


@pytest.mark.parametrize("name", questions())
def test_a_form_tells_all_that_a_command_needs(name: str) -> None:
    kind = questions()[name]
    told = json.loads(json.dumps(kind.form()))["fields"]
    assert [options.Option.from_json(field).to_json() for field in told] == told
    assert [field["flag"] for field in told] == [each.flag for each in kind.options()]


def test_the_docs_list_every_probe() -> None:
    assert table() in DOCS.read_text(encoding="utf-8"), f"docs/probes.md should hold\n{table()}"


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("fooling", {}, "no probe 'fooling'; nearest: fool"),
        ("fool", {"stepz": 1}, "no option 'stepz'; nearest: steps"),
        ("fool", {"steps": 0}, "--steps 0: expected at least 1"),
        ("fool", {"steps": 1.5}, "--steps '1.5' is no whole number"),
        ("fool", {"rate": "fast"}, "--rate 'fast' is no number"),
        ("classes", {"precision": "bf16"}, "no precision 'bf16'; nearest: bfloat16"),
        ("fool", {"aim": "logitt"}, "no aim 'logitt'; nearest: logit"),
        ("dissect", {}, "--layer is missing: which layer."),
        ("invert", {"layers": [], "image": 0}, "--layers is missing"),
    ],
)
def test_a_mistake_is_told_in_words(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said.replace(".", r"\.")):
        named(name, **given)


DRAWN = [name for name, kind in questions().items() if "precision" in kind.__dataclass_fields__]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:drawing in bfloat16 is slower", "ignore:PyTorch .* does not")
@pytest.mark.parametrize("name", DRAWN)
def test_a_question_draws_in_the_precision_that_it_says(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: set[str] = set()
    lowered = Network.lowered

    def noted(network: Network, precision: Precision) -> Lowered | None:
        drawn.add(precision)
        return lowered(network, precision)

    monkeypatch.setattr(Network, "lowered", noted)
    subject = InMemory(NET, DATA)
    subject.tell = lambda text: None
    named(name, **LEAST[name], precision="bfloat16").ask(subject)
    assert drawn == {"bfloat16"}


@pytest.mark.parametrize("name", [name for name in DRAWN if name != "imagine"])  # takes a decoder
def test_a_key_says_nothing_of_float32(folder: Path, name: str) -> None:
    subject, least = InMemory(NET, DATA), LEAST[name]
    single, lower = (
        named(name, **least, precision=each).key(subject) for each in ("float32", "bfloat16")
    )
    assert "precision" not in single
    assert lower == single | {"precision": "bfloat16"}


def test_two_questions_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="two questions are called 'fool'"):
        type("Fooling", (Question,), {"name": "fool", "panel": PANELS[0]})


def test_options_take_values_in_many_forms() -> None:
    one = named("fool", towards=[0, 2])
    assert one == named("fool", towards="0,2")
    assert named("invert", layers="0", image=3) == named("invert", layers=["0"], image="3")
    assert named("units", threshold=1).to_json()["threshold"] == 1.0


def test_a_network_is_asked_by_name_or_by_value() -> None:
    by_name = ask(NET, "errors", data=DATA, part="0:6")
    by_value = ask(NET, named("errors", part="0:6"), data=DATA)
    assert by_name.summary == by_value.summary
    with pytest.raises(SettingError, match="give data="):
        ask(NET, "errors")


def test_the_first_picture_of_a_class_is_morphed() -> None:
    subject = InMemory(NET, DATA)
    found = named("morph", origin="dog", towards="cup")
    assert found.key(subject) == named("morph", image=1, towards="cup").key(subject)
    with pytest.raises(SettingError, match="leave out --image 3"):
        named("morph", origin="dog", image=3).title(subject)


@pytest.mark.later
def test_an_atlas_that_is_only_read_is_not_written_to(folder: Path) -> None:
    subject = InMemory(NET, DATA)
    asked = named("errors")
    with Atlas.build(folder / "a.atlas") as atlas:
        keep(atlas, subject, named("weights"))
    with Atlas.open(folder / "a.atlas") as atlas:
        assert isinstance(keep(atlas, subject, named("weights")), Kept)
        answer = keep(atlas, subject, asked)
        assert not isinstance(answer, Kept)
        assert len(atlas.probes()) == 1


@pytest.mark.slow
def test_a_message_is_hidden_once_and_its_file_made_anew(folder: Path) -> None:
    subject, asked = InMemory(NET, DATA), named("hide", text="a", confidence=0.4)
    subject.tell = lambda text: None
    with Atlas.build(folder / "a.atlas") as atlas:
        keep(atlas, subject, asked)
        before = (folder / "message.png").read_bytes()
        for spoil in (b"", None):
            if spoil is None:
                (folder / "message.png").unlink()
            else:
                (folder / "message.png").write_bytes(spoil)
            keep(atlas, subject, asked)
            assert (folder / "message.png").read_bytes() == before
        longer = named("hide", text="a", confidence=0.4, steps=300)
        assert longer.key(subject) != asked.key(subject)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Question]:
    """A question that is declared elsewhere, for the time of a test."""
    monkeypatch.setattr(question, "_KNOWN", dict(questions()))

    @dataclass(frozen=True)
    class Counting(Question):
        """Count how often it is asked."""

        name, panel = "count", "Elsewhere"
        times: int = options.option("count", "How often to count.", 2, least=1)
        light: bool = options.option("switch", "Whatever that is.", False)

        def title(self, subject: Any) -> str:
            """What the page is called."""
            return f"Counted {self.times} times"

        def ask(self, subject: Any) -> Result:
            """Any answer will do."""
            return read_strokes(subject.network, dark=not self.light)

    return Counting


@pytest.mark.slow
def test_a_question_from_elsewhere_has_all_that_ours_have(
    folder: Path, counting: type[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "registered_commands", list(commands.registered_commands))
    assert "count " in CliRunner().invoke(probe, ["--help"], env=WIDE).output
    printed = CliRunner().invoke(probe, ["count", "--help"], env=WIDE).output
    assert "How often to count." in printed
    assert "--light" in printed
    assert "| `count` | Count how often it is asked. |" in table()
    assert counting.form()["fields"][0]["default"] == 2
    subject, asked = InMemory(NET), named("count", times=3)
    assert asked.key(subject) == {"times": 3, "light": False}
    assert isinstance(ask(NET, asked), StrokeScores)
    study = Study(NET, DATA, Settings(recipes=(Recipe(steps=1),), examples=1))
    deque(build(study, folder / "a.atlas"), maxlen=0)
    with Atlas.build(folder / "a.atlas") as atlas:
        keep(atlas, subject, asked)
        export_site(atlas, folder / "site")
    (page,) = (folder / "site").glob("probe-count-*.html")
    assert "<h1>Counted 3 times</h1>" in page.read_text(encoding="utf-8")
    assert "<dt>times</dt><dd>3</dd>" in page.read_text(encoding="utf-8")
