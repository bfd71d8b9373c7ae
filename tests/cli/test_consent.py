"""No code runs that came with a file, unless somebody says so."""

import io
import json
import sys
from pathlib import Path

import pytest
import typer

from fuzz import small_atlas
from phosphene.atlas import Atlas
from phosphene.cli.consent import permit
from phosphene.errors import ConsentError
from phosphene.study import consent

FACTORY = """
from pathlib import Path

def make():
    (Path(__file__).parent / "ran").touch()
    raise SystemExit(9)

def other():
    make()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a stranger's atlas and code lie, with a state of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    (tmp_path / "code.py").write_text(FACTORY)
    return tmp_path


def stranger(folder: Path, **source: object) -> Path:
    path = folder / "a.atlas"
    path.unlink(missing_ok=True)
    small_atlas(path)
    with Atlas.build(path) as atlas:
        atlas.drop(job.key for job in atlas.jobs() if job.key != "describe")
        documents = {name: atlas.document(name) for name in atlas.documents()} | {"source": source}
        with atlas.job("describe", "describe", "Describe") as job:
            for name, value in documents.items():
                job.document(name, value)
    return path


COMMANDS = [
    ("probe", "weights"),
    ("probe", "fool"),
    ("probe", "units"),
    ("probe", "invert", "--layers", "conv", "--image", "cat.png"),
    ("show", "conv:1", "--image", "cat.png"),
]


def words(command: tuple[str, ...], atlas: Path, *more: str) -> list[str]:
    begin = 2 if command[0] == "probe" else 1
    return [*command[:begin], str(atlas), *command[begin:], *more]


@pytest.mark.later
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_runs_what_an_atlas_names(run, folder: Path, command: tuple[str, ...]) -> None:
    atlas = stranger(folder, model="code.py:make", data="digits")
    status, printed = run(*words(command, atlas))
    assert status == 2
    assert f"names code to run: {folder / 'code.py'}:make. It was not run" in printed
    assert "was not run" in printed
    assert "--trust" in printed
    assert not (folder / "ran").exists()


@pytest.mark.later
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_trusted_runs_and_is_remembered(
    run, folder: Path, command: tuple[str, ...]
) -> None:
    atlas = stranger(folder, model="code.py:make", data="digits")
    assert run(*words(command, atlas, "--trust"))[0] == 9
    assert (folder / "ran").exists()
    assert run(*words(command, atlas))[0] == 9  # without being told again
    (folder / "code.py").write_text(FACTORY + "\n# changed\n")
    assert run(*words(command, atlas))[0] == 2
    stranger(folder, model="code.py:other", data="digits")
    assert run(*words(command, atlas))[0] == 2


@pytest.mark.later
def test_what_the_person_names_is_their_own_word(run, folder: Path) -> None:
    atlas = stranger(folder, model="os:getcwd", data="digits")
    assert run("probe", "weights", atlas, "--model", "code.py:make")[0] == 9
    assert run("probe", "weights", "code.py:make")[0] == 9


@pytest.mark.later
def test_data_is_code_too(run, folder: Path) -> None:
    atlas = stranger(folder, model="phosphene.zoo:HVASS", data="code.py:make")
    status, printed = run("probe", "units", atlas)
    assert (status, "names code to run: code.py:make" in printed) == (2, True)
    assert not (folder / "ran").exists()
    assert run("probe", "units", atlas, "--trust")[0] == 9


@pytest.mark.parametrize("spec", ["os:getcwd", "shutil:which", "antigravity:fly", "a.b.c:d"])
def test_functions_of_any_package_are_code(run, folder: Path, spec: str) -> None:
    status, printed = run("probe", "weights", stranger(folder, model=spec))
    assert (status, f"names code to run: {spec}" in printed) == (2, True)
    assert "antigravity" not in sys.modules


BUILT_IN = ["phosphene.zoo:HVASS", "phosphene.zoo:hvass", "timm:resnet18", "torchvision:vgg11"]
BUILT_IN += ["hf:vit", "digits", "digits:test", "mnist:anywhere", "."]


@pytest.mark.parametrize("spec", BUILT_IN)
def test_what_is_built_in_needs_no_consent(folder: Path, spec: str) -> None:
    assert consent.code(spec) is None
    permit(spec, Path("a.atlas"), trust=False)


FOREIGN = [
    "phosphene.cli:main",
    "phosphene.training.checkpoint:Path",
    "phosphene.zoo:nothing",
    "x:y",
]
FOREIGN += [
    "phosphene.zoos:make",
    "phosphene.data.mnist_files:tempfile",
    "./phosphene.zoo.py:hvass",
    ":",
]


@pytest.mark.parametrize("spec", FOREIGN)
def test_what_only_looks_built_in_does(folder: Path, spec: str) -> None:
    with pytest.raises(ConsentError, match="--trust"):
        permit(spec, Path("a.atlas"), trust=False)


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_at_a_terminal_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    asked = []

    def confirm(question: str, **how: object) -> bool:
        asked.append((question, how["default"]))
        return answer

    monkeypatch.setattr(typer, "confirm", confirm)
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    for _ in range(2):
        if answer:
            permit("code.py:make", Path("a.atlas"), trust=False)
        else:
            with pytest.raises(ConsentError, match="was not run, as you said"):
                permit("code.py:make", Path("a.atlas"), trust=False)
    assert len(asked) == (1 if answer else 2)  # a yes is remembered
    assert {default for _, default in asked} == {False}


def test_a_question_cannot_steer_the_terminal(folder: Path) -> None:
    with pytest.raises(ConsentError) as told:
        permit("x\x1b[2J\u202e.py:make", Path("a\n.atlas"), trust=False)
    assert "x\\x1b[2J\\u202e.py:make" in str(told.value)
    assert "a\\x0a.atlas" in str(told.value)


def test_a_build_is_a_persons_own_word(folder: Path) -> None:
    consent.remember("code.py:make")
    permit("code.py:make", folder / "a.atlas", trust=False)
    permit(f"{folder}/code.py:make", folder / "moved.atlas", trust=False)
    (folder / "link.py").symlink_to(folder / "code.py")
    permit("link.py:make", folder / "a.atlas", trust=False)
    with pytest.raises(ConsentError):
        permit("code.py:other", folder / "a.atlas", trust=False)


def test_notes_are_kept_with_the_persons_own_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent.remember("code.py:make")
    (note,) = json.loads((folder / "state/phosphene/trusted.json").read_text()).values()
    assert note["file"] == str(folder / "code.py")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(folder / "home"))
    consent.remember("code.py:make")
    assert (folder / "home/.local/state/phosphene/trusted.json").is_file()
    assert not (folder / "relative").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", "\0", "[" * 100_000, '{"a": 1}'])
def test_notes_that_are_damaged_are_none(folder: Path, content: str) -> None:
    notes = folder / "state/phosphene/trusted.json"
    notes.parent.mkdir(parents=True)
    notes.write_text(content)
    with pytest.raises(ConsentError):
        permit("code.py:make", Path("a.atlas"), trust=False)
    permit("code.py:make", Path("a.atlas"), trust=True)
    permit("code.py:make", Path("a.atlas"), trust=False)


def test_notes_that_cannot_be_written_do_no_harm(folder: Path) -> None:
    (folder / "state").write_text("in the way")
    permit("code.py:make", Path("a.atlas"), trust=True)
    with pytest.raises(ConsentError):
        permit("code.py:make", Path("a.atlas"), trust=False)


def test_notes_do_not_grow_without_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "MOST_REMEMBERED", 3)
    for number in range(5):
        (folder / f"{number}.py").write_text("")
        consent.remember(f"{number}.py:make")
    known = json.loads((folder / "state/phosphene/trusted.json").read_text()).values()
    assert [note["spec"] for note in known] == ["2.py:make", "3.py:make", "4.py:make"]


@pytest.mark.later
@pytest.mark.parametrize("source", [3, {"model": 3}, ["a"]])
def test_a_source_that_is_none_is_told(run, folder: Path, source: object) -> None:
    path = stranger(folder)
    with Atlas.build(path) as atlas, atlas.job("describe", "describe", "Describe") as job:
        job.document("source", source)
    status, printed = run("probe", "weights", path)
    assert (status, "its document source is not what a study writes" in printed) == (2, True)


def test_what_an_atlas_would_fetch_is_asked_for_once(folder: Path) -> None:
    spec, atlas = "s3://bucket/{0..9}.tar", folder / "a.atlas"
    told = r"a\.atlas names data to fetch: s3://bucket/\{0\.\.9\}\.tar\. It was not fetched"
    for _ in range(2):
        with pytest.raises(ConsentError, match=told):
            consent.permit(spec, atlas, trust=False)
    with pytest.raises(ConsentError, match="was not fetched, as you said"):
        consent.permit(spec, atlas, False, lambda question: "Fetch it?" not in question)
    consent.permit(spec, atlas, trust=True)
    consent.permit(spec, atlas, trust=False)
    with pytest.raises(ConsentError, match="names data to fetch: folder:https://x"):
        consent.permit("folder:https://x/y", atlas, trust=False)
    consent.permit("shards/{0..9}.tar", atlas, trust=False)
