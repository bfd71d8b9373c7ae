"""Every walk-through plays from top to bottom, and its rendered page is there and whole."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "examples").glob("[0-9]_*.py"))
PAGES = ROOT / "docs" / "walkthroughs"
PICTURE = re.compile(r'<img src="([^"]+)" alt="([^"]+)" width="(\d+)">')
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MOST_BYTES = 4_500_000

each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("render", ROOT / "examples" / "render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.mark.slow
@pytest.mark.longest
@each_script
def test_a_script_plays(script: Path, tmp_path: Path, weights: Path) -> None:
    quick = {"PHOSPHENE_QUICK": "1", "PHOSPHENE_WEIGHTS": str(weights), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "examples/render.py", str(tmp_path), str(script)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | quick, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / f"{script.stem}.md").read_text(encoding="utf-8")
    committed = (PAGES / f"{script.stem}.md").read_text(encoding="utf-8")
    assert len(PICTURE.findall(page)) == len(PICTURE.findall(committed)) > 0
    assert "What we found" in page


@each_script
def test_a_page_is_that_of_its_script(script: Path, renderer: ModuleType) -> None:
    """The code and the prose; what was computed is the full run's."""
    page = (PAGES / f"{script.stem}.md").read_text(encoding="utf-8")
    for cell in renderer.jupytext.read(script, fmt="py:percent").cells:
        if "remove-input" not in cell.metadata.get("tags", ()):
            assert cell.source in page, "the script has changed; run make walkthroughs"


@each_script
def test_the_pictures_of_a_page_are_there_and_described(script: Path) -> None:
    found = PICTURE.findall((PAGES / f"{script.stem}.md").read_text(encoding="utf-8"))
    there = sorted(path.name for path in PAGES.glob(f"{script.stem}_*.png"))
    assert [name for name, _, _ in found] == there
    assert not [words for _, words, _ in found if words.startswith("Figure")]


def test_the_index_names_every_page_and_every_link_leads_somewhere(renderer: ModuleType) -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    for script in SCRIPTS:
        assert f"[{renderer.title(script)}]({script.stem}.md)" in index
        assert renderer.teaser(script) in index
    for page in PAGES.glob("*.md"):
        links = LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
        assert [link for link in links if not (page.parent / link).exists()] == [], page


@each_script
def test_a_script_becomes_a_notebook(script: Path, tmp_path: Path, renderer: ModuleType) -> None:
    cells = json.loads(renderer.notebook(script, tmp_path).read_text(encoding="utf-8"))["cells"]
    kinds = [cell["cell_type"] for cell in cells]
    assert kinds[0] == "markdown"
    assert kinds.count("code") > 5


def test_the_pages_stay_small() -> None:
    assert sum(path.stat().st_size for path in PAGES.iterdir()) < MOST_BYTES


def test_cells_print_markdown_and_show_their_last_line(
    tmp_path: Path, renderer: ModuleType
) -> None:
    script = tmp_path / "9_story.py"
    script.write_text(
        "# %% [markdown]\n# # A story\n#\n# Told\n# briefly.\n\n"
        "# %%\nx = 2\nprint(f'twice is {2 * x}')\n\n"
        "# %% A square\nfrom PIL import Image\nImage.new('RGB', (10, 6), 'red')\n\n"
        '# %% tags=["remove-input"]\nprint("- hidden code")\n',
        encoding="utf-8",
    )
    page = renderer.render(script, tmp_path).read_text(encoding="utf-8")
    assert "> twice is 4" in page
    assert '<img src="9_story_01.png" alt="A square" width="5">' in page
    assert "\n- hidden code\n" in page
    assert 'print("- hidden' not in page
    assert (tmp_path / "9_story_01.png").exists()
    assert (renderer.title(script), renderer.teaser(script)) == ("A story", "Told briefly.")


def test_the_tours_begin_as_the_walkthroughs(renderer: ModuleType) -> None:
    """Each tour of the live page goes with a walk-through, and has its words."""
    static = ROOT / "src" / "phosphene" / "live" / "static"
    kept = (static / renderer.WALKS).read_text(encoding="utf-8")
    assert kept == renderer.tours(SCRIPTS), "run make tours"
    named = re.findall(r'walk: "(\w+)"', (static / "tours.js").read_text(encoding="utf-8"))
    assert named == [script.stem for script in SCRIPTS]
