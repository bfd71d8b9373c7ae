"""What is told without a network is told without importing torch."""

import subprocess
import sys

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
        assert name.partition(".")[0] != "torch", f"{name} was imported"

sys.meta_path.insert(0, Refusing())
from phosphene.cli import main
main()
"""


def without_torch(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
    )
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


@pytest.mark.parametrize("name", [*forms(), "reveal", "list", "forget"])
def test_help_of_a_probe_is_told_without_torch(name):
    assert f"probe {name}" in without_torch("probe", name, "--help")


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
