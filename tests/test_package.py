"""What the package promises as a whole."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import phosphene

ROOT = Path(__file__).parents[1]

PUBLIC = """
    L1 L2 Atlas Bounded Channel Direction Diversity Drawing Fourier Identity ImageFolder Input
    LogProbability Logit Maco Network Neuron Norm Optimizer PhospheneError Pixels Probability
    RandomAffine Recipe Settings Spectrum Step Streams Study Survey TotalVariation Unit __version__
    ascend batches build cross deconvnet digits draw each_gradient export_site gradient
    gradient_x_input guided integrated_gradients keep_freed_memory layer_sheet load_data
    load_network mnist nearest_neighbours read_image sheet unit_sheet
"""


def test_public_names_are_these_and_exist():
    assert phosphene.__all__ == PUBLIC.split()
    assert all(hasattr(phosphene, name) for name in phosphene.__all__)


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
    shown = subprocess.run(
        [empty / "bin" / "phosphene", "show", "--help"], check=True, capture_output=True, text=True
    )
    assert "what is known of a unit" in shown.stdout
    where = [python, "-c", "import phosphene; print(phosphene.__file__)"]
    assert str(empty) in subprocess.run(where, check=True, capture_output=True, text=True).stdout
