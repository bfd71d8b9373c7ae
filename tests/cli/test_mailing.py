"""`export --live`: a bench beside the pages, or none and the reason."""

from pathlib import Path

import pytest

from fuzz import small_atlas
from phosphene.live.mailed.files import ENGINE

pytestmark = pytest.mark.later

MODEL = """
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 3))

class Sorted(nn.Module):
    def __init__(self):
        super().__init__()
        self.small = small()

    def forward(self, x):
        return self.small(x).sort(1).values
"""
FILES = {"bench.html", "bench.css", "bench.js", "bench-mailed.js", *ENGINE}


@pytest.fixture
def atlas(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(MODEL)
    return small_atlas(tmp_path / "net.atlas")


def benches(site: Path) -> set[str]:
    return {path.name for path in site.glob("bench*")}


def test_a_bench_is_written_and_goes_with_the_next_export(run, atlas):
    site, model = atlas.with_name("site"), f"{atlas.with_name('model.py')}:small"
    status, printed = run("export", atlas, site, "--live", "--model", model)
    assert (status, "in single precision" in printed) == (0, True), printed
    assert benches(site) == FILES | {"bench-network.js"}
    assert 'href="bench.html"' in (site / "index.html").read_text("utf-8")
    (site / "bench-own.js").write_text("mine")
    (site / "index.html").unlink()  # cut short before its end
    assert run("export", atlas, site)[0] == 2
    (site / "bench-own.js").unlink()
    assert run("export", atlas, site)[0] == 0
    assert benches(site) == set()
    assert "bench.html" not in (site / "index.html").read_text("utf-8")


def test_scripts_of_other_people_stay(run, atlas):
    site = atlas.with_name("site")
    assert run("export", atlas, site)[0] == 0
    (site / "bench-own.js").write_text("mine")
    assert run("export", atlas, site)[0] == 0
    assert benches(site) == {"bench-own.js"}


def test_a_network_that_no_page_runs_leaves_a_site_without_a_bench(run, atlas):
    site, model = atlas.with_name("site"), f"{atlas.with_name('model.py')}:Sorted"
    status, printed = run("export", atlas, site, "--live", "--model", model)
    assert (status, "without a bench" in printed, "aten.sort" in printed) == (2, True, True)
    assert (site / "index.html").exists()
    assert benches(site) == set()


def test_code_that_the_atlas_names_is_not_run_unasked(run, atlas):
    status, printed = run("export", atlas, atlas.with_name("site"), "--live")
    assert (status, "os:getcwd" in printed) == (2, True)
    assert benches(atlas.with_name("site")) == set()
