"""Where guided backpropagation is refused, maps are plain gradients and everything says so."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from phosphene.atlas import Atlas
from phosphene.attribution import gradient
from phosphene.data import digits
from phosphene.figures import export_site, unit_sheet
from phosphene.maximize import Recipe
from phosphene.network import GUIDED, PLAIN, Input, Network
from phosphene.objectives import Neuron
from phosphene.study import Settings, Study, build

pytestmark = pytest.mark.slow  # together more than a few seconds


@pytest.fixture(scope="module")
def gelu() -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(1, 3, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(3, 4, 3),
            nn.GELU(),
            nn.Conv2d(4, 2, 3),
            nn.Flatten(),
            nn.Linear(128, 10),
        )
    return Network(module, Input(1, (28, 28)), tuple("0123456789"))


@pytest.fixture(scope="module")
def atlas(gelu: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atlas]:
    path = tmp_path_factory.mktemp("gelu") / "a.atlas"
    settings = Settings(("2", "4"), (Recipe(steps=1),), examples=2)
    for _ in build(Study(gelu, digits("test").take(slice(0, 20)), settings), path):
        pass
    with Atlas.open(path) as opened:
        yield opened


@pytest.mark.parametrize(("layer", "rule"), [("2", GUIDED), ("4", PLAIN)])
def test_maps_are_made_by_the_rule_that_is_noted(layer, rule, atlas, gelu):
    example = atlas.examples(layer, 1)[0]
    noted = atlas.document(f"rule {atlas.provenance(example).key}")
    assert noted["rule"] == rule.name
    assert (noted["reason"] is None) == (rule is GUIDED)
    assert "ask for" not in str(noted["reason"]).lower()  # nobody is there to ask
    picture = torch.from_numpy(atlas.image(example.image).picture)[None]
    whole = gradient(gelu, picture, Neuron(layer, 1, example.y, example.x), rule)[0].numpy()
    top, left, bottom, right = example.box
    np.testing.assert_allclose(example.guided, whole[:, top:bottom, left:right], atol=1e-3)


def test_pages_say_which(atlas: Atlas, tmp_path: Path) -> None:
    export_site(atlas, tmp_path)
    pages = {path.stem: path.read_text() for path in tmp_path.glob("*.html")}
    assert "beside it the guided gradient" in pages["unit-2-0"]
    assert "plain" not in pages["unit-2-0"]
    assert "beside it the plain gradient" in pages["unit-4-0"]
    assert "GeluBackward0" in pages["unit-4-0"]
    assert "guided gradient" not in pages["unit-4-0"].lower()
    assert "its maps are plain gradients" in pages["index"]


def test_sheets_say_which(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.figures.ink import paper

    written: list[str] = []
    write = paper.Paper.write

    def listen(self: paper.Paper, words: str, *args: object, **kwargs: object) -> float:
        written.append(words)
        return write(self, words, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(paper.Paper, "write", listen)
    unit_sheet(atlas, "2", 0)
    assert "Strongest real images, over their guided gradients" in written
    written.clear()
    unit_sheet(atlas, "4", 0)
    assert "Strongest real images, over their plain gradients" in written
    assert any("GeluBackward0" in words for words in written)
