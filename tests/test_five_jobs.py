"""Our half of the five jobs runs, and the page beside others is the script's."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image
from torch import nn

from phosphene import Input, Network

ROOT = Path(__file__).parents[1]
NAMES = ("Egyptian cat", "zebra", "castle")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("five", ROOT / "benchmarks" / "five_jobs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Squeezed(nn.Module):
    """The names of layers that the jobs use, in small."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential()
        for number in range(7):
            layer = nn.ReLU() if number % 2 else nn.Conv2d(3 if number == 0 else 10, 10, 3)
            self.features.append(layer)
        self.head = nn.Linear(10, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))


@pytest.mark.slow
def test_our_half_runs(script: ModuleType, tmp_path: Path) -> None:
    network = Network(Squeezed(), Input(3, (24, 24)), NAMES)
    noise = torch.randint(0, 256, (8, 24, 24, 3), dtype=torch.uint8).numpy()
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    assert script.Ours.picture_of_a_class(network).shape == (3, 24, 24)
    assert script.Ours.map_on_a_photograph(network, str(tmp_path / "0.png")).shape == (1, 3, 24, 24)
    assert len(script.Ours.top_patches(network, str(tmp_path)).seen[0]) == 6
    assert script.Ours.two_units_compared(network, str(tmp_path)).names[1] == "features.6:9"
    assert script.Ours.fooled(network, str(tmp_path / "1.png")).shape == (1, 3, 24, 24)


def test_the_page_has_the_code_and_the_counts_of_the_script(script: ModuleType) -> None:
    page = (ROOT / "docs" / "beside.md").read_text(encoding="utf-8")
    rows = [("load the network", *script._lines("prepare"), "")]
    rows += [(job.name, *script._lines(key), job.same) for key, job in script.JOBS.items()]
    assert page == script.page(rows)
    assert "NOT" not in page
