"""The page of a tree of parts: a drawing whose units lead to their pages."""

import re
from collections import deque
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from phosphene.atlas import Atlas
from phosphene.data import ArrayDataset
from phosphene.figures import export_site
from phosphene.maximize import Recipe
from phosphene.network import Input, Network
from phosphene.probes.question import named
from phosphene.probes.subject import InMemory
from phosphene.study import Settings, Study, build
from phosphene.study.asking import keep
from tiny import seeded

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of what a class is made of."""
    folder = tmp_path_factory.mktemp("tree")
    module = seeded(
        lambda: nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(256, 3),
        ),
        seed=1,
    )  # fmt: skip
    network = Network(module, Input(1, (12, 12)), ("cat", "dog", "cup"))
    pictures = torch.rand(9, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    data = ArrayDataset((pictures * 255).byte(), torch.arange(9) % 3, name="nine")
    settings = Settings(recipes=(Recipe(steps=2),), units=("0:0-2", "2:0-1", "5:0-2"))
    deque(build(Study(network, data, settings), folder / "a.atlas"), maxlen=0)
    with Atlas.build(folder / "a.atlas") as atlas:
        keep(atlas, InMemory(network, data), named("parts", unit="dog", image=1, most=3))
    with Atlas.open(folder / "a.atlas") as atlas:
        export_site(atlas, folder / "site")
    (found,) = (folder / "site").glob("probe-parts-*.html")
    return found


def drawn(page: Path) -> ElementTree.Element:
    (text,) = re.findall(r"<svg class=\"tree\".*?</svg>", page.read_text("utf-8"), re.DOTALL)
    return ElementTree.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))


@pytest.mark.later
def test_every_part_stands_in_the_drawing_inside_its_frame(page: Path) -> None:
    tree = drawn(page)
    names = [each.text for each in tree.iter(f"{SVG}tspan") if each.get("class") == "name"]
    assert names[0] == "class dog"
    assert len(names) == len(list(tree.iter(f"{SVG}path"))) + 1 > 4
    width, height = (float(tree.get(name, "0")) for name in ("width", "height"))
    for group in tree.iter(f"{SVG}g"):
        x, y = map(float, re.findall(r"[\d.]+", group.get("transform", "")))
        assert 0 <= x < width
        assert 0 <= y < height


def test_units_lead_to_pages_that_are_there_and_others_nowhere(page: Path) -> None:
    tree = drawn(page)
    links = {each.get("href", "") for each in tree.iter(f"{SVG}a")}
    assert "unit-5-1.html" in links
    assert all((page.parent / link).is_file() for link in links)
    shown = {each.text for link in tree.iter(f"{SVG}a") for each in link.iter(f"{SVG}tspan")}
    assert not any(text and text.startswith(("2:2", "2:3")) for text in shown)


def test_the_drawing_has_no_script(page: Path) -> None:
    text = page.read_text("utf-8")
    start = text.index('<svg class="tree"')
    assert "script" not in text[start : text.index("</svg>", start)]
