"""What is told without a network is told without importing torch."""

import subprocess
import sys
import textwrap

import pytest

import phosphene
from fuzz import small_atlas
from phosphene.cli.app import COMMANDS
from phosphene.probes.question import forms

pytestmark = pytest.mark.slow  # a process for each

WITHOUT_TORCH = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        assert name.partition(".")[0] not in {"torch", "jaxtyping"}, f"{name} was imported"

sys.meta_path.insert(0, Refusing())
from phosphene.cli import main
"""


PROBES = [*forms(), "reveal", "list", "forget"]

ALL_OF_THEM = """
    for name in sys.argv[1:]:
        sys.argv = ["phosphene", "probe", name, "--help"]
        try:
            main()
        except SystemExit as end:
            assert not end.code, name
        print(end="\\0")
"""


def without_torch(*words: object, program: str = "main()") -> str:
    """What a command prints in a process of its own, in which torch cannot be imported."""
    code = WITHOUT_TORCH + textwrap.dedent(program)
    run = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(run, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("startup") / "small.atlas"
    small_atlas(path)
    return path


def test_help_is_told_without_torch():
    assert "Look" in without_torch("--help")


def test_the_probes_are_told_without_torch():
    assert "fool" in without_torch("probe", "--help")


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """The help of each probe, all from one process without torch."""
    told = without_torch(*PROBES, program=ALL_OF_THEM).split("\0")
    return dict(zip(PROBES, told[:-1], strict=True))


@pytest.mark.parametrize("name", PROBES)
def test_help_of_a_probe_is_told_without_torch(name, helps):
    assert f"probe {name}" in helps[name]


def test_the_version_is_told_without_torch():
    assert without_torch("--version") == f"phosphene {phosphene.__version__}"


def test_kept_answers_are_listed_without_torch(atlas):
    assert "title" in without_torch("probe", "list", atlas)


def test_a_stored_unit_is_shown_without_torch(atlas, tmp_path):
    without_torch("show", atlas, "conv:0", "--out", tmp_path / "unit.png")
    assert (tmp_path / "unit.png").stat().st_size


def test_an_atlas_is_exported_without_torch(atlas, tmp_path):
    without_torch("export", atlas, tmp_path / "site")
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_list_of_commands_says_what_each_says_of_itself(command):
    (first, *_) = command.read().help.split("\n\n")
    assert command.help == " ".join(first.split())


def test_an_unknown_command_is_told_with_the_nearest(run):
    status, printed = run("exprot", "a.atlas")
    assert (status, "Did you mean 'export'" in printed) == (2, True)
