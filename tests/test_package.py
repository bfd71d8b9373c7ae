"""What the package promises as a whole."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import phosphene

ROOT = Path(__file__).parents[1]

NAMES = ROOT / "docs" / "names.md"
"""The page of the public names, by task."""

HEAVY = ("torch", "sklearn", "scipy", "matplotlib", "captum", "jinja2", "typer", "rich", "PIL")


def test_public_names_are_those_of_the_page_and_exist():
    rows = re.findall(r"^\| .* \|$", NAMES.read_text(encoding="utf-8"), re.MULTILINE)
    listed = re.findall(r"`(\w+)`", "".join(row.split("|")[2] for row in rows))
    assert phosphene.__all__ == sorted(listed)
    assert all(hasattr(phosphene, name) for name in phosphene.__all__)
    assert set(phosphene.__all__) <= set(dir(phosphene))


def imports(code: str) -> set[str]:
    """The packages that `code` has imported when it ends, in a process of its own."""
    told = "; import sys; print('\\n' + ' '.join(sys.modules))"
    run = [sys.executable, "-c", code + told]
    out = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    return set(out.splitlines()[-1].split())


@pytest.mark.slow
def test_importing_phosphene_imports_nothing_heavy():
    assert not imports("import phosphene") & set(HEAVY)
    used = imports(
        "import phosphene as p; p.Network, p.draw, p.guided, p.Survey, p.digits(), p.build"
    )
    assert "torch" in used
    assert not used & {"sklearn", "scipy", "matplotlib", "captum", "jinja2", "typer", "rich"}


@pytest.mark.slow
def test_importing_draws_no_random_number_and_keeps_threads():
    code = (
        "import torch; s = torch.get_rng_state(), torch.get_num_threads(), "
        "torch.get_default_dtype(); import phosphene, phosphene.cli; "
        "assert torch.equal(s[0], torch.get_rng_state()); "
        "assert s[1:] == (torch.get_num_threads(), torch.get_default_dtype())"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_versions_agree():
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{phosphene.__version__}"' in pyproject


@pytest.mark.slow
def test_the_wheel_holds_everything_and_installs_into_an_empty_environment(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    source = ROOT / "src"
    for file in (source / "phosphene").rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert file.relative_to(source).as_posix() in inside
    # The dependencies are the ones of this environment: what is tried here is our own wheel.
    empty = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", empty], check=True)
    python = empty / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    here = Path(sys.prefix, "lib", f"python3.{sys.version_info.minor}", "site-packages")
    (found,) = empty.glob("lib/python3.*/site-packages")
    names = [p for p in here.iterdir() if not p.name.startswith(("phosphene", "_phosphene"))]
    for path in names:
        if not (found / path.name).exists():
            (found / path.name).symlink_to(path)
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shown = subprocess.run(
        [empty / "bin" / "phosphene", "show", "--help"],
        check=True,
        capture_output=True,
        text=True,
        env=alone,
    )
    assert "what is known of a unit" in shown.stdout
    where = [python, "-c", "import phosphene; print(phosphene.__file__)"]
    ran = subprocess.run(where, check=True, capture_output=True, text=True, env=alone)
    assert str(empty) in ran.stdout


@pytest.mark.slow
def test_the_source_distribution_passes_its_own_tests(tmp_path):
    build = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (packed,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("phosphene-*/")
    tracked = ["git", "-C", ROOT, "ls-files"]
    if (ROOT / ".git").exists():
        files = subprocess.run(tracked, check=True, capture_output=True, text=True).stdout
        assert [name for name in files.split() if not (source / name).exists()] == []
    chosen = ["tests/test_docs.py", "tests/test_pinned.py", "tests/test_walkthroughs.py"]
    env = {**os.environ, "PYTHONPATH": str(source / "src"), "PHOSPHENE_CHECK_TYPES": "0"}
    run = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow",
        *chosen,
    ]
    ended = subprocess.run(run, cwd=source, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:]
